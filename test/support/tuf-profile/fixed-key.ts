/** Keys that are the same each time, with signatures that are. */
import { p256 } from '@noble/curves/nist.js';
import { createHash, createPrivateKey, sign, type KeyObject } from 'node:crypto';
import { spkiFromRaw } from '../../../src/crypto/public-key.js';
import { tufKeyIdOf, tufKeyOf, type TufKey } from '../../../src/formats/tuf/key.js';

export interface FixedKey {
  readonly key: TufKey;
  readonly id: string;
  readonly sign: (message: Buffer) => string;
}

/** 32 bytes. */
export function secret(name: string): Buffer {
  return createHash('sha256').update(`touchstone test key ${name}`).digest();
}

export function ecdsaKey(name: string): FixedKey {
  const scalar = secret(name);
  const key = tufKeyOf(spkiFromRaw('ecdsa-p256', p256.getPublicKey(scalar, false)));
  return {
    key,
    id: tufKeyIdOf(key),
    sign: (message) =>
      Buffer.from(p256.sign(message, scalar, { format: 'der', lowS: false })).toString('hex'),
  };
}

function ed25519Key(name: string): FixedKey {
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), secret(name)]);
  const held: KeyObject = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  const { x = '' } = held.export({ format: 'jwk' });
  const key = tufKeyOf(spkiFromRaw('ed25519', Buffer.from(x, 'base64url')));
  return { key, id: tufKeyIdOf(key), sign: (message) => sign(null, message, held).toString('hex') };
}

export const ALICE = ecdsaKey('alice');
export const BOB = ecdsaKey('bob');
export const CAROL = ecdsaKey('carol');
export const ONLINE = ed25519Key('online');
export const TEAM = ecdsaKey('team');
