/** Messages no well-behaved client sends: each gets a typed error, or ends its own connection, and nobody else notices. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/protocol/limits.js';
import { startDemoAgent, type DemoAgent } from '../support/demo-agent.js';
import { outcomeOf, rawBytes, RawConnection } from '../support/raw-connection.js';
import { signableBytes } from '../support/signable-bytes.js';

const KEY = 'touchstone/release#ssh';
const FILE = signableBytes().find(([kind]) => kind === 'sshsig:file')?.[1] ?? Buffer.alloc(0);
const REQUEST = { key: KEY, kind: 'sshsig:file', payload: FILE.toString('base64') } as const;
const STATUS = { jsonrpc: '2.0', id: 7, method: 'status', params: {} } as const;

describe('messages to the agent', () => {
  let agent: DemoAgent;
  let bystander: RawConnection;

  beforeAll(async () => {
    agent = await startDemoAgent();
    await agent.derive(KEY);
    bystander = await RawConnection.open(agent.socket);
  });
  afterAll(async () => {
    // One that was there all the time is still served.
    expect(outcomeOf(await bystander.call('sign', { requests: [REQUEST] }))).toBe('ok');
    bystander[Symbol.dispose]();
    await agent[Symbol.asyncDispose]();
  });

  it.each([
    ['text that is not JSON', '{"jsonrpc":', 'rpc.parse', null],
    ['JSON after rubbish', 'x{"jsonrpc":"2.0","id":7,"method":"status"}', 'rpc.parse', null],
    ['an empty message', '', 'rpc.parse', null],
    ['a binary frame', Buffer.from(JSON.stringify(STATUS)), 'rpc.parse', null],
    ['a number', '42', 'rpc.request', null],
    ['null', 'null', 'rpc.request', null],
    ['a batch', JSON.stringify([STATUS, { ...STATUS, id: 8 }]), 'rpc.request', null],
    ['an empty batch', '[]', 'rpc.request', null],
    ['no id', { jsonrpc: '2.0', method: 'status' }, 'rpc.request', null],
    ['a fraction as id', { ...STATUS, id: 1.5 }, 'rpc.request', null],
    ['an object as id', { ...STATUS, id: {} }, 'rpc.request', null],
    ['an id of 65 characters', { ...STATUS, id: 'x'.repeat(65) }, 'rpc.request', null],
    ['another JSON-RPC', { ...STATUS, jsonrpc: '1.0' }, 'rpc.request', 7],
    ['no method', { jsonrpc: '2.0', id: 7 }, 'rpc.request', 7],
    ['a method that is a number', { ...STATUS, method: 5 }, 'rpc.request', 7],
    ['an unknown method', { ...STATUS, method: 'nonsense' }, 'rpc.method', 7],
    ['a method every object has', { ...STATUS, method: 'constructor' }, 'rpc.method', 7],
    ['the prototype as method', { ...STATUS, method: '__proto__' }, 'rpc.method', 7],
    ['parameters in a list', { ...STATUS, params: [] }, 'usage.invalid', 7],
    ['text as parameters', { ...STATUS, params: 'all' }, 'usage.invalid', 7],
    ['a parameter nobody knows', { ...STATUS, params: { verbose: true } }, 'usage.invalid', 7],
    ['sign without requests', { ...STATUS, method: 'sign' }, 'usage.invalid', 7],
    ['sign with no requests', { ...STATUS, method: 'sign', params: { requests: [] } }, 'usage.invalid', 7],
  ])('answers %s with a typed error, and goes on', async (_what, message, code, id) => {
    using client = await RawConnection.open(agent.socket);
    const reply = await client.exchange(message);
    expect(reply).toMatchObject({ jsonrpc: '2.0', id, error: { data: { code } } });
    expect(outcomeOf(await client.call('status', {}))).toBe('ok');
  });

  it.each([
    ['key', { ...REQUEST, key: 5 }, 'requests.0.key'],
    ['kind', { ...REQUEST, kind: null }, 'requests.0.kind'],
    ['payload', { ...REQUEST, payload: {} }, 'requests.0.payload'],
    ['an extra field', { ...REQUEST, pin: '1234' }, 'requests.0'],
  ])('names the wrong field: %s', async (_what, request, field) => {
    using client = await RawConnection.open(agent.socket);
    const reply = await client.exchange({ ...STATUS, method: 'sign', params: { requests: [request] } });
    expect(reply.error?.data).toMatchObject({ code: 'usage.invalid', details: { field } });
    expect(reply.error?.data.message).toContain(field);
    expect(JSON.stringify(reply)).not.toContain('1234');
  });

  it('refuses base64 that is not, without repeating it', async () => {
    using client = await RawConnection.open(agent.socket);
    const reply = await client.call('sign', { requests: [{ ...REQUEST, payload: 'c2VjcmV0!' }] });
    expect(outcomeOf(reply)).toBe('usage.invalid');
    expect(reply.error?.data.message).toContain('payload');
    expect(JSON.stringify(reply)).not.toContain('c2VjcmV0');
  });

  it('takes ids that are texts, and gives them back as they came', async () => {
    using client = await RawConnection.open(agent.socket);
    const id = 'a"\\\u2028b';
    const reply = await client.exchange({ ...STATUS, id, method: 'sign', params: { requests: [REQUEST] } });
    expect(reply.id).toBe(id);
    expect(outcomeOf(reply)).toBe('ok');
  });

  it('refuses an id that is still in work, and answers the first', async () => {
    using client = await RawConnection.open(agent.socket);
    const sign = { ...STATUS, method: 'sign', params: { requests: [REQUEST] } };
    // In one write: the second must arrive while the first is in work.
    const { _socket: stream } = client.socket as unknown as {
      readonly _socket: { cork(): void; uncork(): void };
    };
    stream.cork();
    client.send(sign);
    client.send(sign);
    stream.uncork();
    const outcomes = [outcomeOf(await client.next()), outcomeOf(await client.next())];
    expect(outcomes.sort()).toEqual(['ok', 'rpc.request']);
  });

  it('wants hello first', async () => {
    using client = await RawConnection.connect(agent.socket);
    expect(outcomeOf(await client.exchange(STATUS))).toBe('rpc.request');
    expect(
      outcomeOf(await client.exchange({ ...STATUS, method: 'hello', params: { client: 'x', protocol: 1 } })),
    ).toBe('ok');
    expect(outcomeOf(await client.exchange(STATUS))).toBe('ok');
  });

  it('does not speak another version of the protocol', async () => {
    using client = await RawConnection.connect(agent.socket);
    const hello = { ...STATUS, method: 'hello', params: { client: 'x', protocol: 2 } };
    expect(outcomeOf(await client.exchange(hello))).toBe('rpc.version');
    expect(outcomeOf(await client.exchange(STATUS))).toBe('rpc.request');
  });

  it('ends a connection that greets with rubbish', async () => {
    using client = await RawConnection.connect(agent.socket);
    expect(outcomeOf(await client.exchange('hello?'))).toBe('rpc.parse');
    expect(await client.closed).toBe(1002);
  });

  it('answers a message above 256 KiB with a typed error and goes on', async () => {
    using client = await RawConnection.open(agent.socket);
    const payload = Buffer.alloc(LIMITS.frameBytes, 0x41).toString('base64');
    const reply = await client.exchange({
      ...STATUS,
      method: 'sign',
      params: { requests: [{ ...REQUEST, payload }] },
    });
    expect(reply).toMatchObject({ id: STATUS.id, error: { data: { code: 'limits.frame-too-large' } } });
    expect(reply.error?.data.details).toMatchObject({ max: LIMITS.frameBytes });
    expect(outcomeOf(await client.call('status', {}))).toBe('ok');
  });

  it('ends a connection that sends more than 4 MiB in one message', async () => {
    using client = await RawConnection.open(agent.socket);
    client.send('x'.repeat(LIMITS.socketFrameBytes + 1));
    expect(await client.closed).toBe(1009);
  });

  it('refuses more requests in a batch than the limit', async () => {
    using client = await RawConnection.open(agent.socket);
    const small = { key: KEY, kind: 'sshsig:file', payload: '' };
    const requests = Array.from({ length: LIMITS.batch + 1 }, () => small);
    expect(outcomeOf(await client.call('sign', { requests }))).toBe('limits.batch');
  });

  it.each([
    ['garbage', randomBytes(4096)],
    ['a TLS greeting', Buffer.from('16030100a50100', 'hex')],
    ['headers without an end', Buffer.from(`GET / HTTP/1.1\r\nX: ${'y'.repeat(64 * 1024)}`)],
    ['another version of HTTP', Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')],
  ])('ends a connection that begins with %s', async (_what, bytes) => {
    expect((await rawBytes(agent.socket, bytes, 8000)).ended).toBe(true);
  });

  it('answers plain HTTP with a pointer to the protocol, and nothing else', async () => {
    const request = Buffer.from('GET /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    const { text, ended } = await rawBytes(agent.socket, request, 8000);
    expect(ended).toBe(true);
    expect(text).toMatch(/^HTTP\/1\.1 426 /);
    expect(text).toContain('docs/spec/protocol.md');
  });

  it('survives frames that break the rules of WebSocket', async () => {
    for (const frame of [
      Buffer.from([0x81, 0x05, 1, 2, 3, 4, 5]), // unmasked
      Buffer.from([0xf1, 0x80, 0, 0, 0, 0]), // reserved bits
      Buffer.from([0x8f, 0x80, 0, 0, 0, 0]), // unknown opcode
      Buffer.from([0x80, 0x80, 0, 0, 0, 0]), // continuation of nothing
      Buffer.from([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]), // 2^63 bytes
      Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28]), // not UTF-8
    ]) {
      using client = await RawConnection.open(agent.socket);
      const { _socket: stream } = client.socket as unknown as { readonly _socket: NodeJS.WritableStream };
      stream.write(frame);
      expect([1002, 1006, 1007, 1009]).toContain(await client.closed);
    }
  });
});
