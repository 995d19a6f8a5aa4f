/** ^C at a command: what it waited for is taken back at the agent before the command is gone. */
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { actsNamed, auditLines } from '../support/audit-acts.js';
import { BackgroundProgram } from '../support/background-program.js';
import { BUSY_KEY, BUSY_ORDERS, BusyToken } from '../support/busy-token.js';
import { TOUCHSTONE, type DemoAgent } from '../support/demo-agent.js';
import { agentOver } from '../support/own-token-agent.js';
import { isRunning, processTree } from '../support/process-tree.js';
import { assuanScript, PromptScript } from '../support/prompt-script.js';
import { SoftHsmStore } from '../support/softhsm-store.js';

const NOTICED = { timeout: 20_000, interval: 50 };

function start(
  agent: DemoAgent,
  argv: readonly string[],
  isReady: (output: string) => boolean,
): Promise<BackgroundProgram> {
  return BackgroundProgram.start({
    program: process.execPath,
    argv: [TOUCHSTONE, ...argv],
    environment: { ...agent.environment, GPG_TTY: undefined, DISPLAY: undefined },
    isReady,
  });
}

describe('an unlock that is interrupted at its prompt', () => {
  let store: SoftHsmStore;
  let agent: DemoAgent;
  beforeAll(async () => {
    store = new SoftHsmStore('release');
    agent = await agentOver({ name: 'release', store });
    await agent.start();
    await agent.setUpToken();
  });
  beforeEach(async () => {
    await agent.stop();
    agent.configure((toml) => toml.replace(/\npin = .*\n/, '\n'));
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    store[Symbol.dispose]();
  });

  const stubborn = `hear('pid ' + process.pid + '\\nGETPIN'); process.on('SIGTERM', () => 0); setInterval(() => 0, 1000)`;
  it.each([
    ['pinentry', () => assuanScript('')],
    ['askpass', () => new PromptScript(stubborn)],
  ])('has the %s closed before it ends itself', async (source, prompt) => {
    using script = prompt();
    agent.configure((toml) => `${toml.trimEnd()}\npin = { ${source} = "${script.path}" }\n`);
    await agent.start();
    const before = actsNamed(agent.stateDir, 'unlock-refused').length;
    await using unlocking = await start(agent, ['unlock'], () => script.heard.includes('GETPIN'));
    const pid = Number(/pid (\d+)/.exec(script.heard)?.[1]);
    expect(isRunning(pid)).toBe(true);
    await unlocking.stop('SIGINT');
    expect(isRunning(pid)).toBe(false);
    expect(unlocking.output).toContain('the request was cancelled');
    expect(actsNamed(agent.stateDir, 'unlock-refused').slice(before)).toMatchObject([
      { code: 'limits.cancelled', by: 'prompt' },
    ]);
  });

  it('ends also where the agent does not answer any more', async () => {
    using script = assuanScript('');
    agent.configure((toml) => `${toml.trimEnd()}\npin = { pinentry = "${script.path}" }\n`);
    const keeper = await agent.start();
    await using unlocking = await start(agent, ['unlock'], () => script.heard.includes('GETPIN'));
    const all = processTree(keeper);
    for (const pid of all) process.kill(pid, 'SIGSTOP');
    try {
      await unlocking.stop('SIGINT');
      expect(unlocking.output).not.toContain('unlocked');
    } finally {
      for (const pid of all) process.kill(pid, 'SIGCONT');
    }
    const prompt = Number(/pid (\d+)/.exec(script.heard)?.[1]);
    await expect.poll(() => isRunning(prompt), NOTICED).toBe(false);
  });
});

describe('a signature that is interrupted in the queue of its token', () => {
  let token: BusyToken;
  beforeAll(async () => {
    token = await BusyToken.start();
  });
  afterAll(() => token[Symbol.asyncDispose]());

  it('leaves the queue, and nothing is signed for it', async () => {
    const { agent } = token;
    const file = path.join(agent.folder, 'file');
    writeFileSync(file, 'content');
    using _others = await token.occupy();
    try {
      await using signing = await start(agent, ['sign', 'file', '--key', BUSY_KEY, file], (output) =>
        output.includes('waiting for token "buildhost"'),
      );
      await signing.stop('SIGINT');
      expect(signing.output).toContain('the request was cancelled');
      const refusals = auditLines(agent.stateDir).filter(({ type }) => type === 'refuse');
      expect(refusals.map(({ code }) => code)).toEqual(['limits.cancelled']);
    } finally {
      token.goOn();
    }
    const signed = (): number =>
      auditLines(agent.stateDir).filter(
        ({ type, key }) => type === 'sign' && key?.startsWith(BUSY_KEY) === true,
      ).length;
    await expect.poll(signed, NOTICED).toBe(BUSY_ORDERS);
    expect(existsSync(`${file}.sig`)).toBe(false);
  });
});
