/** PINs in a keychain: a real gnome-keyring on a real session bus, and what happens where there is none. */
import { writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { readKeychain, writeKeychain } from '../../src/platform/keychain/keychain.js';
import { actsNamed } from '../support/audit-acts.js';
import { connectTo } from '../support/agent-client.js';
import { runProgram, TOUCHSTONE, type DemoAgent } from '../support/demo-agent.js';
import { DesktopSession } from '../support/desktop-session.js';
import { FAULTY_PIN } from '../support/faulty-module.js';
import { FaultyAgent } from '../support/faulty-agent.js';
import { agentOver } from '../support/own-token-agent.js';
import { countInMemory } from '../support/process-memory.js';
import { isRunning, processTree } from '../support/process-tree.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { rejectionOf } from '../support/rejection.js';
import { PIN, SoftHsmStore } from '../support/softhsm-store.js';
import { TempFolder } from '../support/temp-folder.js';
import { TerminalSession } from '../support/terminal-session.js';

const ENTRY = path.join(PROJECT_ROOT, 'dist/bin/keychain.js');
const STORE = ['pin', 'store', '--confirm', 'store'];
const NOTICED = { timeout: 10_000, interval: 50 };

/** The agent shall live in this session. */
function join(agent: DemoAgent, session: Readonly<Record<string, string>>): void {
  Object.assign(agent.environment, session, { DISPLAY: undefined });
}

/** Writes an item as the agent would find it. */
async function putIntoKeychain(agent: DemoAgent, token: string, value: string): Promise<void> {
  const account = `token ${token} of ${agent.stateDir}`;
  const environment = { ...agent.environment, TOUCHSTONE_PARENT: String(process.pid) };
  const written = await runProgram(process.execPath, [ENTRY, 'write', account], {
    environment,
    input: value,
  });
  expect(written.stdout).toBe('+');
}

async function codeOf(agent: DemoAgent, argv: readonly string[]): Promise<string> {
  const { stdout } = await agent.touchstone([...argv, '--json']);
  return (JSON.parse(stdout) as { error?: { code: string } }).error?.code ?? 'done';
}

describe('a token whose PIN a person stored', () => {
  let session: DesktopSession;
  let store: SoftHsmStore;
  let agent: DemoAgent;
  beforeAll(async () => {
    session = await DesktopSession.start({ keyring: true });
    store = new SoftHsmStore('release');
    agent = await agentOver({ name: 'release', store, lines: ['pin = { keychain = true }'] });
    join(agent, session.environment);
    await agent.start();
    await agent.setUpToken();
  });
  beforeEach(async () => {
    await agent.touchstone(['lock']);
    await agent.touchstone(['pin', 'forget']);
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    store[Symbol.dispose]();
    await session[Symbol.asyncDispose]();
  });

  it('is unlocked without anybody typing, after a warning, a typed word and the PIN', async () => {
    const command = `"${process.execPath}" "${TOUCHSTONE}" pin store --token release`;
    await using terminal = new TerminalSession(command, agent.environment);
    await terminal.waitFor('Type store to go on: ');
    expect(terminal.shown).toContain('With its PIN in the keychain a token unlocks without you');
    terminal.type('store\r');
    await terminal.waitFor('PIN for token "release"');
    terminal.type(`${PIN}\r`);
    await terminal.waitFor('the PIN of token "release" (serial ');
    expect(await terminal.ended()).toBe(0);
    expect(await session.secretsOf('touchstone')).toBe(1);
    const unlocked = await agent.touchstone(['unlock']);
    expect(unlocked.status).toBe(0);
    expect(unlocked.stderr).toContain('the agent takes the PIN from the keychain');
    await expect
      .poll(() => actsNamed(agent.stateDir, 'unlock').at(-1), { timeout: 10_000 })
      .toMatchObject({ token: 'release', by: 'keychain' });
    await expect
      .poll(() => actsNamed(agent.stateDir, 'pin-stored').at(-1), { timeout: 10_000 })
      .toMatchObject({ token: 'release' });
    expect(JSON.stringify(actsNamed(agent.stateDir, 'pin-stored'))).not.toContain(PIN);
  });

  it('stays in no memory of the agent once it is stored or used', async () => {
    await agent.must([...STORE, '--pin-file', agent.pinFile]);
    const { serial } = actsNamed(agent.stateDir, 'pin-stored').at(-1) ?? {};
    const stored = `${String(serial)}\n${PIN}`;
    const needles = [Buffer.from(stored, 'utf8'), Buffer.from(stored, 'utf16le')];
    const found = async (): Promise<readonly number[]> =>
      processTree(await agent.pid()).flatMap((pid) => countInMemory(pid, needles));
    expect((await found()).filter((count) => count > 0)).toEqual([]);
    await agent.must(['unlock']);
    expect((await found()).filter((count) => count > 0)).toEqual([]);
  });

  it('is not unlocked by the agent when it starts', async () => {
    await agent.must([...STORE, '--pin-file', agent.pinFile]);
    const before = actsNamed(agent.stateDir, 'unlock').length;
    await agent.stop();
    await agent.start();
    expect((await agent.must(['token', 'list'])).split('\n')[1]).toContain('present');
    expect(actsNamed(agent.stateDir, 'unlock')).toHaveLength(before);
    expect(await codeOf(agent, ['unlock'])).toBe('done');
  });

  it('asks for nothing and unlocks nothing when none is stored, or it was taken out', async () => {
    expect(await codeOf(agent, ['unlock'])).toBe('keychain.empty');
    await expect
      .poll(() => actsNamed(agent.stateDir, 'unlock-refused').at(-1), { timeout: 10_000 })
      .toMatchObject({
        code: 'keychain.empty',
        by: 'keychain',
      });
    await agent.must([...STORE, '--pin-file', agent.pinFile]);
    expect(await agent.must(['pin', 'forget'])).toContain('is out of the keychain');
    expect(await agent.must(['pin', 'forget'])).toContain('held no PIN');
    expect(await session.secretsOf('touchstone')).toBe(0);
    expect(await codeOf(agent, ['unlock'])).toBe('keychain.empty');
    expect(await codeOf(agent, ['unlock', '--pin-file', agent.pinFile])).toBe('done');
  });

  it('can be unlocked with the PIN typed all the same', async () => {
    const command = `"${process.execPath}" "${TOUCHSTONE}" unlock --enter-pin`;
    await using terminal = new TerminalSession(command, agent.environment);
    await terminal.waitFor('PIN for token "release"');
    terminal.type(`${PIN}\r`);
    expect(await terminal.ended()).toBe(0);
  });

  it('has nothing stored after another word, a wrong PIN, or beside a lease', async () => {
    expect(await codeOf(agent, ['pin', 'store', '--confirm', 'yes', '--pin-file', agent.pinFile])).toBe(
      'usage.invalid',
    );
    const wrong = path.join(agent.folder, 'wrong');
    writeFileSync(wrong, '00000000\n', { mode: 0o600 });
    expect(await codeOf(agent, [...STORE, '--pin-file', wrong])).toBe('token.pin-incorrect');
    await expect
      .poll(() => actsNamed(agent.stateDir, 'pin-not-stored').at(-1), { timeout: 10_000 })
      .toMatchObject({ code: 'token.pin-incorrect' });
    await agent.must(['unlock', '--pin-file', agent.pinFile]);
    expect(await codeOf(agent, [...STORE, '--pin-file', agent.pinFile])).toBe('token.busy');
    expect(await session.secretsOf('touchstone')).toBe(0);
  });

  it('is the only one the stored PIN is sent to', async () => {
    const id = '0'.repeat(32);
    await putIntoKeychain(agent, 'release', `touchstone-pin-1 ${id} 0123456789abcdef\n${PIN}`);
    const other = await agent.touchstone(['unlock']);
    expect(other.stderr).toContain('it was stored for another token');
    await putIntoKeychain(agent, 'release', PIN);
    expect(await codeOf(agent, ['unlock'])).toBe('keychain.not-sent');
  });
});

describe('a stored PIN that became wrong', () => {
  it('costs one try, also after a restart, until another one is stored', async () => {
    await using session = await DesktopSession.start({ keyring: true });
    await using agent = await new FaultyAgent().prepare(['pin = { keychain = true }']);
    join(agent, session.environment);
    await agent.start();
    const put = (id: string, pin: string): Promise<void> =>
      putIntoKeychain(agent, 'faulty', `touchstone-pin-1 ${id.repeat(32)} F0001\n${pin}`);
    await put('a', '111111');
    expect(await codeOf(agent, ['unlock'])).toBe('token.pin-incorrect');
    for (let time = 0; time < 5; time += 1) expect(await codeOf(agent, ['unlock'])).toBe('keychain.not-sent');
    await agent.stop();
    await agent.start();
    expect(await codeOf(agent, ['unlock'])).toBe('keychain.not-sent');
    expect(agent.logins).toBe(1);
    await put('b', FAULTY_PIN);
    // The token takes it; its keys are not those of this keyring.
    expect(await codeOf(agent, ['unlock'])).toBe('keyring.other-token');
    expect(await codeOf(agent, ['unlock'])).toBe('keyring.other-token');
    expect(agent.logins).toBe(3);
  });

  it('is never the last try', async () => {
    await using session = await DesktopSession.start({ keyring: true });
    await using agent = await new FaultyAgent().prepare(['pin = { keychain = true }']);
    join(agent, session.environment);
    await agent.start();
    for (const pin of ['111111', '222222'])
      expect(await codeOf(agent, ['unlock', '--pin-file', agent.writePin(pin, pin)])).toBe(
        'token.pin-incorrect',
      );
    await putIntoKeychain(agent, 'faulty', `touchstone-pin-1 ${'c'.repeat(32)} F0001\n${FAULTY_PIN}`);
    for (const argv of [['unlock'], ['unlock', '--use-last-try', 'F0001']])
      expect(await codeOf(agent, argv)).toBe('token.pin-last-try');
    expect(agent.logins).toBe(2);
  });

  it('is not sent again when nobody learned what became of it', async () => {
    await using session = await DesktopSession.start({ keyring: true });
    await using agent = await new FaultyAgent().prepare(['pin = { keychain = true }']);
    join(agent, session.environment);
    agent.module.behave({ C_Login: 'hang' });
    const keeper = await agent.start();
    await putIntoKeychain(agent, 'faulty', `touchstone-pin-1 ${'d'.repeat(32)} F0001\n${FAULTY_PIN}`);
    const unlocking = agent.touchstone(['unlock']);
    await expect.poll(() => agent.logins, NOTICED).toBe(1);
    process.kill(keeper, 'SIGKILL');
    await unlocking;
    agent.module.change({});
    await agent.start();
    expect(await codeOf(agent, ['unlock'])).toBe('keychain.not-sent');
    expect(agent.logins).toBe(1);
  });
});

describe('a keychain that is locked', () => {
  it('is said to be, and not taken for an empty one: by unlock, store and forget', async () => {
    await using session = await DesktopSession.start({ keyring: true });
    await using agent = await new FaultyAgent().prepare(['pin = { keychain = true }']);
    join(agent, session.environment);
    await agent.start();
    await putIntoKeychain(agent, 'faulty', `touchstone-pin-1 ${'e'.repeat(32)} F0001\n${FAULTY_PIN}`);
    await session.lockKeyring();
    const pin = ['--pin-file', agent.writePin('pin', FAULTY_PIN)];
    const before = agent.logins;
    expect(await codeOf(agent, ['unlock'])).toBe('keychain.locked');
    expect(agent.logins).toBe(before);
    expect(await codeOf(agent, ['pin', 'forget'])).toBe('keychain.locked');
    expect(await codeOf(agent, [...STORE, ...pin])).toBe('keychain.locked');
    expect(await session.secretsOf('touchstone')).toBe(1);
  });

  it('is known by any name of an item', async () => {
    await using session = await DesktopSession.start({ keyring: true });
    const item = { entry: ENTRY, account: `token "\u00fc'\\{}$\u{1f600}" of /home/x y`, timeoutMs: 30_000 };
    await within(session, async () => {
      await writeKeychain(item, Buffer.from('value'));
      await session.lockKeyring();
      expect(await rejectionOf(readKeychain(item))).toMatchObject({ code: 'keychain.locked' });
      expect(await readKeychain({ ...item, account: 'another' })).toBeUndefined();
    });
  });

  it('is not waited for without a limit when its own prompt never comes', async () => {
    const services = { 'org.gnome.keyring.SystemPrompter': '/bin/sleep 600' };
    await using session = await DesktopSession.start({ keyring: true, services });
    const item = { entry: ENTRY, account: 'token x', timeoutMs: 30_000 };
    await within(session, async () => {
      await writeKeychain(item, Buffer.from('value'));
      await session.lockKeyring();
      const late = await rejectionOf(readKeychain({ ...item, timeoutMs: 4_000 }));
      expect(late).toMatchObject({ code: 'keychain.timeout' });
    });
  });
});

/** This process is in the session meanwhile. */
async function within(session: DesktopSession, work: () => Promise<void>): Promise<void> {
  vi.stubEnv('DBUS_SESSION_BUS_ADDRESS', session.environment['DBUS_SESSION_BUS_ADDRESS']);
  try {
    await work();
  } finally {
    vi.unstubAllEnvs();
  }
}

describe('a session without a usable keychain', () => {
  let store: SoftHsmStore;
  let agent: DemoAgent;
  beforeAll(async () => {
    store = new SoftHsmStore('release');
    agent = await agentOver({ name: 'release', store, lines: ['pin = { keychain = true }'] });
    await agent.start();
    await agent.setUpToken();
    await agent.must(['lock']);
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    store[Symbol.dispose]();
  });

  async function restartIn(session: Readonly<Record<string, string>>): Promise<number> {
    await agent.stop();
    join(agent, session);
    return agent.start();
  }

  it.each([['unlock'], STORE])('%s says so where no keyring service runs', async (...argv) => {
    await using session = await DesktopSession.start();
    await restartIn(session.environment);
    const pin = argv[0] === 'pin' ? ['--pin-file', agent.pinFile] : [];
    const refused = await agent.touchstone([...argv, ...pin]);
    expect(refused.status).toBe(4);
    expect(refused.stderr).toContain(
      'asking the keychain: The name org.freedesktop.secrets was not provided',
    );
    expect(refused.stderr).toContain('touchstone unlock --enter-pin');
  });

  it('says so where there is no session bus, and starts none', async () => {
    using folder = new TempFolder();
    await restartIn({ DBUS_SESSION_BUS_ADDRESS: `unix:path=${folder.join('none')}`, HOME: folder.path });
    expect(await codeOf(agent, ['unlock'])).toBe('keychain.unavailable');
  });

  it('gives up a bus that never answers when its caller does', async () => {
    await using bus = await SilentBus.listen();
    const keeper = await restartIn({ DBUS_SESSION_BUS_ADDRESS: bus.address });
    const client = await connectTo(agent);
    const { attempt, asks } = await client.call('unlock.begin', {});
    expect(asks).toBe('keychain');
    const before = processTree(keeper);
    const asking = client.call('unlock.ask', { attempt, place: {} }).catch(() => undefined);
    await expect.poll(() => bus.callers, NOTICED).toBe(1);
    const started = processTree(keeper).filter((pid) => !before.includes(pid));
    expect(started).toHaveLength(1);
    client.close();
    await asking;
    await expect.poll(() => started.filter(isRunning), NOTICED).toEqual([]);
    await expect
      .poll(() => actsNamed(agent.stateDir, 'unlock-refused').at(-1), NOTICED)
      .toMatchObject({ code: 'limits.cancelled', by: 'keychain' });
  });
});

/** Takes connections and says nothing. */
class SilentBus implements AsyncDisposable {
  readonly address: string;
  readonly #folder = new TempFolder();
  readonly #server: Server;
  readonly #open = new Set<Socket>();

  private constructor() {
    this.address = `unix:path=${this.#folder.join('bus')}`;
    this.#server = createServer((socket) => {
      this.#open.add(socket);
      socket.on('error', () => undefined);
    });
  }

  static async listen(): Promise<SilentBus> {
    const bus = new SilentBus();
    await new Promise<void>((resolve) => bus.#server.listen(bus.#folder.join('bus'), resolve));
    return bus;
  }

  get callers(): number {
    return this.#open.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    this.#folder[Symbol.dispose]();
  }
}

describe('the process that speaks to the keychain', () => {
  it.each([
    ['crashes', "process.kill(process.pid, 'SIGSEGV')", 'keychain.unavailable', 'signal SIGSEGV'],
    ['ends without a word', '', 'keychain.unavailable', 'status 0'],
    ['says too much', "process.stdout.write('+'.repeat(5000))", 'keychain.unavailable', 'more than a PIN'],
    ['hangs', 'setInterval(() => 0, 1000)', 'keychain.timeout', 'in time'],
  ])('is outlived when it %s', async (_, body, code, words) => {
    using folder = new TempFolder();
    const entry = folder.join('entry.mjs');
    writeFileSync(entry, body);
    const failed = await rejectionOf(readKeychain({ entry, account: 'token x', timeoutMs: 2_000 }));
    expect(failed).toMatchObject({ code });
    expect(failed.message).toContain(words);
  });
});
