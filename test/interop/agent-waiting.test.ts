/** What the command line says while it waits, and what it shows of tokens that come and go. */
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BackgroundProgram } from '../support/background-program.js';
import { BUSY_KEY, BusyToken } from '../support/busy-token.js';
import { runProgram, TOUCHSTONE, type DemoAgent } from '../support/demo-agent.js';
import { agentOver } from '../support/own-token-agent.js';
import { SoftHsmStore } from '../support/softhsm-store.js';

const NOTICED = { timeout: 45_000, interval: 50 };

describe('a command that signs with a token', () => {
  let token: BusyToken;
  beforeAll(async () => {
    token = await BusyToken.start();
  });
  afterAll(() => token[Symbol.asyncDispose]());

  it('says behind how many it waits, then signs', async () => {
    const { agent } = token;
    const file = path.join(agent.folder, 'file');
    writeFileSync(file, 'content');
    try {
      using _others = await token.occupy();
      await using signing = await BackgroundProgram.start({
        program: process.execPath,
        argv: [TOUCHSTONE, 'sign', 'file', '--key', BUSY_KEY, file],
        environment: agent.environment,
        isReady: (output) => /touchstone: waiting for token "buildhost", behind \d+ others?\n/.test(output),
      });
      expect(existsSync(`${file}.sig`)).toBe(false);
      token.goOn();
      await expect.poll(() => existsSync(`${file}.sig`), NOTICED).toBe(true);
      await expect.poll(() => signing.hasEnded, NOTICED).toBe(true);
    } finally {
      token.goOn();
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
