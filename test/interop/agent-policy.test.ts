/** The policy as a running agent keeps it: deny by default, limits that nothing forgets, mistakes that change nothing. */
import { readFileSync, writeFileSync, chmodSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Result } from '../../src/protocol/methods.js';
import { fileStatement } from '../support/agent-client.js';
import { startDemoAgent, type DemoAgent } from '../support/demo-agent.js';
import { isRunning, waitForExit } from '../support/process-tree.js';
import { outcomeOf, RawConnection, type RawReply } from '../support/raw-connection.js';

const KEY = 'touchstone/release#ssh';
const OTHER = 'acme/app#ssh';
const HEAD = 'version = 1\n';

interface RuleText {
  readonly id: string;
  readonly kinds: string;
  readonly keys: string;
  readonly rest: string;
}

function rule({ id, kinds, keys, rest }: RuleText): string {
  return `\n[[rule]]\nid = "${id}"\nkinds = ["${kinds}"]\nkeys = ["${keys}"]\n${rest}\n`;
}

describe('policy', () => {
  let agent: DemoAgent;
  let client: RawConnection;

  beforeAll(async () => {
    agent = await startDemoAgent();
    for (const key of [KEY, OTHER]) await agent.derive(key);
  });
  afterAll(async () => {
    client[Symbol.dispose]();
    await agent[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    client = await RawConnection.open(agent.socket);
    await client.call('events.subscribe', {});
  });

  /** Writes the policy and waits until the agent has read it. */
  async function setPolicy(text: string): Promise<RawReply> {
    writeFileSync(agent.policyFile, text);
    return client.nextWhere((reply) => reply.params?.event === 'policy');
  }

  async function sign(key: string, namespace = 'file', count = 1): Promise<string> {
    const { kind, payload } = fileStatement(key, 'x', namespace);
    const request = { key, kind, payload: Buffer.from(payload).toString('base64') };
    return outcomeOf(await client.call('sign', { requests: Array.from({ length: count }, () => request) }));
  }

  async function status(): Promise<Result<'status'>> {
    return (await client.call('status', {})).result as Result<'status'>;
  }

  it('denies everything when it is empty', async () => {
    expect(await sign(KEY)).toBe('ok');
    await setPolicy(HEAD);
    expect(await sign(KEY)).toBe('policy.denied');
    await agent.must(['key', 'list']);
  });

  it.each([
    ['text that is not TOML', `${HEAD}[[rule]\n`, /line 2, column 8: /],
    [
      'a field nobody knows',
      `${HEAD}${rule({ id: 'a', kinds: '*', keys: '*', rest: 'alow = true' })}`,
      /line 7, column 1: .*alow/,
    ],
    [
      'neither allow nor deny',
      `${HEAD}${rule({ id: 'a', kinds: '*', keys: '*', rest: '' })}`,
      /line 3, column 1: /,
    ],
    ['another version', 'version = 2\n', /line 1, column 1: version/],
    ['nothing', '', /version/],
  ])(
    'stays what it was after %s, and the mistake is told with line and column',
    async (_what, text, where) => {
      await setPolicy(HEAD + rule({ id: 'good', kinds: 'sshsig:file', keys: KEY, rest: 'allow = true' }));
      expect(await sign(KEY)).toBe('ok');
      const event = await setPolicy(text);
      expect(event.params?.['problem']).toMatchObject({ code: 'policy.invalid' });
      expect(await sign(KEY)).toBe('ok');
      expect(await sign(OTHER)).toBe('policy.denied');
      const { problem } = (await status()).policy;
      expect(problem?.message).toMatch(where);
      const check = await agent.touchstone(['policy', 'check']);
      expect(check.status).toBe(2);
      expect(check.stderr).toMatch(where);
      const doctor = await agent.touchstone(['doctor']);
      expect(doctor.stdout).toMatch(/^fail +policy in force: .*refused/m);
      expect(doctor.stdout).toMatch(where);
      expect(await agent.must(['agent', 'status'])).toMatch(where);
    },
  );

  it('is refused when others could have written it, and the one before stays', async () => {
    const text = HEAD + rule({ id: 'good', kinds: 'sshsig:file', keys: KEY, rest: 'allow = true' });
    await setPolicy(text);
    chmodSync(agent.policyFile, 0o666);
    const event = await setPolicy(text.replace(KEY, OTHER));
    expect(JSON.stringify(event.params)).toContain('can be changed by others');
    expect(await sign(KEY)).toBe('ok');
    expect(await sign(OTHER)).toBe('policy.denied');
    chmodSync(agent.policyFile, 0o600);
    await setPolicy(text.replace(KEY, OTHER));
    expect(await sign(OTHER)).toBe('ok');
  });

  it('is read again on SIGHUP, which also locks', async () => {
    const pid = await agent.pid();
    process.kill(pid, 'SIGHUP');
    const locked = await client.nextWhere((reply) => reply.params?.event === 'locked');
    expect(locked.params).toMatchObject({ token: 'release', reason: 'hangup' });
    expect(await sign(OTHER)).toBe('key.locked');
    await agent.unlock();
    expect(await sign(OTHER)).toBe('ok');
  });

  it('explains exactly what it does', async () => {
    const rules = [
      rule({ id: 'frozen', kinds: '*', keys: 'acme/*', rest: 'deny = true' }),
      rule({ id: 'git', kinds: 'sshsig:git', keys: '*#ssh', rest: 'allow = true' }),
      rule({ id: 'twice', kinds: 'sshsig:file', keys: KEY, rest: 'allow = true\nlimits = { count = 2 }' }),
      rule({
        id: 'past',
        kinds: 'sshsig:old',
        keys: KEY,
        rest: 'allow = true\nlimits = { until = 2020-01-01T00:00:00Z }',
      }),
      rule({ id: 'consent', kinds: 'sshsig:ask', keys: KEY, rest: 'allow = true\nconfirm = true' }),
      rule({ id: 'nobody', kinds: 'sshsig:mail', keys: KEY, rest: 'allow = true\nwho = { uid = 65534 }' }),
    ];
    await setPolicy(HEAD + rules.join(''));
    const table: [key: string, namespace: string][] = [];
    for (const key of [KEY, OTHER])
      for (const namespace of ['file', 'git', 'old', 'ask', 'mail', 'none']) table.push([key, namespace]);
    // Three rounds: the limit of "twice" runs out on the way.
    const allowed: string[] = [];
    for (const [key, namespace] of [...table, ...table, ...table]) {
      const reply = await client.call('policy.explain', { key, kind: `sshsig:${namespace}` });
      const { outcome, rule: named } = reply.result as Result<'policy.explain'>;
      const happened = await sign(key, namespace);
      expect([key, namespace, outcome]).toEqual([key, namespace, happened === 'ok' ? 'allow' : 'deny']);
      if (happened === 'ok') allowed.push(String(named));
      else expect(happened).toMatch(/^policy\./);
    }
    expect(allowed.filter((id) => id === 'twice')).toHaveLength(2);
    expect(allowed.filter((id) => id === 'git')).toHaveLength(3);
    expect(allowed).toHaveLength(5);
  });

  it('counts a batch whole: more than what is left signs nothing', async () => {
    const limits = 'allow = true\nlimits = { count = 10 }';
    await setPolicy(HEAD + rule({ id: 'ten', kinds: 'sshsig:file', keys: KEY, rest: limits }));
    expect(await sign(KEY, 'file', 8)).toBe('ok');
    expect(await sign(KEY, 'file', 3)).toBe('policy.limit');
    expect(await sign(KEY, 'file', 2)).toBe('ok');
    expect(await sign(KEY)).toBe('policy.limit');
  });

  it('keeps its counts over a killed front, a killed agent and a restart', { timeout: 120_000 }, async () => {
    const limits = 'allow = true\nlimits = { count = 5, per_hour = 4 }';
    await setPolicy(HEAD + rule({ id: 'five', kinds: 'sshsig:file', keys: OTHER, rest: limits }));
    expect(await sign(OTHER, 'file', 2)).toBe('ok');

    const { frontPid, pid } = await status();
    process.kill(frontPid, 'SIGKILL');
    await client.closed;
    client = await RawConnection.open(agent.socket);
    expect(isRunning(frontPid)).toBe(false);
    expect(await sign(OTHER)).toBe('ok');

    process.kill(pid, 'SIGKILL');
    expect(await waitForExit([pid], 5000)).toEqual([]);
    await agent.start();
    await agent.unlock();
    client = await RawConnection.open(agent.socket);
    expect(await sign(OTHER)).toBe('ok');
    expect(await sign(OTHER)).toBe('policy.limit');

    expect(await agent.stop()).toEqual([]);
    await agent.start();
    await agent.unlock();
    client = await RawConnection.open(agent.socket);
    expect(await sign(OTHER)).toBe('policy.limit');
    const explained = await agent.must(['policy', 'explain', '--key', OTHER, '--kind', 'sshsig:file']);
    expect(explained).toMatch(/^deny: rule "five": /);
    // The rule itself counts on, wherever it was: with a wider window there is one left, and no more.
    await client.call('events.subscribe', {});
    await setPolicy(readFileSync(agent.policyFile, 'utf8').replace('per_hour = 4', 'per_hour = 100'));
    expect(await sign(OTHER)).toBe('ok');
    expect(await sign(OTHER)).toBe('policy.limit');
    await agent.must(['audit', 'verify']);
  });
});
