/** Requests end by their deadline with a reason, can be cancelled, and a token that hangs holds up nobody but its own queue. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/protocol/limits.js';
import { fileStatement } from '../support/agent-client.js';
import type { DemoAgent } from '../support/demo-agent.js';
import { agentOver } from '../support/own-token-agent.js';
import { processTree } from '../support/process-tree.js';
import { outcomeOf, RawConnection, type RawReply } from '../support/raw-connection.js';
import { SoftHsmStore } from '../support/softhsm-store.js';

/** Signed by the token "buildhost". */
const ON_TOKEN = 'touchstone/slow#ssh';
/** Signed in memory. */
const IN_MEMORY = 'touchstone/release#ssh';

function requestFor(key: string, content = 'x'): { key: string; kind: string; payload: string } {
  const { kind, payload } = fileStatement(key, content);
  return { key, kind, payload: Buffer.from(payload).toString('base64') };
}

describe('deadlines', () => {
  const release = new SoftHsmStore('release');
  const buildhost = new SoftHsmStore('buildhost');
  let agent: DemoAgent;
  let hostPid = 0;
  let keeperPid = 0;

  beforeAll(async () => {
    agent = await agentOver({ name: 'release', store: release }, { name: 'buildhost', store: buildhost });
    keeperPid = await agent.start();
    await agent.must(['token', 'setup', '--token', 'release', '--pin-file', agent.pinFile]);
    for (const key of [IN_MEMORY, ON_TOKEN]) await agent.derive(key);
    await agent.must(['key', 'install', ON_TOKEN, '--token', 'buildhost', '--pin-file', agent.pinFile]);
    await agent.must(['lock']);
    await agent.must(['unlock', '--token', 'buildhost', '--pin-file', agent.pinFile]);
    hostPid = theHost();
    await agent.must(['unlock', '--token', 'release', '--key', IN_MEMORY, '--pin-file', agent.pinFile]);
  });
  afterAll(async () => {
    process.kill(hostPid, 'SIGCONT');
    await agent[Symbol.asyncDispose]();
    for (const store of [release, buildhost]) store[Symbol.dispose]();
  });
  beforeEach(async () => {
    // Control for all of these: the host signs while nobody stops it, with the lease of the beginning.
    using client = await RawConnection.open(agent.socket);
    expect(outcomeOf(await client.call('sign', { requests: [requestFor(ON_TOKEN)] }))).toBe('ok');
  });

  function theHost(): number {
    const hosts = processTree(keeperPid).filter((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('tokenhost.js'),
    );
    const [host] = hosts;
    if (host === undefined || hosts.length !== 1) throw new Error(`token hosts: ${hosts.join(' ')}`);
    return host;
  }

  async function whileTheTokenHangs(work: () => Promise<void>): Promise<void> {
    process.kill(hostPid, 'SIGSTOP');
    try {
      await work();
    } finally {
      process.kill(hostPid, 'SIGCONT');
    }
  }

  it('ends a request at its own deadline, and keeps the token unlocked for everybody else', async () => {
    using client = await RawConnection.open(agent.socket);
    await whileTheTokenHangs(async () => {
      const reply = await client.call('sign', { requests: [requestFor(ON_TOKEN)], timeoutMs: 300 });
      expect(outcomeOf(reply)).toBe('limits.deadline');
      expect(outcomeOf(await client.call('sign', { requests: [requestFor(IN_MEMORY)] }))).toBe('ok');
    });
    expect(outcomeOf(await client.call('sign', { requests: [requestFor(ON_TOKEN)] }))).toBe('ok');
    expect(stateOf(await client.call('tokens.list', {}))).toBe('unlocked');
  });

  it('is not brought down by a client in a hurry', async () => {
    using client = await RawConnection.open(agent.socket);
    const calls = Array.from({ length: 40 }, (_, i) =>
      client.call('sign', { requests: [requestFor(ON_TOKEN, String(i))], timeoutMs: 1 }),
    );
    for (const call of calls) expect(['ok', 'limits.deadline']).toContain(outcomeOf(await call));
    expect(hostLives()).toBe(true);
  });

  it('logs what was signed too late as never released', async () => {
    using client = await RawConnection.open(agent.socket);
    const request = requestFor(ON_TOKEN, 'too late');
    await whileTheTokenHangs(async () => {
      await client.call('sign', { requests: [request], timeoutMs: 200 });
    });
    const hash = createHash('sha256').update(Buffer.from(request.payload, 'base64')).digest('hex');
    await client.call('sign', { requests: [requestFor(ON_TOKEN, 'after')] });
    const { result } = await client.call('audit.query', { limit: 3 });
    const { records } = result as {
      readonly records: readonly { type: string; hash?: string; code?: string }[];
    };
    expect(records.filter((line) => line.hash === hash).map(({ type }) => type)).toEqual(['unreleased']);
    expect(records.map(({ type, code }) => code ?? type)).toEqual(['limits.deadline', 'unreleased', 'sign']);
    await agent.must(['audit', 'verify']);
  });

  it('cancels a request that waits, and says when there is nothing to cancel', async () => {
    using client = await RawConnection.open(agent.socket);
    await whileTheTokenHangs(async () => {
      client.send({ jsonrpc: '2.0', id: 1, method: 'sign', params: { requests: [requestFor(ON_TOKEN)] } });
      const cancelled = client.exchange({ jsonrpc: '2.0', id: 2, method: 'cancel', params: { id: 1 } });
      expect(await cancelled).toMatchObject({ id: 2, result: { cancelled: true } });
      expect(await client.next()).toMatchObject({ id: 1, error: { data: { code: 'limits.cancelled' } } });
      expect(await client.call('cancel', { id: 1 })).toMatchObject({ result: { cancelled: false } });
    });
  });

  it('does not let one connection cancel the request of another', async () => {
    using first = await RawConnection.open(agent.socket);
    using second = await RawConnection.open(agent.socket);
    await whileTheTokenHangs(async () => {
      first.send({ jsonrpc: '2.0', id: 1, method: 'sign', params: { requests: [requestFor(ON_TOKEN)] } });
      expect(await second.call('cancel', { id: 1 })).toMatchObject({ result: { cancelled: false } });
    });
    expect(outcomeOf(await first.next())).toBe('ok');
  });

  it('tells who waits behind how many, and refuses what the queue cannot hold', async () => {
    using client = await RawConnection.open(agent.socket);
    using more = await RawConnection.open(agent.socket);
    await client.call('events.subscribe', {});
    const replies: RawReply[] = [];
    await whileTheTokenHangs(async () => {
      for (let id = 1; id <= LIMITS.inFlightPerConnection; id += 1) {
        const params = { requests: [requestFor(ON_TOKEN, String(id))], timeoutMs: 20_000 };
        client.send({ jsonrpc: '2.0', id, method: 'sign', params });
      }
      const waiting = await client.nextWhere(({ params }) => params?.event === 'waiting');
      expect(waiting.params).toMatchObject({ token: 'buildhost' });
      expect(waiting.params?.['ahead']).toBeGreaterThan(0);
      const calls = Array.from({ length: 64 }, (_, i) =>
        more.call('sign', { requests: [requestFor(ON_TOKEN, `m${i}`)], timeoutMs: 500 }),
      );
      for (const call of calls) replies.push(await call);
    });
    const outcomes = replies.map(outcomeOf);
    expect(outcomes).toContain('limits.queue');
    expect(outcomes.every((outcome) => ['limits.queue', 'limits.deadline'].includes(outcome))).toBe(true);
    const seen = new Map<unknown, string>();
    while (seen.size < LIMITS.inFlightPerConnection) {
      const reply = await client.next();
      if (reply.id !== undefined) seen.set(reply.id, outcomeOf(reply));
    }
    expect([...new Set(seen.values())]).toEqual(['ok']);
  });

  it('drops what a client that has gone was waiting for', async () => {
    using other = await RawConnection.open(agent.socket);
    await whileTheTokenHangs(async () => {
      const client = await RawConnection.open(agent.socket);
      for (let id = 1; id <= 100; id += 1)
        client.send({ jsonrpc: '2.0', id, method: 'sign', params: { requests: [requestFor(ON_TOKEN)] } });
      await client.call('status', {});
      client[Symbol.dispose]();
      await client.closed;
    });
    expect(outcomeOf(await other.call('sign', { requests: [requestFor(ON_TOKEN)] }))).toBe('ok');
    await agent.must(['audit', 'verify']);
  });

  function stateOf(reply: RawReply): string | undefined {
    const { tokens } = reply.result as { readonly tokens: readonly { name: string; state: string }[] };
    return tokens.find(({ name }) => name === 'buildhost')?.state;
  }

  function hostLives(): boolean {
    return processTree(keeperPid).includes(hostPid);
  }
});
