/** What the command line says while it waits, and what it shows of tokens that come and go. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fileStatement } from '../support/agent-client.js';
import { BackgroundProgram } from '../support/background-program.js';
import { runProgram, TOUCHSTONE, type DemoAgent } from '../support/demo-agent.js';
import { agentOver } from '../support/own-token-agent.js';
import { processTree } from '../support/process-tree.js';
import { RawConnection } from '../support/raw-connection.js';
import { SoftHsmStore } from '../support/softhsm-store.js';

/** The driver gets at most so many jobs at once; more stand in the queue. */
const BUSY = 40;
const NOTICED = { timeout: 45_000, interval: 50 };

describe('a command that signs with a token', () => {
  const KEY = 'touchstone/slow#ssh';
  const release = new SoftHsmStore('release');
  const buildhost = new SoftHsmStore('buildhost');
  let agent: DemoAgent;
  let hosts: readonly number[] = [];
  beforeAll(async () => {
    agent = await agentOver({ name: 'release', store: release }, { name: 'buildhost', store: buildhost });
    const keeper = await agent.start();
    await agent.must(['token', 'setup', '--token', 'release', '--pin-file', agent.pinFile]);
    await agent.derive(KEY);
    await agent.must(['key', 'install', KEY, '--token', 'buildhost', '--pin-file', agent.pinFile]);
    await agent.must(['lock']);
    await agent.must(['unlock', '--token', 'buildhost', '--pin-file', agent.pinFile]);
    hosts = processTree(keeper).filter((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('tokenhost.js'),
    );
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    for (const store of [release, buildhost]) store[Symbol.dispose]();
  });

  it('says behind how many it waits, then signs', async () => {
    const file = path.join(agent.folder, 'file');
    writeFileSync(file, 'content');
    using client = await RawConnection.open(agent.socket);
    for (const pid of hosts) process.kill(pid, 'SIGSTOP');
    try {
      const { kind, payload } = fileStatement(KEY, 'x');
      const requests = [{ key: KEY, kind, payload: Buffer.from(payload).toString('base64') }];
      for (let id = 1; id <= BUSY; id += 1)
        client.send({ jsonrpc: '2.0', id, method: 'sign', params: { requests, timeoutMs: 60_000 } });
      await using signing = await BackgroundProgram.start({
        program: process.execPath,
        argv: [TOUCHSTONE, 'sign', 'file', '--key', KEY, file],
        environment: agent.environment,
        isReady: (output) => /touchstone: waiting for token "buildhost", behind \d+ others?\n/.test(output),
      });
      expect(existsSync(`${file}.sig`)).toBe(false);
      for (const pid of hosts) process.kill(pid, 'SIGCONT');
      await expect.poll(() => existsSync(`${file}.sig`), NOTICED).toBe(true);
      await expect.poll(() => signing.hasEnded, NOTICED).toBe(true);
    } finally {
      for (const pid of hosts) process.kill(pid, 'SIGCONT');
    }
  });
});

describe('token list --watch', () => {
  const store = new SoftHsmStore('release');
  const away = `${store.tokens}-away`;
  let agent: DemoAgent;
  beforeAll(async () => {
    agent = await agentOver({ name: 'release', store, lines: ['on-removal = "lock"'] });
    await agent.start();
    await agent.setUpToken();
    await agent.must(['lock']);
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    store[Symbol.dispose]();
  });

  function watch(...flags: readonly string[]): Promise<BackgroundProgram> {
    return BackgroundProgram.start({
      program: process.execPath,
      argv: [TOUCHSTONE, 'token', 'list', '--watch', ...flags],
      environment: agent.environment,
      isReady: (output) => output.includes('release'),
    });
  }

  it('shows leases, removal and return as they happen', async () => {
    await using watching = await watch();
    expect(watching.output).toMatch(/^TOKEN +STATE/);
    const shown = (words: string): Promise<void> =>
      expect.poll(() => watching.output, NOTICED).toContain(` release: ${words}`);
    await agent.unlock();
    await shown('unlocked, was present');
    await shown('a lease began, until 20');
    renameSync(store.tokens, away);
    await shown('a lease ended (removed)');
    await shown('absent, was ');
    renameSync(away, store.tokens);
    await shown('present, was absent');
    expect(watching.hasEnded).toBe(false);
  });

  it('gives one document a line with --json', async () => {
    await using watching = await watch('--json');
    await agent.unlock();
    await agent.must(['lock']);
    await expect.poll(() => watching.output, NOTICED).toContain('"what":"locked"');
    const documents = watching.output
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(documents[0]).toMatchObject({ tokens: [{ name: 'release' }] });
    expect(documents).toContainEqual(
      expect.objectContaining({ token: 'release', what: 'locked', reason: 'locked' }),
    );
  });

  it('ends with its reader, and with the agent', async () => {
    const line = `"${process.execPath}" "${TOUCHSTONE}" token list --watch | head -n 1`;
    const noise = { goesOn: true };
    const read = runProgram('sh', ['-c', line], { environment: agent.environment }).finally(() => {
      noise.goesOn = false;
    });
    await using watching = await watch();
    // Nobody notices that a reader went away before there is something to say.
    while (noise.goesOn) {
      await agent.unlock();
      await agent.must(['lock']);
    }
    expect((await read).stdout).toMatch(/^TOKEN +STATE.*\n$/);
    await agent.stop();
    await expect.poll(() => watching.hasEnded, NOTICED).toBe(true);
    expect(watching.output).toMatch(/the agent is stopping|the connection to the agent/);
  });
});
