/** The PKCS#11 door when something is wrong: no agent, no lease, no rule, no protocol, no answer, very many clients. */
import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { runProgram } from '../support/demo-agent.js';
import { CLIENT_MODULE, DOOR_KEY, startPkcs11Agent, type Pkcs11Agent } from '../support/pkcs11-agent.js';
import { Pkcs11RpcClient, ReturnValue } from '../support/pkcs11-rpc-client.js';

const CKM_ECDSA = 0x1041;
const CKO_PRIVATE_KEY = 3;
const CKR_KEY_FUNCTION_NOT_PERMITTED = 0x68;
const CKR_USER_NOT_LOGGED_IN = 0x101;
const SLOT = 1;
const CLIENTS = 200;

let door: Pkcs11Agent;
let policy = '';

beforeAll(async () => {
  door = await startPkcs11Agent();
  policy = readFileSync(door.agent.policyFile, 'utf8');
});

afterAll(async () => {
  await door.agent[Symbol.asyncDispose]();
});

afterEach(async () => {
  if (readFileSync(door.agent.policyFile, 'utf8') !== policy) await changePolicy(policy);
});

/** The agent looks at the file once a second: waits until it has looked. */
async function changePolicy(text: string): Promise<void> {
  writeFileSync(door.agent.policyFile, text);
  const isIn = text.includes('id = "pkcs11"');
  for (let tries = 0; tries < 100; tries += 1) {
    const shown = await door.agent.must([
      'policy',
      'explain',
      '--key',
      DOOR_KEY,
      '--kind',
      'digest',
      '--json',
    ]);
    if ((JSON.parse(shown) as { readonly rule: string | null }).rule === (isIn ? 'pkcs11' : null)) return;
    await delay(50);
  }
  throw new Error('the policy was not taken up within 10 s');
}

function withoutRule(): string {
  return policy.slice(0, policy.indexOf('[[rule]]\nid = "pkcs11"'));
}

interface Ready {
  readonly client: Pkcs11RpcClient;
  readonly session: number;
  readonly key: number;
}

async function ready(): Promise<Ready> {
  const client = await Pkcs11RpcClient.open(door.socket);
  const session = await client.openSession(SLOT);
  const [key = 0] = await client.find(session, CKO_PRIVATE_KEY);
  return { client, session, key };
}

function sign({ client, session, key }: Ready): Promise<Buffer> {
  return client.sign(session, CKM_ECDSA, key, randomBytes(32));
}

function rejectedWith(rv: number): (call: Promise<unknown>) => Promise<void> {
  return async (call) => {
    const error: unknown = await call.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(ReturnValue);
    expect((error as ReturnValue).rv).toBe(rv);
  };
}

function listKeys(
  environment: NodeJS.ProcessEnv,
): Promise<{ readonly status: number; readonly stdout: string }> {
  return runProgram('pkcs11-tool', ['--module', CLIENT_MODULE, '-O'], { environment });
}

describe('no agent', () => {
  it('is no token, and the client ends at once', async () => {
    const environment = { ...door.environment, P11_KIT_SERVER_ADDRESS: 'unix:path=/nonexistent/pkcs11.sock' };
    const listed = await listKeys(environment);
    expect(listed.stdout).not.toContain('Private Key Object');
  });
});

describe('no lease', () => {
  it('shows the key, refuses to sign, and signs again after the next unlock', async () => {
    const client = await ready();
    await door.agent.must(['lock']);
    await rejectedWith(CKR_USER_NOT_LOGGED_IN)(sign(client));
    const again = await ready();
    expect(again.key).toBeGreaterThan(0);
    await door.agent.unlock();
    await rejectedWith(CKR_KEY_FUNCTION_NOT_PERMITTED)(sign(client));
    await door.agent.unlock(['--blind']);
    expect(await sign(client)).toHaveLength(64);
    client.client.close();
    again.client.close();
  });
});

