/** Tokens that go away while leases are open, by `on-removal`, and come back. */
import { existsSync, renameSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AgentClient } from '../../src/client/client.js';
import type { Result } from '../../src/protocol/methods.js';
import { connectTo, fileStatement, outcomeOf } from '../support/agent-client.js';
import { actsNamed } from '../support/audit-acts.js';
import type { DemoAgent } from '../support/demo-agent.js';
import { agentOver } from '../support/own-token-agent.js';
import { processTree } from '../support/process-tree.js';
import { SoftHsmStore } from '../support/softhsm-store.js';

const KEY = 'touchstone/release#ssh';
/** Three looks, a second apart, before a token counts as removed; and a machine that is busy. */
const NOTICED = { timeout: 45_000, interval: 100 };

describe.each(['keep', 'lock'] as const)('a token with on-removal = "%s"', (onRemoval) => {
  const store = new SoftHsmStore('release');
  const away = `${store.tokens}-away`;
  let agent: DemoAgent;
  let client: AgentClient;
  beforeAll(async () => {
    agent = await agentOver({ name: 'release', store, lines: [`on-removal = "${onRemoval}"`] });
    await agent.start();
    await agent.setUpToken();
    await agent.derive(KEY);
    await agent.must(['lock']);
    client = await connectTo(agent);
  });
  afterEach(async () => {
    if (existsSync(away)) renameSync(away, store.tokens);
    await client.call('lock', {});
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    store[Symbol.dispose]();
    client.close();
  });

  function outcome(): Promise<string> {
    return outcomeOf(client, fileStatement(KEY, 'content'));
  }

  function status(): Promise<Result<'status'>> {
    return client.call('status', {});
  }

  async function expectAfterRemoval(): Promise<void> {
    if (onRemoval === 'keep') {
      await expect
        .poll(async () => (await status()).tokens[0]?.state, NOTICED)
        .toMatch(/^(absent|degraded)$/);
      expect((await status()).leases).toHaveLength(1);
      expect(await outcome()).toBe('signed');
      return;
    }
    await expect.poll(outcome, NOTICED).toBe('key.locked');
    expect((await status()).leases).toEqual([]);
    await expect
      .poll(() => actsNamed(agent.stateDir, 'lease-end').at(-1), { timeout: 10_000 })
      .toMatchObject({ reason: 'removed' });
  }

  async function expectBack(): Promise<void> {
    renameSync(away, store.tokens);
    await agent.unlock();
    expect(await outcome()).toBe('signed');
    await agent.must(['audit', 'verify']);
  }

  it('is removed and comes back: the same agent unlocks it again', async () => {
    await agent.unlock();
    expect(await outcome()).toBe('signed');
    renameSync(store.tokens, away);
    await expectAfterRemoval();
    expect((await agent.touchstone(['unlock', '--pin-file', agent.pinFile])).status).toBe(4);
    await expectBack();
  });

  it('is watched on after a wrong PIN ended its session', async () => {
    await agent.unlock();
    const wrong = agent.writePin('wrong', '000000');
    expect((await agent.touchstone(['unlock', '--pin-file', wrong])).status).toBe(4);
    expect(await outcome()).toBe('signed');
    renameSync(store.tokens, away);
    await expectAfterRemoval();
    await expectBack();
  });

  it('is watched on after its driver died', async () => {
    await agent.unlock();
    const hosts = processTree(await agent.pid()).slice(2);
    expect(hosts).toHaveLength(1);
    renameSync(store.tokens, away);
    for (const pid of hosts) process.kill(pid, 'SIGKILL');
    await expectAfterRemoval();
    await expectBack();
  });
});
