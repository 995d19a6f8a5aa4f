/** The same calls to our door and to "p11-kit server" over SoftHSM: what a client is told has to be the same. */
import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { P11KitServer } from '../support/p11-kit-server.js';
import { Pkcs11RpcClient, ReturnValue } from '../support/pkcs11-rpc-client.js';
import { startPkcs11Agent, type Pkcs11Agent } from '../support/pkcs11-agent.js';
import type { RpcArguments, RpcCallName } from '../support/rpc-message.js';

const CKM_ECDSA = 0x1041;
const CKO = { certificate: 1, publicKey: 2, privateKey: 3 } as const;

/** One side, ready to sign. */
interface Side {
  readonly client: Pkcs11RpcClient;
  readonly session: number;
  readonly privateKey: number;
  readonly publicKey: number;
}

async function openSide(path: string, pin: string): Promise<Side> {
  const client = await Pkcs11RpcClient.open(path);
  const [slot = 0] = await client.slots();
  const session = await client.openSession(slot);
  await client.login(session, pin);
  const [privateKey = 0] = await client.find(session, CKO.privateKey);
  const [publicKey = 0] = await client.find(session, CKO.publicKey);
  return { client, session, privateKey, publicKey };
}

let oracle: P11KitServer;
let ours: Pkcs11Agent;
let sides: readonly Side[];

beforeAll(async () => {
  oracle = await P11KitServer.start();
  ours = await startPkcs11Agent();
  sides = [await openSide(oracle.socket, oracle.pin), await openSide(ours.socket, '')];
});

afterAll(async () => {
  for (const { client } of sides) client.close();
  await ours.agent[Symbol.asyncDispose]();
  await oracle[Symbol.asyncDispose]();
});

/** What each side answers, oracle first. */
async function both<T>(ask: (side: Side) => Promise<T>): Promise<readonly [T, T]> {
  const answers: T[] = [];
  for (const side of sides) answers.push(await ask(side));
  const [theirs, own] = answers;
  if (theirs === undefined || own === undefined) throw new Error('a side is missing');
  return [theirs, own];
}

/** Return value of a call. */
async function rvOf(call: Promise<unknown>): Promise<number> {
  try {
    await call;
    return 0;
  } catch (error) {
    if (error instanceof ReturnValue) return error.rv;
    throw error;
  }
}

async function publicKeyOf({
  client,
  session,
  publicKey,
}: Side): Promise<ReturnType<typeof createPublicKey>> {
  const { wire = '' } = await client.attribute(session, publicKey, 0x181);
  // Length on the wire (4 bytes), then OCTET STRING with tag and length.
  const point = Buffer.from(wire.slice(12), 'hex');
  const head = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex');
  return createPublicKey({ key: Buffer.concat([head, point]), format: 'der', type: 'spki' });
}

describe('objects', () => {
  it('are one private and one public key', async () => {
    const counts = await both(async ({ client, session }) => [
      (await client.find(session, CKO.privateKey)).length,
      (await client.find(session, CKO.publicKey)).length,
      (await client.find(session, CKO.certificate)).length,
    ]);
    expect(counts).toEqual([
      [1, 1, 0],
      [1, 1, 0],
    ]);
  });

  it.each([
    ['CLASS', 0x0],
    ['TOKEN', 0x1],
    ['KEY_TYPE', 0x100],
    ['SENSITIVE', 0x103],
    ['SIGN', 0x108],
    ['EXTRACTABLE', 0x162],
    ['NEVER_EXTRACTABLE', 0x164],
    ['ALWAYS_SENSITIVE', 0x165],
    ['EC_PARAMS', 0x180],
    ['ALWAYS_AUTHENTICATE', 0x202],
    ['WRAP_WITH_TRUSTED', 0x210],
  ])(
    'private key: CKA_%s has the same value, and the same size for a caller without room',
    async (_, type) => {
      for (const room of [256, 0]) {
        const [theirs, own] = await both(({ client, session, privateKey }) =>
          client.attribute(session, privateKey, type, room),
        );
        expect(own).toEqual(theirs);
      }
    },
  );

  it('never show a private value, and refuse too little room and unknown attributes alike', async () => {
    const questions = [
      [0x11, 256],
      [0x11, 0],
      [0x180, 3],
      [0x120, 256],
    ] as const;
    for (const [type, room] of questions) {
      const [theirs, own] = await both(({ client, session, privateKey }) =>
        client.attribute(session, privateKey, type, room),
      );
      expect(own).toEqual(theirs);
    }
  });
});

