/** Leases of a running agent: what they cover, how they end, and that nothing slips through while they do. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { AgentClient } from '../../src/client/client.js';
import { signStatements } from '../../src/client/signer.js';
import { unlockToken } from '../../src/client/unlock.js';
import type { Result } from '../../src/protocol/methods.js';
import { connectTo, fileStatement, outcomeOf } from '../support/agent-client.js';
import { actsNamed, auditLines } from '../support/audit-acts.js';
import type { DemoAgent } from '../support/demo-agent.js';
import { agentOver } from '../support/own-token-agent.js';
import { rejectionOf } from '../support/rejection.js';
import { isRunning, processTree } from '../support/process-tree.js';
import { PIN, SoftHsmStore } from '../support/softhsm-store.js';

const KEY = 'touchstone/release#ssh';
const OTHER = 'touchstone/other#ssh';
const ON_TOKEN = 'touchstone/hardware#ssh';

describe('a lease', () => {
  const release = new SoftHsmStore('release');
  const buildhost = new SoftHsmStore('buildhost');
  let agent: DemoAgent;
  let client: AgentClient;

  beforeAll(async () => {
    agent = await agentOver({ name: 'release', store: release }, { name: 'buildhost', store: buildhost });
    await agent.start();
    await agent.must(['token', 'setup', '--token', 'release', '--pin-file', agent.pinFile]);
    for (const key of [KEY, OTHER, ON_TOKEN]) await agent.derive(key);
    await agent.must(['key', 'install', ON_TOKEN, '--token', 'buildhost', '--pin-file', agent.pinFile]);
    await agent.must(['lock']);
    client = await connectTo(agent);
  });
  afterEach(async () => {
    await agent.must(['lock']);
    expect(await outcome(KEY)).toBe('key.locked');
    await agent.must(['audit', 'verify']);
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    for (const store of [release, buildhost]) store[Symbol.dispose]();
    client.close();
  });

  function outcome(key: string, content = 'content', namespace = 'file'): Promise<string> {
    return outcomeOf(client, fileStatement(key, content, namespace));
  }

  function status(): Promise<Result<'status'>> {
    return client.call('status', {});
  }

  it('is good for exactly as many signatures as it says, however many ask at once', async () => {
    await agent.unlock(['--token', 'release', '--uses', '20']);
    const clients = await Promise.all(Array.from({ length: 4 }, () => connectTo(agent)));
    try {
      const asked = clients.flatMap((each, at) =>
        Array.from({ length: 16 }, (_, n) => outcomeOf(each, fileStatement(KEY, `${at}-${n}`))),
      );
      const outcomes = await Promise.all(asked);
      expect(outcomes.filter((one) => one === 'signed')).toHaveLength(20);
      const refused = outcomes.filter((one) => one !== 'signed');
      for (const code of refused) expect(['lease.uses', 'key.locked']).toContain(code);
    } finally {
      for (const each of clients) each.close();
    }
    await expect.poll(async () => (await status()).leases).toEqual([]);
    await expect
      .poll(() => actsNamed(agent.stateDir, 'lease-end').at(-1), { timeout: 10_000 })
      .toMatchObject({ reason: 'uses' });
  });

  it('does not release a part of a batch that it cannot sign whole', async () => {
    await agent.unlock(['--token', 'release', '--uses', '5']);
    const batch = Array.from({ length: 8 }, (_, n) => fileStatement(KEY, `batch ${n}`));
    const before = auditLines(agent.stateDir).length;
    const error = await rejectionOf(signStatements(client, batch, 10_000));
    expect(error.code).toBe('lease.uses');
    await expect.poll(async () => (await status()).leases).toEqual([]);
    const types = auditLines(agent.stateDir)
      .slice(before)
      .map(({ type }) => type);
    expect(types).toContain('refuse');
    expect(types.filter((type) => type === 'sign' || type === 'unreleased')).toHaveLength(5);
  });

  it('covers the keys and the kinds it names, and no others', async () => {
    await agent.unlock(['--token', 'release', '--key', KEY]);
    expect([await outcome(KEY), await outcome(OTHER)]).toEqual(['signed', 'key.locked']);
    await agent.must(['lock']);
    await agent.unlock(['--token', 'release', '--kind', 'sshsig:git']);
    expect(await outcome(KEY, 'x', 'git')).toBe('signed');
    expect(await outcome(KEY, 'x', 'file')).toBe('lease.kind');
    // A second lease adds to the first; the first does not limit it.
    await agent.unlock(['--token', 'release', '--key', KEY, '--kind', 'sshsig:file']);
    expect(await outcome(KEY, 'x', 'file')).toBe('signed');
    expect(await outcome(OTHER, 'x', 'file')).toBe('lease.kind');
  });

  it('ends by itself, seals the log, and takes the session of the token with it', async () => {
    await agent.unlock(['--token', 'release', '--for', '2s']);
    expect(await outcome(KEY)).toBe('signed');
    await expect.poll(() => outcome(KEY), { timeout: 8000, interval: 50 }).not.toBe('signed');
    expect(['lease.expired', 'key.locked']).toContain(await outcome(KEY));
    await expect
      .poll(() => actsNamed(agent.stateDir, 'lease-end').at(-1), { timeout: 10_000 })
      .toMatchObject({
        reason: 'expired',
        token: 'release',
      });
    const lines = auditLines(agent.stateDir);
    const end = lines.findLastIndex((line) => line.act === 'lease-end');
    await expect
      .poll(() =>
        auditLines(agent.stateDir)
          .slice(end)
          .some(({ type }) => type === 'checkpoint'),
      )
      .toBe(true);
    await expect
      .poll(async () => (await status()).tokens[0])
      .toMatchObject({ name: 'release', state: 'present' });
    expect((await status()).keys.loaded).toBe(0);
  });

  it('may be as long as the configuration allows, no longer', async () => {
    await agent.unlock(['--token', 'release', '--for', '30d']);
    const [lease] = (await status()).leases;
    const seconds = (Date.parse(lease?.expiresAt ?? '') - Date.now()) / 1000;
    expect(seconds).toBeGreaterThan(86_000);
    expect(seconds).toBeLessThanOrEqual(86_400);
  });

  it('is neither ended nor extended by a wrong PIN', async () => {
    await agent.unlock(['--token', 'release', '--for', '1h']);
    const { leases } = await status();
    const wrong = agent.writePin('wrong', '000000');
    const refused = await agent.touchstone(['unlock', '--token', 'release', '--json', '--pin-file', wrong]);
    expect(refused.stdout).toContain('token.pin-incorrect');
    expect((await status()).leases).toEqual(leases);
    expect(await outcome(KEY)).toBe('signed');
    // What needs the token needs the PIN again.
    expect((await agent.touchstone(['key', 'derive', '--json', 'touchstone/third#ssh'])).stdout).toContain(
      'token.locked',
    );
    await agent.unlock(['--token', 'release', '--for', '1h']);
    expect((await status()).leases).toHaveLength(2);
  });

  it.each([
    { token: 'release', key: KEY },
    { token: 'buildhost', key: ON_TOKEN },
  ])('that is locked under load signs nothing afterwards ($token)', async ({ token, key }) => {
    await agent.unlock(['--token', token]);
    const asked = Array.from({ length: 240 }, (_, n) => outcome(key, `${token} ${n}`));
    await asked[0];
    const other = await connectTo(agent);
    await other.call('lock', {});
    const late = Array.from({ length: 10 }, (_, n) => outcomeOf(other, fileStatement(key, `late ${n}`)));
    expect([...new Set(await Promise.all(late))]).toEqual(['key.locked']);
    other.close();
    const outcomes = new Set(await Promise.all(asked));
    const allowed = ['signed', 'key.locked', 'token.locked', 'token.host-crashed'];
    expect(outcomes).toContain('signed');
    for (const each of outcomes) expect(allowed).toContain(each);
  });

  /** Unlocks all keys of the derivation token over `client`; `meanwhile` runs when the PIN is asked for. */
  function unlockAll(meanwhile: () => void = () => undefined): Promise<Result<'unlock.finish'>> {
    const readPin = (): Promise<Buffer> => {
      meanwhile();
      return Promise.resolve(Buffer.from(PIN));
    };
    return unlockToken(client, { token: 'release', readPin, lease: {}, timeoutMs: 20_000 });
  }

  it('does not begin when a lock came while its unlock was under way', async () => {
    const { pid, frontPid } = await status();
    let hosts: readonly number[] = [];
    const unlocking = rejectionOf(
      unlockAll(() => {
        hosts = processTree(pid).filter((each) => each !== pid && each !== frontPid);
        for (const host of hosts) process.kill(host, 'SIGSTOP');
      }),
    );
    await vi.waitFor(() => {
      expect(hosts).toHaveLength(1);
    });
    // The PIN has been sent to a driver that does not answer yet.
    await delay(200);
    await client.call('lock', {});
    for (const host of hosts.filter(isRunning)) process.kill(host, 'SIGCONT');
    expect((await unlocking).code).toBe('token.host-crashed');
    expect((await status()).leases).toEqual([]);
    await unlockAll();
    expect(await outcome(KEY)).toBe('signed');
  });

  it('that begins while another ends has its keys loaded', async () => {
    for (let n = 0; n < 20; n += 1) {
      if (n === 0) await unlockAll();
      await client.call('keys.derive', { key: `touchstone/release#ssh:${n + 1}` });
    }
    await agent.must(['lock']);
    for (let round = 0; round < 6; round += 1) {
      await agent.unlock(['--token', 'release', '--uses', '1', '--key', KEY]);
      // The last use, and with it the end of the first lease, falls somewhere into the second unlock.
      const [first] = await Promise.all([delay(40 * round).then(() => outcome(KEY)), unlockAll()]);
      expect(first).toBe('signed');
      expect(await outcome(KEY, `round ${round}`)).toBe('signed');
      await client.call('lock', {});
    }
  });
});
