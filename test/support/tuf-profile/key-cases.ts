/** Fixtures of the rules about keys. */
import { p256, p384 } from '@noble/curves/nist.js';
import { spkiFromRaw } from '../../../src/crypto/public-key.js';
import { encodePem } from '../../../src/encoding/pem.js';
import { tufKeyIdOf, type TufKey } from '../../../src/formats/tuf/key.js';
import { at, type Case, type Json } from './case.js';
import { ALICE, BOB, ecdsaKey, secret } from './fixed-key.js';

function p384Key(): TufKey {
  const spki = spkiFromRaw('ecdsa-p384', p384.getPublicKey(Buffer.alloc(48, 7), false));
  return {
    keytype: 'ecdsa',
    scheme: 'ecdsa-sha2-nistp384',
    keyval: { public: encodePem('PUBLIC KEY', spki) },
  };
}

function addKey(signed: Json, key: unknown, id: string): void {
  at(signed, 'keys')[id] = key;
}

function addOwnKey(signed: Json, key: TufKey): void {
  addKey(signed, key, tufKeyIdOf(key));
}

const OLD_TYPE = { ...BOB.key, keytype: 'ecdsa-sha2-nistp256' };
const POINT = {
  ...BOB.key,
  keyval: { public: Buffer.from(p256.getPublicKey(secret('dora'), false)).toString('hex') },
};
const NAMED = { ...ecdsaKey('erin').key, 'x-owner': '@erin' };
const POST_QUANTUM = { keytype: 'ml-dsa', scheme: 'ml-dsa-65', keyval: { public: 'ab'.repeat(32) } };

export const KEY_CASES: readonly Case[] = [
  { rule: 'key-type', type: 'root', expected: 'portable', note: 'ECDSA and Ed25519' },
  {
    rule: 'key-type',
    type: 'root',
    expected: 'finding',
    note: 'a key of a type that nobody knows, in no role',
    change: (signed) => {
      addOwnKey(signed, POST_QUANTUM);
    },
  },
  { rule: 'ecdsa-curve', type: 'root', expected: 'portable', note: 'P-256' },
  {
    rule: 'ecdsa-curve',
    type: 'root',
    expected: 'finding',
    note: 'P-384',
    change: (signed) => {
      addOwnKey(signed, p384Key());
    },
  },
  {
    rule: 'key-form',
    type: 'root',
    expected: 'portable',
    note: 'PEM without its final newline',
    change: (signed) => {
      const { key } = ecdsaKey('frank');
      addOwnKey(signed, { ...key, keyval: { public: key.keyval.public.trimEnd() } });
    },
  },
  {
    rule: 'key-form',
    type: 'root',
    expected: 'finding',
    note: 'a point in hex',
    change: (signed) => {
      addOwnKey(signed, POINT);
    },
  },
  {
    rule: 'key-form',
    type: 'root',
    expected: 'finding',
    note: 'the old name of the type',
    change: (signed) => {
      addOwnKey(signed, { ...ecdsaKey('grace').key, keytype: OLD_TYPE.keytype });
    },
  },
  {
    rule: 'key-fields',
    type: 'root',
    expected: 'portable',
    note: 'keyid_hash_algorithms, which all clients know',
    change: (signed) => {
      addOwnKey(signed, { ...ecdsaKey('heidi').key, keyid_hash_algorithms: ['sha256', 'sha512'] });
    },
  },
  {
    rule: 'key-fields',
    type: 'root',
    expected: 'finding',
    note: 'the name of a person inside the key',
    change: (signed) => {
      addOwnKey(signed, NAMED);
    },
  },
  { rule: 'key-id', type: 'root', expected: 'portable', note: 'SHA-256 of the whole key object' },
  {
    rule: 'key-id',
    type: 'root',
    expected: 'finding',
    note: 'a key that is called ivan',
    change: (signed) => {
      addKey(signed, ecdsaKey('ivan').key, 'ivan');
    },
  },
  { rule: 'one-key-one-id', type: 'root', expected: 'portable', note: 'four keys, four ids' },
  {
    rule: 'one-key-one-id',
    type: 'root',
    expected: 'finding',
    note: 'the key of Bob twice, written differently: two of three by one person',
    change: (signed) => {
      const twin = { ...BOB.key, keyval: { public: BOB.key.keyval.public.trimEnd() } };
      addOwnKey(signed, twin);
      at(signed, 'roles', 'root')['keyids'] = [ALICE.id, BOB.id, tufKeyIdOf(twin)];
    },
  },
];