describe('signing', () => {
  it('makes signatures that verify, by digest', async () => {
    const message = randomBytes(300);
    const digest = createHash('sha256').update(message).digest();
    for (const side of sides) {
      const signature = await side.client.sign(side.session, CKM_ECDSA, side.privateKey, digest);
      const key = await publicKeyOf(side);
      expect(verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true);
    }
  });

  it('takes the leftmost bits of a longer digest', async () => {
    const message = randomBytes(300);
    const digest = createHash('sha512').update(message).digest();
    for (const side of sides) {
      const signature = await side.client.sign(side.session, CKM_ECDSA, side.privateKey, digest);
      const key = await publicKeyOf(side);
      expect(verify('sha512', message, { key, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true);
    }
  });

  it('tells the size and keeps the operation, then signs', async () => {
    const lengths = await both(async ({ client, session, privateKey }) => {
      await client.signInit(session, CKM_ECDSA, privateKey);
      const asked: number[] = [];
      for (const room of [0, 10, 256]) {
        const answer = await client.call('Sign', (args) =>
          args.ulong(session).byteArray(randomBytes(32)).u32(room),
        );
        asked.push(answer.byte(), answer.u32());
      }
      return asked;
    });
    expect(lengths[1]).toEqual(lengths[0]);
    expect(lengths[1]).toEqual([0, 64, 0, 64, 1, 64]);
  });
});

type Writes = (args: RpcArguments, side: Side) => RpcArguments;

const MISTAKES: readonly (readonly [string, RpcCallName, Writes])[] = [
  ['a session that is not open', 'GetSessionInfo', (args) => args.ulong(4711)],
  ['a session that is not open, closing', 'CloseSession', (args) => args.ulong(4711)],
  ['a slot that does not exist', 'GetTokenInfo', (args) => args.ulong(999_999_999)],
  ['a slot that does not exist, opening', 'OpenSession', (args) => args.ulong(999_999_999).ulong(4)],
  [
    'an object that does not exist',
    'GetAttributeValue',
    (args, { session }) => args.ulong(session).ulong(4711).u32(1).u32(0).u32(8),
  ],
  [
    'signing without SignInit',
    'Sign',
    (args, { session }) => args.ulong(session).byteArray(Buffer.alloc(32)).u32(64),
  ],
  ['finishing without SignInit', 'SignFinal', (args, { session }) => args.ulong(session).u32(64)],
  ['a search that was not begun', 'FindObjects', (args, { session }) => args.ulong(session).u32(8)],
  ['the end of a search that was not begun', 'FindObjectsFinal', (args, { session }) => args.ulong(session)],
  ['a second login', 'Login', (args, { session }) => args.ulong(session).ulong(1).byteArray(Buffer.alloc(0))],
];

describe('mistakes', () => {
  it.each(MISTAKES)('%s: the same return value', async (_, call, write) => {
    const [theirs, own] = await both((side) => rvOf(side.client.call(call, (args) => write(args, side))));
    expect(own).toBe(theirs);
    expect(own).not.toBe(0);
  });

  it('arguments that end early end the connection', async () => {
    for (const path of [oracle.socket, ours.socket]) {
      const client = await Pkcs11RpcClient.open(path);
      await expect(client.call('GetSessionInfo', (args) => args.u32(1))).rejects.toThrow('closed');
    }
  });
});
