/** RSA and P-384: the same calls to our door and to "p11-kit server" over SoftHSM, and where we are stricter on purpose. */
import { constants, createHash, createPublicKey, randomBytes, verify, type KeyObject } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { P11KitServer } from '../support/p11-kit-server.js';
import { DOOR_KEY, startPkcs11Agent, type Pkcs11Agent } from '../support/pkcs11-agent.js';
import { Pkcs11RpcClient, ReturnValue } from '../support/pkcs11-rpc-client.js';

const CKO = { publicKey: 2, privateKey: 3 } as const;
const CKM = {
  rsaPkcs: 0x1,
  rsaX509: 0x3,
  pss: 0xd,
  sha1Rsa: 0x6,
  sha256Rsa: 0x40,
  sha256Pss: 0x43,
  ecdsa: 0x1041,
};
const CKR = {
  dataInvalid: 0x20,
  dataLenRange: 0x21,
  keyTypeInconsistent: 0x63,
  mechanismInvalid: 0x70,
  mechanismParamInvalid: 0x71,
} as const;
const PSS_SHA256 = [0x250, 2, 32] as const;
/** Key types: as they are numbered, by the value of CKA_KEY_TYPE on the wire. */
const KEY_TYPES = { rsa: '0000000000000000', ec: '0000000000000003' } as const;
type Kind = keyof typeof KEY_TYPES;

interface Side {
  readonly client: Pkcs11RpcClient;
  readonly session: number;
  readonly keys: Readonly<Record<Kind, { readonly privateKey: number; readonly publicKey: number }>>;
}

let oracle: P11KitServer;
let ours: Pkcs11Agent;
let sides: readonly Side[];
const publicKeys = new Map<Kind, KeyObject>();

async function openSide(path: string, pin: string): Promise<Side> {
  const client = await Pkcs11RpcClient.open(path);
  const [slot = 0] = await client.slots();
  const session = await client.openSession(slot);
  await client.login(session, pin);
  const keys = { rsa: { privateKey: 0, publicKey: 0 }, ec: { privateKey: 0, publicKey: 0 } };
  for (const name of ['privateKey', 'publicKey'] as const) {
    for (const handle of await client.find(session, CKO[name])) {
      const { wire } = await client.attribute(session, handle, 0x100);
      const curve = await client.attribute(session, handle, 0x180);
      if (wire === KEY_TYPES.rsa) keys.rsa[name] = handle;
      // The door has its P-256 key as well.
      else if (curve.length === 7) keys.ec[name] = handle;
    }
  }
  return { client, session, keys };
}

beforeAll(async () => {
  oracle = await P11KitServer.start(['rsa:3072', 'EC:secp384r1']);
  ours = await startPkcs11Agent();
  for (const algorithm of ['rsa-3072', 'ecdsa-p384']) {
    const name = `${DOOR_KEY}~${algorithm}`;
    await ours.agent.must(['key', 'create', name, '--token', 'release']);
    const pem = await ours.agent.must(['key', 'export', name]);
    publicKeys.set(algorithm === 'rsa-3072' ? 'rsa' : 'ec', createPublicKey(pem));
  }
  sides = [await openSide(oracle.socket, oracle.pin), await openSide(ours.socket, '')];
}, 120_000);

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

/** Return value of one signature; the operation that a failed one may have left is ended. */
async function rvOf(
  { client, session, keys }: Side,
  mechanism: number,
  kind: Kind,
  data: Buffer,
  parameter?: readonly number[],
): Promise<number> {
  try {
    await client.sign(session, mechanism, keys[kind].privateKey, data, parameter);
    return 0;
  } catch (error) {
    if (error instanceof ReturnValue) return error.rv;
    throw error;
  }
}

describe('objects', () => {
  it.each([
    ['rsa', 'CKA_KEY_TYPE', 0x100],
    ['rsa', 'CKA_SIGN', 0x108],
    ['rsa', 'CKA_UNWRAP', 0x106],
    ['rsa', 'CKA_PUBLIC_EXPONENT', 0x122],
    ['rsa', 'CKA_PRIVATE_EXPONENT', 0x123],
    ['rsa', 'CKA_PRIME_1', 0x124],
    ['rsa', 'CKA_COEFFICIENT', 0x128],
    ['rsa', 'CKA_EC_PARAMS', 0x180],
    ['ec', 'CKA_EC_PARAMS', 0x180],
    ['ec', 'CKA_VALUE', 0x11],
  ] as const)('private key %s: %s is the same, with and without room', async (kind, _, type) => {
    for (const room of [1024, 0]) {
      const [theirs, own] = await both(({ client, session, keys }) =>
        client.attribute(session, keys[kind].privateKey, type, room),
      );
      expect(own).toEqual(theirs);
    }
  });

  it('modulus and point have the same sizes, and so have their bits', async () => {
    const [theirs, own] = await both(async ({ client, session, keys }) => [
      (await client.attribute(session, keys.rsa.privateKey, 0x120, 1024)).length,
      (await client.attribute(session, keys.rsa.publicKey, 0x120, 0)).length,
      (await client.attribute(session, keys.rsa.publicKey, 0x121)).wire,
      (await client.attribute(session, keys.ec.publicKey, 0x181)).length,
      (await client.attribute(session, keys.rsa.publicKey, 0x120, 10)).rv,
    ]);
    expect(own).toEqual(theirs);
  });
});

