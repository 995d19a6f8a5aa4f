/** Processes of the agent that are killed while it works: what goes on, what ends, and what the log says of it. */
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentClient } from '../../src/client/client.js';
import type { Result } from '../../src/protocol/methods.js';
import { connectTo, fileStatement, isSignatureOf, outcomeOf, signOne } from '../support/agent-client.js';
import { auditLines } from '../support/audit-acts.js';
import type { DemoAgent } from '../support/demo-agent.js';
import { agentOver } from '../support/own-token-agent.js';
import { processTree, waitForExit } from '../support/process-tree.js';
import { SoftHsmStore } from '../support/softhsm-store.js';

const KEY = 'touchstone/release#ssh';
const ON_TOKEN = 'touchstone/hardware#ssh';

describe('an agent that loses a process', () => {
  const release = new SoftHsmStore('release');
  const buildhost = new SoftHsmStore('buildhost');
  let agent: DemoAgent;
  const publicKeys = new Map<string, string | undefined>();

  beforeAll(async () => {
    agent = await agentOver({ name: 'release', store: release }, { name: 'buildhost', store: buildhost });
    await agent.start();
    await agent.must(['token', 'setup', '--token', 'release', '--pin-file', agent.pinFile]);
    for (const key of [KEY, ON_TOKEN]) {
      await agent.derive(key);
      const shown = JSON.parse(await agent.must(['key', 'show', key, '--json'])) as Result<'keys.show'>;
      publicKeys.set(key, shown.key.publicKey);
    }
    await agent.must(['key', 'install', ON_TOKEN, '--token', 'buildhost', '--pin-file', agent.pinFile]);
    // With the derivation token locked, this key can only sign on the second token.
    await agent.must(['lock']);
    await agent.must(['unlock', '--token', 'buildhost', '--pin-file', agent.pinFile]);
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    for (const store of [release, buildhost]) store[Symbol.dispose]();
  });

  async function status(): Promise<Result<'status'>> {
    using client = await connectTo(agent);
    return await client.call('status', {});
  }

  /** Keeper, front, then token hosts. */
  async function hosts(): Promise<readonly number[]> {
    const { pid, frontPid } = await status();
    return processTree(pid).filter((each) => each !== pid && each !== frontPid);
  }

  async function killFront(): Promise<void> {
    const { frontPid } = await status();
    process.kill(frontPid, 'SIGKILL');
    await waitForExit([frontPid], 2000);
  }

  /** Asks for one signature after the other; counts those that came, until the connection ends. */
  async function load(client: AgentClient, name: string): Promise<number> {
    let signed = 0;
    for (let n = 0; ; n += 1) {
      const window = Array.from({ length: 16 }, (_, at) =>
        outcomeOf(client, fileStatement(KEY, `${name}-${n}-${at}`)),
      );
      const outcomes = await Promise.all(window);
      signed += outcomes.filter((one) => one === 'signed').length;
      if (outcomes.includes('agent.unreachable')) return signed;
    }
  }

  it('gives no signature to the wrong caller when a token answers orders of a dead front', async () => {
    const [host] = await hosts();
    if (host === undefined) throw new Error('no token host');
    const before = await connectTo(agent);
    const { orders } = await before.call('status', {});
    process.kill(host, 'SIGSTOP');
    const lost = Array.from({ length: 30 }, (_, n) =>
      outcomeOf(before, fileStatement(ON_TOKEN, `lost ${n}`)),
    );
    // Answered after the orders above were taken.
    await before.call('status', {});
    await killFront();
    expect(new Set(await Promise.all(lost))).toEqual(new Set(['agent.unreachable']));
    using after = await connectTo(agent);
    const statements = Array.from({ length: 30 }, (_, n) => fileStatement(ON_TOKEN, `new ${n}`));
    const asked = Promise.all(statements.map((statement) => signOne(after, statement)));
    await delay(100);
    process.kill(host, 'SIGCONT');
    for (const [at, signed] of (await asked).entries()) {
      const statement = statements[at] ?? fileStatement(ON_TOKEN, 'none');
      expect(isSignatureOf(publicKeys.get(ON_TOKEN), statement, signed)).toBe(true);
    }
    // What the token still answered for the dead front ended in the keeper: neither counted nor released.
    expect((await after.call('status', {})).orders.count).toBe(orders.count + 30);
    await agent.must(['audit', 'verify']);
  });

  it('has its front back within a second with the leaves loaded, five times under load', async () => {
    await agent.must(['unlock', '--token', 'release', '--pin-file', agent.pinFile]);
    let released = 0;
    const start = (await status()).orders.count;
    for (let round = 0; round < 5; round += 1) {
      const clients = await Promise.all([connectTo(agent), connectTo(agent)]);
      const loads = clients.map((client, at) => load(client, `${round}-${at}`));
      await delay(150);
      await killFront();
      const killed = performance.now();
      const counts = await Promise.all(loads);
      for (const count of counts) {
        expect(count).toBeGreaterThan(0);
        released += count;
      }
      // Connecting waits in the backlog of the socket, which the keeper never closed.
      using again = await connectTo(agent);
      expect(await outcomeOf(again, fileStatement(KEY, `back ${round}`))).toBe('signed');
      // Loose, for machines that are busy; a front that is punished for having been killed takes longer.
      expect(performance.now() - killed).toBeLessThan(3000);
      released += 1;
    }
    const { orders } = await status();
    const lines = auditLines(agent.stateDir).filter(({ order }) => order !== undefined && order > start);
    const numbers = lines.map(({ order }) => order);
    // Every order has exactly one line, and every released one a `sign` line.
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(lines.filter(({ type }) => type === 'sign').length).toBeGreaterThanOrEqual(released);
    expect(numbers.length).toBe(orders.count - start);
    await agent.must(['audit', 'verify']);
  });

  it('signs on with its leaves when token hosts are killed; keys on the token wait for the next unlock', async () => {
    for (const host of await hosts()) process.kill(host, 'SIGKILL');
    using client = await connectTo(agent);
    await expect
      .poll(async () => (await client.call('status', {})).tokens.map(({ state }) => state))
      .toEqual(['degraded', 'degraded']);
    expect(await outcomeOf(client, fileStatement(KEY, 'leaf'))).toBe('signed');
    const derive = await agent.touchstone(['key', 'derive', '--json', 'touchstone/third#ssh']);
    expect(derive.stdout).toContain('token.locked');
    await agent.must(['lock']);
    await agent.must(['unlock', '--token', 'buildhost', '--pin-file', agent.pinFile]);
    expect(await outcomeOf(client, fileStatement(ON_TOKEN, 'again'))).toBe('signed');
    const [host] = await hosts();
    process.kill(host ?? 0, 'SIGKILL');
    await expect.poll(() => outcomeOf(client, fileStatement(ON_TOKEN, 'gone'))).toBe('key.locked');
    await agent.must(['unlock', '--token', 'buildhost', '--pin-file', agent.pinFile]);
    expect(await outcomeOf(client, fileStatement(ON_TOKEN, 'back'))).toBe('signed');
  });

  it('ends as a whole with its keeper, and starts again over what is left', async () => {
    await agent.must(['unlock', '--token', 'release', '--pin-file', agent.pinFile]);
    const { pid } = await status();
    const all = processTree(pid);
    expect(all).toHaveLength(4);
    const clients = await connectTo(agent);
    const running = load(clients, 'last');
    await delay(100);
    process.kill(pid, 'SIGKILL');
    expect(await waitForExit(all, 3000)).toEqual([]);
    await running;
    expect(existsSync(agent.socket)).toBe(true);
    const stopped = await agent.touchstone(['agent', 'status', '--json']);
    expect(stopped.status).toBe(5);
    expect(stopped.stdout).toContain('agent.unreachable');
    await agent.start();
    await agent.must(['unlock', '--token', 'release', '--pin-file', agent.pinFile]);
    using client = await connectTo(agent);
    expect(await outcomeOf(client, fileStatement(KEY, 'after'))).toBe('signed');
    await agent.must(['audit', 'verify']);
  });
});
