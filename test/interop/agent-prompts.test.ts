/** PINs that the agent has a person asked for: real pinentries on a real terminal, and scripted ones that say what a test wants. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { actsNamed } from '../support/audit-acts.js';
import { connectTo } from '../support/agent-client.js';
import { TOUCHSTONE, type DemoAgent } from '../support/demo-agent.js';
import { FAULTY_PIN } from '../support/faulty-module.js';
import { FaultyAgent } from '../support/faulty-agent.js';
import { agentOver } from '../support/own-token-agent.js';
import { waitForExit } from '../support/process-tree.js';
import { assuanScript, PromptScript } from '../support/prompt-script.js';
import { rejectionOf } from '../support/rejection.js';
import { PIN, SoftHsmStore } from '../support/softhsm-store.js';
import { TerminalSession } from '../support/terminal-session.js';

/** Starts the agent anew with another `pin`. */
async function askWith(agent: DemoAgent, pin: string): Promise<void> {
  await agent.stop();
  agent.configure((toml) => `${toml.replace(/\npin = .*\n/, '\n').trimEnd()}\npin = ${pin}\n`);
  await agent.start();
}

function unlockOnTerminal(agent: DemoAgent, then = ''): TerminalSession {
  const environment = { ...agent.environment, TERM: 'xterm', GPG_TTY: undefined, DISPLAY: undefined };
  return new TerminalSession(
    `trap : INT; stty cols 100 rows 30; "${process.execPath}" "${TOUCHSTONE}" unlock${then}`,
    environment,
  );
}

describe('a token whose PIN the agent asks for', () => {
  let store: SoftHsmStore;
  let agent: DemoAgent;
  beforeAll(async () => {
    store = new SoftHsmStore('release');
    agent = await agentOver({ name: 'release', store });
    await agent.start();
    await agent.setUpToken();
  });
  beforeEach(async () => {
    await agent.touchstone(['lock']);
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    store[Symbol.dispose]();
  });

  it.each(['"/usr/bin/pinentry-tty"', '"/usr/bin/pinentry-curses"', 'true'])(
    'is unlocked through pinentry = %s on the terminal of who asks',
    async (program) => {
      await askWith(agent, `{ pinentry = ${program} }`);
      await using session = unlockOnTerminal(agent);
      await session.waitFor('PIN:');
      expect(session.shown).toContain('Token "release", serial ');
      expect(session.shown).toMatch(/all\s+tries\s+left/);
      expect(session.shown).toMatch(new RegExp(`uid\\s+${String(process.getuid?.())}`));
      session.type(`${PIN}\r`);
      await session.waitFor('token "release" unlocked');
      expect(await session.ended()).toBe(0);
      expect(session.shown).not.toContain(PIN);
      await expect
        .poll(() => actsNamed(agent.stateDir, 'unlock').at(-1), { timeout: 10_000 })
        .toMatchObject({ token: 'release', by: 'prompt' });
    },
  );

  it.each(['pinentry-tty', 'pinentry-curses'])(
    'leaves a terminal that echoes after ^C at %s',
    async (flavour) => {
      await askWith(agent, `{ pinentry = "/usr/bin/${flavour}" }`);
      await using session = unlockOnTerminal(agent, '; sleep 1; stty -a');
      await session.waitFor('PIN:');
      session.type('\x03');
      await session.ended();
      expect(session.shown).toMatch(/ echo /);
      expect(session.shown).toMatch(/ icanon /);
    },
  );

  it('stays locked when pinentry-curses is cancelled', async () => {
    await askWith(agent, '{ pinentry = "/usr/bin/pinentry-curses" }');
    await using session = unlockOnTerminal(agent);
    await session.waitFor('PIN:');
    session.type('\t\t\r');
    await session.waitFor('the prompt for the PIN was cancelled');
    expect(await session.ended()).toBe(3);
  });

  it('is unlocked through an askpass program, and through none that nobody configured', async () => {
    using script = new PromptScript(`hear(process.argv[2]); console.log('${PIN}')`);
    await askWith(agent, `{ askpass = "${script.path}" }`);
    await agent.must(['unlock', '--key', 'nobody/here#ssh']).catch(() => undefined);
    expect(script.heard).toBe('');
    expect(await agent.must(['unlock', '--kind', 'sshsig:*', '--for', '5m'])).toContain('unlocked');
    expect(script.heard).toContain('Loads every key of the token for sshsig:*, at most 300 s.');
    expect(script.heard).toContain('started by');
    await askWith(agent, `{ file = "${agent.pinFile}" }`);
    using client = await connectTo(agent);
    const { attempt, asks } = await client.call('unlock.begin', {});
    expect(asks).toBeUndefined();
    expect(await rejectionOf(client.call('unlock.ask', { attempt, place: {} }))).toMatchObject({
      code: 'usage.invalid',
    });
  });

  it('is not asked for on a terminal of somebody else, nor on what is none', async () => {
    await askWith(agent, `{ pinentry = true }`);
    using client = await connectTo(agent);
    for (const tty of ['/dev/pts/9999999', '/etc/passwd', '/dev/pts/../mem']) {
      const { attempt } = await client.call('unlock.begin', {});
      const refused = await rejectionOf(client.call('unlock.ask', { attempt, place: { tty } }));
      expect(refused.code).toBe('usage.invalid');
    }
  });

  it('is asked for once at a time, and no longer than somebody waits', async () => {
    using script = assuanScript('');
    await askWith(agent, `{ pinentry = "${script.path}" }`);
    const client = await connectTo(agent);
    const first = await client.call('unlock.begin', {});
    const asking = client.call('unlock.ask', { attempt: first.attempt, place: {} }).catch(() => undefined);
    await expect.poll(() => script.heard, { timeout: 45_000 }).toContain('GETPIN');
    const second = await client.call('unlock.begin', {});
    expect(
      await rejectionOf(client.call('unlock.ask', { attempt: second.attempt, place: {} })),
    ).toMatchObject({
      code: 'token.busy',
    });
    client.close();
    await asking;
    expect(await waitForExit([Number(/pid (\d+)/.exec(script.heard)?.[1])], 5000)).toEqual([]);
    await expect
      .poll(() => actsNamed(agent.stateDir, 'unlock-refused').at(-1), { timeout: 45_000 })
      .toMatchObject({ code: 'limits.cancelled', by: 'prompt' });
  });
});

describe('a PIN counter behind a prompt', () => {
  it('loses one try for each entry, is shown, and is left alone at the last try', async () => {
    using script = assuanScript(
      'D 111111\nOK\n',
      'D 111111\nOK\n',
      'D 222222\nOK\n',
      `D ${FAULTY_PIN}\nOK\n`,
    );
    await using agent = await new FaultyAgent().prepare([`pin = { pinentry = "${script.path}" }`]);
    await agent.start();
    const refused = await agent.touchstone(['unlock']);
    expect(refused.status).toBe(4);
    expect(refused.stderr).toContain('--use-last-try F0001');
    expect(agent.logins).toBe(2);
    expect(script.heard).toContain('FEW TRIES LEFT');
    expect(script.heard).toContain('SETERROR the PIN is wrong.');
    expect(script.heard).toContain('SETERROR this PIN was already refused by the token.');
    expect(script.heard.split('GETPIN')).toHaveLength(4);
    await agent.touchstone(['unlock']);
    expect(agent.logins).toBe(2);
    expect(script.heard.split('GETPIN')).toHaveLength(4);
    await agent.touchstone(['unlock', '--use-last-try', 'F0001']);
    expect(script.heard).toContain('LAST TRY before the PIN locks');
    expect(agent.logins).toBe(3);
  });
});
