/** Clients that are slow, silent, greedy or deaf cost the agent a bounded amount, and nobody else anything. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/protocol/limits.js';
import { startDemoAgent, type DemoAgent } from '../support/demo-agent.js';
import { sharedMemory } from '../support/process-tree.js';
import { outcomeOf, rawBytes, RawConnection } from '../support/raw-connection.js';
import { signableBytes } from '../support/signable-bytes.js';

const KEY = 'touchstone/release#ssh';
const FILE = signableBytes().find(([kind]) => kind === 'sshsig:file')?.[1] ?? Buffer.alloc(0);
const REQUESTS = [{ key: KEY, kind: 'sshsig:file', payload: FILE.toString('base64') }];
const SIGN = JSON.stringify({ method: 'sign', params: { requests: REQUESTS } }).slice(1);
const MIB = 1024 * 1024;
const UPGRADE = [
  'GET / HTTP/1.1',
  'Host: x',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  'Sec-WebSocket-Protocol: touchstone.v1',
].join('\r\n');

function signText(id: number): string {
  return `{"jsonrpc":"2.0","id":${id},${SIGN}`;
}

describe('slow and greedy clients', () => {
  let agent: DemoAgent;
  let frontPid: number;

  beforeAll(async () => {
    agent = await startDemoAgent();
    await agent.derive(KEY);
    const status = JSON.parse(await agent.must(['agent', 'status', '--json'])) as { frontPid: number };
    frontPid = status.frontPid;
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
  });

  it('ends a handshake that does not finish, however far it came', { timeout: 120_000 }, async () => {
    const deadlineMs = LIMITS.helloMs + 8000;
    const endings = await Promise.all([
      rawBytes(agent.socket, Buffer.alloc(0), deadlineMs),
      rawBytes(agent.socket, Buffer.from('GET / HTTP/1.1\r\nHost:'), deadlineMs),
      rawBytes(agent.socket, Buffer.from(UPGRADE), deadlineMs),
      rawBytes(agent.socket, Buffer.from(`${UPGRADE}\r\n\r\n`), deadlineMs),
    ]);
    expect(endings.map(({ ended }) => ended)).toEqual([true, true, true, true]);
    // The last one was a connection already: it waited for the greeting.
    expect(endings[3].text).toContain('101 Switching Protocols');
  });

  it('keeps a connection that said hello in time', { timeout: 120_000 }, async () => {
    using client = await RawConnection.open(agent.socket);
    await delay(LIMITS.helloMs + 2000);
    expect(outcomeOf(await client.call('status', {}))).toBe('ok');
  });

  it('puts a message together from single bytes while others are served', async () => {
    using slow = await RawConnection.open(agent.socket);
    using other = await RawConnection.open(agent.socket);
    const { _socket: stream } = slow.socket as unknown as { readonly _socket: NodeJS.WritableStream };
    const body = Buffer.from('{"jsonrpc":"2.0","id":1,"method":"status"}');
    const frame = Buffer.concat([Buffer.from([0x81, 0x80 | body.length, 0, 0, 0, 0]), body]);
    for (const byte of frame) {
      stream.write(Buffer.from([byte]));
      await delay(2);
    }
    expect(outcomeOf(await other.call('sign', { requests: REQUESTS }))).toBe('ok');
    expect(outcomeOf(await slow.next())).toBe('ok');
  });

  it('holds little for a client that never reads, and answers every request once it does', async () => {
    using deaf = await RawConnection.open(agent.socket);
    using other = await RawConnection.open(agent.socket);
    const before = sharedMemory([frontPid]);
    const count = 50_000;
    deaf.socket.pause();
    for (let id = 1; id <= count; id += 1) deaf.send(signText(id));
    let most = 0;
    for (let round = 0; round < 15; round += 1) {
      expect(outcomeOf(await other.call('sign', { requests: REQUESTS }))).toBe('ok');
      most = Math.max(most, sharedMemory([frontPid]));
      await delay(100);
    }
    // The agent stopped reading: most of what was sent still waits on this side.
    expect(deaf.socket.bufferedAmount).toBeGreaterThan(5 * MIB);
    expect(most - before).toBeLessThan(64 * MIB);
    const seen = new Set<unknown>();
    const outcomes = new Map<string, number>();
    const all = new Promise<void>((resolve) => {
      deaf.socket.on('message', (data: Buffer) => {
        const reply = JSON.parse(data.toString('utf8')) as Parameters<typeof outcomeOf>[0];
        seen.add(reply.id);
        const outcome = outcomeOf(reply);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        if (seen.size === count) resolve();
      });
    });
    deaf.socket.resume();
    await all;
    expect([...outcomes.keys()].every((outcome) => ['ok', 'limits.in-flight'].includes(outcome))).toBe(true);
    expect(outcomes.get('ok')).toBeGreaterThan(0);
    expect([...outcomes.values()].reduce((sum, n) => sum + n)).toBe(count);
    expect(sharedMemory([frontPid]) - before).toBeLessThan(64 * MIB);
  });

  it('holds little for many deaf clients with large replies', async () => {
    const before = sharedMemory([frontPid]);
    const clients = await Promise.all(Array.from({ length: 8 }, () => RawConnection.open(agent.socket)));
    const list = (id: number): string =>
      `{"jsonrpc":"2.0","id":${id},"method":"audit.query","params":{"limit":1000}}`;
    for (const client of clients) {
      client.socket.pause();
      for (let id = 1; id <= 250; id += 1) client.send(list(id));
    }
    using other = await RawConnection.open(agent.socket);
    let most = 0;
    for (let round = 0; round < 10; round += 1) {
      expect(outcomeOf(await other.call('sign', { requests: REQUESTS }))).toBe('ok');
      most = Math.max(most, sharedMemory([frontPid]));
      await delay(100);
    }
    for (const client of clients) client[Symbol.dispose]();
    expect(most - before).toBeLessThan(128 * MIB);
  });

  it('refuses what is over the limit of requests in flight, and signs the rest', async () => {
    using client = await RawConnection.open(agent.socket);
    const count = LIMITS.inFlightPerConnection * 4;
    const { _socket: stream } = client.socket as unknown as {
      readonly _socket: { cork(): void; uncork(): void };
    };
    stream.cork();
    for (let id = 1; id <= count; id += 1) client.send(signText(id));
    stream.uncork();
    const outcomes: string[] = [];
    for (let heard = 0; heard < count; heard += 1) outcomes.push(outcomeOf(await client.next()));
    const signed = outcomes.filter((outcome) => outcome === 'ok').length;
    const refused = outcomes.filter((outcome) => outcome === 'limits.in-flight').length;
    expect(signed + refused).toBe(count);
    expect(signed).toBeGreaterThanOrEqual(LIMITS.inFlightPerConnection);
    expect(refused).toBeGreaterThan(0);
  });

  it('refuses more connections of one user than the limit, until one of them ends', async () => {
    const clients: RawConnection[] = [];
    let refusal: unknown;
    while (refusal === undefined && clients.length <= LIMITS.connectionsPerUid) {
      await RawConnection.open(agent.socket).then(
        (client) => clients.push(client),
        (error: unknown) => (refusal = error),
      );
    }
    expect(clients).toHaveLength(LIMITS.connectionsPerUid);
    expect(String(refusal)).toContain('"code":"limits.connections"');
    const result = await agent.touchstone(['key', 'list']);
    expect(result).toMatchObject({ status: 5 });
    expect(result.stderr).toContain('too many connections are open for this user');
    // Those who are refused and stay silent are not kept either.
    const silent = Array.from({ length: 64 }, () => rawBytes(agent.socket, Buffer.alloc(0), 3000));
    const endings = await Promise.all(silent);
    expect(endings.filter(({ ended }) => ended).length).toBeGreaterThanOrEqual(48);
    const [first] = clients;
    first?.[Symbol.dispose]();
    await first?.closed;
    await delay(100);
    using again = await RawConnection.open(agent.socket);
    expect(outcomeOf(await again.call('status', {}))).toBe('ok');
    for (const client of clients) client[Symbol.dispose]();
  });
});
