/** The key algorithms that travel here, and what tells their keys apart in PKCS#11 (v2.40 current mechanisms, sections 2.1 and 2.3). */
import type { KeyAlgorithm } from '../../crypto/algorithms.js';
import { rawFromSpki } from '../../crypto/public-key.js';
import { CKA, CKK } from './cryptoki.js';

/** No version of p11-kit carries Ed25519. */
export type DoorAlgorithm = Exclude<KeyAlgorithm, 'ed25519'>;

export interface KeyValues {
  /** Of private and public key. */
  readonly both: readonly [number, number | Uint8Array][];
  readonly publicKey: readonly [number, number | Uint8Array][];
}

/** OIDs of the named curves (RFC 5480). */
const CURVES = {
  'ecdsa-p256': Buffer.from('06082a8648ce3d030107', 'hex'),
  'ecdsa-p384': Buffer.from('06052b81040022', 'hex'),
} as const;
const OCTET_STRING = 0x04;
const RSA_EXPONENT = Buffer.of(1, 0, 1);

export function isDoorAlgorithm(algorithm: KeyAlgorithm): algorithm is DoorAlgorithm {
  return algorithm !== 'ed25519';
}

/** @param spki of a key of that algorithm */
export function keyValues(algorithm: DoorAlgorithm, spki: Buffer): KeyValues {
  const { raw } = rawFromSpki(spki);
  if (algorithm === 'rsa-3072') {
    return {
      both: [
        [CKA.KEY_TYPE, CKK.RSA],
        [CKA.MODULUS, raw],
        [CKA.PUBLIC_EXPONENT, RSA_EXPONENT],
      ],
      publicKey: [[CKA.MODULUS_BITS, raw.length * 8]],
    };
  }
  return {
    both: [
      [CKA.KEY_TYPE, CKK.EC],
      [CKA.EC_PARAMS, CURVES[algorithm]],
    ],
    // The uncompressed point inside a DER OCTET STRING.
    publicKey: [[CKA.EC_POINT, Buffer.concat([Buffer.of(OCTET_STRING, raw.length), raw])]],
  };
}
