/** An agent that finds its files damaged, foreign, too new or too old refuses to start, says which file, and changes none of them. */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  runProgram,
  startDemoAgent,
  TOUCHSTONE,
  type CommandResult,
  type DemoAgent,
} from '../support/demo-agent.js';
import { TempFolder } from '../support/temp-folder.js';

const KEY = 'touchstone/release#ssh';
const READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"';

describe('state files of an agent', () => {
  let agent: DemoAgent;
  let saved: TempFolder;
  /** The keyring before its last change. */
  let older: string;

  beforeAll(async () => {
    agent = await startDemoAgent();
    await agent.derive('acme/first#ssh');
    older = readFileSync(file('keyring.json'), 'utf8');
    await agent.derive(KEY);
    // Something with limits, so that there is a usage file.
    const limited = readFileSync(agent.policyFile, 'utf8').replace(
      'keys = ["*#ssh"]\n',
      'keys = ["*#ssh"]\nlimits = { count = 100 }\n',
    );
    expect(limited).toContain('count = 100');
    writeFileSync(agent.policyFile, limited);
    await agent.stop();
    await agent.start();
    await agent.unlock();
    await agent.must(['sign', 'file', '--key', KEY, '--output', '-', '-'], { input: 'x' });
    await agent.must(['lock']);
    expect(await agent.stop()).toEqual([]);
    saved = new TempFolder();
    cpSync(agent.stateDir, saved.path, { recursive: true });
    cpSync(agent.configFile, `${saved.path}/touchstone.toml`);
  });
  afterAll(async () => {
    saved[Symbol.dispose]();
    await agent[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    rmSync(agent.stateDir, { recursive: true });
    cpSync(saved.path, agent.stateDir, { recursive: true });
    cpSync(`${saved.path}/touchstone.toml`, agent.configFile);
  });

  function file(name: string): string {
    return path.join(agent.stateDir, name);
  }

  async function startFails(): Promise<CommandResult> {
    const result = await agent.touchstone(['agent', 'start', '--allow-root', '--timeout', '4']);
    if (result.status === 0) await agent.stop();
    expect(result.status).not.toBe(0);
    expect(result.stderr).toMatch(/^touchstone: error: starting the agent: .+\nhint: .+\n$/);
    return result;
  }

  it('starts with the files as they were (control)', async () => {
    await agent.start();
    await agent.unlock();
    expect(await agent.stop()).toEqual([]);
  });

  it.each(['keyring.json', 'usage.json', 'pin-ledger.json', 'audit-head.json'])(
    'does not start with a %s of another version, or one that is damaged, and leaves it alone',
    async (name) => {
      const text = readFileSync(file(name), 'utf8');
      const versions = text.replace(/"version": ?\d/, '"version":99');
      expect(versions).not.toBe(text);
      for (const [bad, said] of [
        [versions, /99|another release/],
        [text.slice(0, text.length / 2), new RegExp(path.parse(name).name)],
        ['', new RegExp(path.parse(name).name)],
        ['\u0000'.repeat(text.length), new RegExp(path.parse(name).name)],
      ] as const) {
        writeFileSync(file(name), bad);
        const { stderr } = await startFails();
        expect(stderr, JSON.stringify(bad.slice(0, 40))).toContain(path.parse(name).name);
        expect(stderr).toMatch(said);
        expect(readFileSync(file(name), 'utf8')).toBe(bad);
      }
    },
  );

  it('does not start with a keyring that was changed by hand', async () => {
    const keyring = JSON.parse(readFileSync(file('keyring.json'), 'utf8')) as {
      records: { payload: string };
    };
    const records = Buffer.from(keyring.records.payload, 'base64')
      .toString()
      .replace('acme/first', 'acme/third');
    keyring.records.payload = Buffer.from(records).toString('base64');
    writeFileSync(file('keyring.json'), JSON.stringify(keyring));
    expect((await startFails()).stderr).toMatch(/not signed|signature/);
  });

  it('does not start with a keyring that is older than the one it has used, or with none', async () => {
    writeFileSync(file('keyring.json'), older);
    expect((await startFails()).stderr).toContain('put the newest keyring.json back');
    rmSync(file('keyring.json'));
    expect((await startFails()).stderr).toContain('keyring.json');
  });

  it('does not unlock with the keyring of another token', async () => {
    const other = await startDemoAgent();
    try {
      await other.stop();
      for (const name of ['keyring.json', 'keyring-seen.json'])
        cpSync(path.join(other.stateDir, name), file(name));
      await agent.start();
      const result = await agent.touchstone(['unlock', '--pin-file', agent.pinFile, '--json']);
      expect(result.status).toBe(4);
      expect(result.stdout).toMatch(/"code": "keyring.other-token"/);
      const key = await agent.touchstone(['key', 'derive', KEY]);
      expect(key.status).not.toBe(0);
    } finally {
      await agent.stop();
      await other[Symbol.asyncDispose]();
    }
  });

  it('does not start in a state folder that it cannot write', async () => {
    const run = [process.execPath, TOUCHSTONE, 'agent', 'run', '--allow-root'];
    const result = await runProgram('unshare', ['-m', 'sh', '-c', READ_ONLY, 'sh', agent.stateDir, ...run], {
      environment: agent.environment,
      timeoutMs: 8000,
    });
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/touchstone: error: .*(state|lock).*\nhint: .*writable/);
  });

  it('does not start in a state folder that is open to others', async () => {
    const result = await agent.touchstone(['agent', 'start', '--allow-root']);
    expect(result.status).toBe(0);
    await agent.stop();
    await runProgram('chmod', ['755', agent.stateDir]);
    expect((await startFails()).stderr).toContain('chmod 0700');
    await runProgram('chmod', ['700', agent.stateDir]);
  });

  it.each<[what: string, from: string | RegExp, to: string, said: RegExp]>([
    ['no TOML', 'version = 1', 'version = = 1', /line 4, column 1[01]/],
    ['an unknown field', '# allow-uids = []', 'alow-uids = []', /line \d+, column 1: .*alow-uids/],
    [
      'a relative module',
      '"/usr/lib/softhsm/libsofthsm2.so"',
      '"softhsm2.so"',
      /line \d+, column \d+: .*absolute path/,
    ],
    ['a relative socket', /# socket = .*/, 'socket = "agent.sock"', /line \d+, column \d+: .*absolute path/],
    [
      'a PIN in the URI',
      'uri = "pkcs11:token=release"',
      'uri = "pkcs11:token=release?pin-value=1234"',
      /PIN must not stand/,
    ],
    ['a loader variable', 'env = { ', 'env = { LD_PRELOAD = "/x.so", ', /LD_PRELOAD/],
    ['a negative time', '# default-seconds = 28800', 'default-seconds = -1', /default-seconds/],
    ['another version', 'version = 1', 'version = 7', /version/],
  ])(
    'does not start with a configuration that has %s, and names the place',
    async (_what, from, to, said) => {
      agent.configure((toml) => toml.replace(from, to));
      const { stderr } = await startFails();
      expect(stderr).toMatch(said);
      expect(stderr).not.toContain('1234');
      const shown = await agent.touchstone(['config', 'show']);
      expect(shown.status).toBe(2);
      expect(shown.stderr).toMatch(said);
    },
  );
});