describe('no rule', () => {
  it('hides the key, and refuses it to a client that knows its handle', async () => {
    const client = await ready();
    await changePolicy(withoutRule());
    await rejectedWith(CKR_KEY_FUNCTION_NOT_PERMITTED)(sign(client));
    const other = await Pkcs11RpcClient.open(door.socket);
    const session = await other.openSession(SLOT);
    expect(await other.find(session, CKO_PRIVATE_KEY)).toEqual([]);
    expect((await listKeys(door.environment)).stdout).not.toContain(DOOR_KEY);
    client.client.close();
    other.close();
  });

  it('is logged as a refusal', async () => {
    const client = await ready();
    await changePolicy(withoutRule());
    await rejectedWith(CKR_KEY_FUNCTION_NOT_PERMITTED)(sign(client));
    const shown = await door.agent.must(['audit', 'show', '--json', '--limit', '1000']);
    const { records } = JSON.parse(shown) as {
      readonly records: readonly Readonly<Record<string, unknown>>[];
    };
    expect(records.at(-1)).toMatchObject({
      type: 'refuse',
      kind: 'digest',
      code: 'policy.denied',
      key: DOOR_KEY,
    });
    client.client.close();
  });
});

/** Resolves when the other side has closed. */
function closed(socket: Socket): Promise<unknown> {
  socket.on('error', () => undefined).resume();
  return once(socket, 'close');
}

describe('no protocol', () => {
  it.each([
    ['text', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    ['a frame larger than any may be', Buffer.from('0000000010000000000fffffff', 'hex')],
    ['a call that does not exist', Buffer.from('000000001000000000000000080000006300000000', 'hex')],
    ['another signature', Buffer.from('000000001000000000000000090000000300000001', 'hex')],
    ['random bytes', randomBytes(4096)],
  ])('%s: the connection is closed, and others go on', async (_, bytes) => {
    const client = await ready();
    const socket = connect(door.socket);
    const ended = closed(socket);
    socket.end(bytes);
    await ended;
    expect(await sign(client)).toHaveLength(64);
    client.client.close();
  });
});

describe('a client that hangs', () => {
  it('in the middle of a call is closed after the time for a greeting, and nobody waits for it', async () => {
    const silent = connect(door.socket);
    const half = await Pkcs11RpcClient.open(door.socket);
    const ends = [closed(silent), closed(half.socket)];
    half.socket.write(Buffer.from('000000', 'hex'));
    const client = await ready();
    expect(await sign(client)).toHaveLength(64);
    await Promise.all(ends);
    expect(await sign(client)).toHaveLength(64);
    client.client.close();
  });

  it('without reading its answers is held back, and nobody waits for it', async () => {
    const greedy = await Pkcs11RpcClient.open(door.socket);
    const session = await greedy.openSession(SLOT);
    greedy.socket.pause();
    const calls = Array.from({ length: 2000 }, () =>
      greedy.call('GenerateRandom', (args) => args.ulong(session).u32(65_536)).catch(() => undefined),
    );
    const client = await ready();
    expect(await sign(client)).toHaveLength(64);
    greedy.close();
    await Promise.all(calls);
    client.client.close();
  });
});

describe(`${CLIENTS} clients at once`, () => {
  it('each get signatures that verify', async () => {
    const shown = JSON.parse(await door.agent.must(['key', 'show', DOOR_KEY, '--json'])) as {
      readonly key: { readonly publicKey: string };
    };
    const spki = Buffer.from(shown.key.publicKey, 'base64');
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => ready()));
    const results = await Promise.all(
      clients.map(async (each) => {
        const message = randomBytes(64);
        const digest = createHash('sha256').update(message).digest();
        const signature = await each.client.sign(each.session, CKM_ECDSA, each.key, digest);
        return verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
      }),
    );
    expect(results.filter(Boolean)).toHaveLength(CLIENTS);
    for (const { client } of clients) client.close();
  });
});