describe('signing', () => {
  const message = randomBytes(300);
  const digest = createHash('sha256').update(message).digest();
  const info = Buffer.concat([Buffer.from('3031300d060960864801650304020105000420', 'hex'), digest]);

  function check(kind: Kind, signature: Buffer, padding?: number): boolean {
    const key = publicKeys.get(kind);
    if (key === undefined) throw new Error('no key');
    const options = { key, padding, saltLength: 32, dsaEncoding: 'ieee-p1363' } as const;
    return verify('sha256', message, options, signature);
  }

  it.each([
    ['RSA_PKCS', CKM.rsaPkcs, 'rsa', info, undefined, constants.RSA_PKCS1_PADDING],
    ['SHA256_RSA_PKCS', CKM.sha256Rsa, 'rsa', message, undefined, constants.RSA_PKCS1_PADDING],
    ['RSA_PKCS_PSS', CKM.pss, 'rsa', digest, PSS_SHA256, constants.RSA_PKCS1_PSS_PADDING],
    ['SHA256_RSA_PKCS_PSS', CKM.sha256Pss, 'rsa', message, PSS_SHA256, constants.RSA_PKCS1_PSS_PADDING],
    ['ECDSA over fewer bits than the curve has', CKM.ecdsa, 'ec', digest, undefined, undefined],
  ] as const)('%s verifies', async (_, mechanism, kind, data, parameter, padding) => {
    const own = sides[1];
    if (own === undefined) throw new Error('no side');
    const { client, session, keys } = own;
    const signature = await client.sign(session, mechanism, keys[kind].privateKey, data, parameter);
    expect(check(kind, signature, padding)).toBe(true);
  });

  it('tells the same sizes, and keeps the operation', async () => {
    const sizes = await both(async ({ client, session, keys }) => {
      const told: number[] = [];
      for (const [kind, mechanism, data] of [
        ['rsa', CKM.rsaPkcs, info],
        ['ec', CKM.ecdsa, digest],
      ] as const) {
        await client.signInit(session, mechanism, keys[kind].privateKey);
        for (const room of [0, 64, 512]) {
          const answer = await client.call('Sign', (args) => args.ulong(session).byteArray(data).u32(room));
          told.push(answer.byte(), answer.u32());
        }
      }
      return told;
    });
    expect(sizes[1]).toEqual(sizes[0]);
    expect(sizes[1]).toEqual([0, 384, 0, 384, 1, 384, 0, 96, 0, 96, 1, 96]);
  });

  it.each([
    ['ECDSA with an RSA key', CKM.ecdsa, 'rsa', undefined, CKR.keyTypeInconsistent],
    ['RSA with an EC key', CKM.rsaPkcs, 'ec', undefined, CKR.keyTypeInconsistent],
    [
      'SHA256_RSA_PKCS_PSS with parameters of SHA-384',
      CKM.sha256Pss,
      'rsa',
      [0x260, 3, 48],
      CKR.mechanismParamInvalid,
    ],
  ] as const)('%s is refused by both', async (_, mechanism, kind, parameter, expected) => {
    const [theirs, own] = await both((side) => rvOf(side, mechanism, kind, digest, parameter));
    expect(theirs).not.toBe(0);
    expect(own).toBe(expected);
  });

  it.each([
    ['bare bytes with PKCS#1 padding', CKM.rsaPkcs, 'rsa', digest, undefined, CKR.dataInvalid],
    [
      'DigestInfo with a byte too many',
      CKM.rsaPkcs,
      'rsa',
      Buffer.concat([info, Buffer.of(0)]),
      undefined,
      CKR.dataInvalid,
    ],
    ['an empty input', CKM.rsaPkcs, 'rsa', Buffer.alloc(0), undefined, CKR.dataInvalid],
    ['RSA without padding', CKM.rsaX509, 'rsa', Buffer.alloc(384), undefined, CKR.mechanismInvalid],
    ['SHA-1', CKM.sha1Rsa, 'rsa', message, undefined, CKR.mechanismInvalid],
    ['PSS without salt', CKM.pss, 'rsa', digest, [0x250, 2, 0], CKR.mechanismParamInvalid],
    ['PSS over another length', CKM.pss, 'rsa', Buffer.alloc(48), PSS_SHA256, CKR.dataLenRange],
    ['an input that is no digest', CKM.ecdsa, 'ec', Buffer.alloc(20), undefined, CKR.dataLenRange],
  ] as const)('%s is refused by us', async (_, mechanism, kind, data, parameter, expected) => {
    const own = sides[1];
    if (own === undefined) throw new Error('no side');
    expect(await rvOf(own, mechanism, kind, data, parameter)).toBe(expected);
  });

  it('an operation that was refused leaves the session free', async () => {
    const own = sides[1];
    if (own === undefined) throw new Error('no side');
    expect(await rvOf(own, CKM.rsaPkcs, 'rsa', digest)).toBe(CKR.dataInvalid);
    expect(await rvOf(own, CKM.rsaPkcs, 'rsa', info)).toBe(0);
  });
});
