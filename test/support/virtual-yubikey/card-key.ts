/** A private key on the card: what the PIV algorithms do with it, and nothing about who may. */
import {
  constants,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  privateEncrypt,
  type KeyObject,
} from 'node:crypto';
import { p256, p384 } from '@noble/curves/nist.js';
import { ecdsaDerFromRaw } from '../../../src/encoding/der.js';
import { StatusWordError, SW } from './status-word.js';
import { tlv } from './tlv.js';

/** Numbers of SP 800-78. */
export const ALGORITHM = { rsa2048: 0x07, p256: 0x11, p384: 0x14 } as const;
export type AlgorithmNumber = (typeof ALGORITHM)[keyof typeof ALGORITHM];

const RSA_BYTES = 256;
const EXPONENT = 65_537n;
const CURVES = {
  [ALGORITHM.p256]: { curve: p256, name: 'P-256', bytes: 32 },
  [ALGORITHM.p384]: { curve: p384, name: 'P-384', bytes: 48 },
} as const;

export interface CardKey {
  readonly algorithm: AlgorithmNumber;
  /** As GENERATE and METADATA give it: point (86), or modulus (81) and exponent (82). */
  readonly publicPoint: Buffer;
  readonly publicKey: KeyObject;
  /** Raw signature operation: ECDSA over a digest (DER), or RSA without padding over 256 bytes. @throws StatusWordError 6a80 */
  sign(input: Buffer): Buffer;
  /** x coordinate. @throws StatusWordError 6a80 for RSA, and for points that are not on the curve */
  agree(point: Buffer): Buffer;
}

/** @throws StatusWordError 6a80 for an algorithm that this card does not have */
export function requireAlgorithm(number: number | undefined): AlgorithmNumber {
  const known = Object.values(ALGORITHM).find((each) => each === number);
  if (known === undefined) throw new StatusWordError(SW.wrongData);
  return known;
}

export function generateKey(algorithm: AlgorithmNumber): CardKey {
  if (algorithm === ALGORITHM.rsa2048)
    return rsaKey(generateKeyPairSync('rsa', { modulusLength: RSA_BYTES * 8 }).privateKey);
  return ecKey(algorithm, Buffer.from(CURVES[algorithm].curve.utils.randomSecretKey()));
}

/** @throws StatusWordError 6a80 when the scalar is none of the curve */
export function ecKey(
  algorithm: Exclude<AlgorithmNumber, typeof ALGORITHM.rsa2048>,
  scalar: Buffer,
): CardKey {
  const { curve, name, bytes } = CURVES[algorithm];
  if (!curve.utils.isValidSecretKey(scalar)) throw new StatusWordError(SW.wrongData);
  const point = Buffer.from(curve.getPublicKey(scalar, false));
  const x = point.subarray(1, 1 + bytes).toString('base64url');
  const y = point.subarray(1 + bytes).toString('base64url');
  return {
    algorithm,
    publicPoint: tlv(0x86, point),
    publicKey: createPublicKey({ key: { kty: 'EC', crv: name, x, y }, format: 'jwk' }),
    sign: (digest) => {
      if (digest.length === 0 || digest.length > bytes) throw new StatusWordError(SW.wrongData);
      const options = { prehash: false, lowS: false, extraEntropy: true };
      return ecdsaDerFromRaw(curve.sign(padded(digest, bytes), scalar, options));
    },
    agree: (peer) => {
      if (peer.length !== 1 + 2 * bytes) throw new StatusWordError(SW.wrongData);
      try {
        return Buffer.from(curve.getSharedSecret(scalar, peer, false).subarray(1, 1 + bytes));
      } catch {
        throw new StatusWordError(SW.wrongData);
      }
    },
  };
}

/** From the two primes and the CRT values of IMPORT. @throws StatusWordError 6a80 */
export function importRsaKey(parts: ReadonlyMap<number, Buffer>): CardKey {
  const [p, q, dp, dq, qi] = [1, 2, 3, 4, 5].map((tag) => parts.get(tag));
  if (p === undefined || q === undefined || dp === undefined || dq === undefined || qi === undefined)
    throw new StatusWordError(SW.wrongData);
  const [pNumber, qNumber] = [numberOf(p), numberOf(q)];
  const d = inverse(EXPONENT, (pNumber - 1n) * (qNumber - 1n));
  const jwk = {
    kty: 'RSA',
    n: base64url(bytesOf(pNumber * qNumber)),
    e: base64url(bytesOf(EXPONENT)),
    d: base64url(bytesOf(d)),
    p: base64url(p),
    q: base64url(q),
    dp: base64url(dp),
    dq: base64url(dq),
    qi: base64url(qi),
  };
  try {
    return rsaKey(createPrivateKey({ key: jwk, format: 'jwk' }));
  } catch {
    throw new StatusWordError(SW.wrongData);
  }
}

function rsaKey(privateKey: KeyObject): CardKey {
  const publicKey = createPublicKey(privateKey);
  const { n = '', e = '' } = publicKey.export({ format: 'jwk' });
  return {
    algorithm: ALGORITHM.rsa2048,
    publicPoint: Buffer.concat([
      tlv(0x81, Buffer.from(n, 'base64url')),
      tlv(0x82, Buffer.from(e, 'base64url')),
    ]),
    publicKey,
    sign: (input) => {
      if (input.length !== RSA_BYTES) throw new StatusWordError(SW.wrongData);
      try {
        return privateEncrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, input);
      } catch {
        throw new StatusWordError(SW.wrongData);
      }
    },
    agree: () => {
      throw new StatusWordError(SW.wrongData);
    },
  };
}

function numberOf(bytes: Buffer): bigint {
  return BigInt(`0x0${bytes.toString('hex')}`);
}

function bytesOf(number: bigint): Buffer {
  const hex = number.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
}

function base64url(bytes: Buffer): string {
  return bytes.toString('base64url');
}

/** Extended Euclid; 0 when there is none. */
function inverse(value: bigint, modulus: bigint): bigint {
  let [previous, current, before, factor] = [modulus, value % (modulus || 1n), 0n, 1n];
  while (current > 0n) {
    const quotient = previous / current;
    [previous, current, before, factor] = [
      current,
      previous - quotient * current,
      factor,
      before - quotient * factor,
    ];
  }
  if (previous !== 1n) return 0n;
  return before < 0n ? before + modulus : before;
}

/** A digest shorter than the curve is a number with zeros in front. */
function padded(digest: Buffer, bytes: number): Buffer {
  return Buffer.concat([Buffer.alloc(bytes - digest.length), digest]);
}
