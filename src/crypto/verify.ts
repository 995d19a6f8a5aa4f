/** Signature verification. The keeper checks every on-token signature with it before the signature leaves. */
import { constants, verify, type KeyObject } from 'node:crypto';
import { nativeShims } from '../platform/native-shims.js';
import { ALGORITHMS, type HashName, type KeyAlgorithm, type RsaScheme } from './algorithms.js';
import { importPublicKey, rawFromSpki } from './public-key.js';
import { verifyPkcs1Digest, verifyPssDigest } from './rsa-digest.js';

/** A public key made ready once, for many verifications. */
export class Verifier {
  readonly algorithm: KeyAlgorithm;
  readonly #key: KeyObject;
  readonly #spki: Buffer;

  /** @throws AgentError `usage.invalid` when `spki` is not a key of the algorithm table. */
  constructor(spki: Uint8Array) {
    this.algorithm = rawFromSpki(spki).algorithm;
    this.#key = importPublicKey(spki);
    this.#spki = Buffer.from(spki);
  }

  /** Whether `signature` (r||s for ECDSA) is over `message`; `scheme` is for RSA alone. */
  verify(message: Uint8Array, signature: Uint8Array, scheme?: RsaScheme): boolean {
    const { hash, signatureBytes } = ALGORITHMS[this.algorithm];
    if (signature.length !== signatureBytes) return false;
    if (this.algorithm !== 'rsa-3072') {
      return verify(hash, message, { key: this.#key, dsaEncoding: 'ieee-p1363' }, signature);
    }
    const { hash: rsaHash, isPss } = schemeFacts(scheme);
    const padding = isPss ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
    const saltLength = constants.RSA_PSS_SALTLEN_DIGEST;
    return verify(rsaHash, message, { key: this.#key, padding, saltLength }, signature);
  }

  /**
   * Whether `signature` is over this digest, or what `digestForKey` makes of it; false for Ed25519.
   * @throws AgentError `native.missing`: node:crypto cannot verify an ECDSA signature over a digest
   */
  verifyDigest(digest: Uint8Array, signature: Uint8Array, scheme?: RsaScheme): boolean {
    const { signatureBytes } = ALGORITHMS[this.algorithm];
    const fitted = digestForKey(this.algorithm, digest, scheme);
    if (fitted === undefined) return false;
    if (signature.length !== signatureBytes) return false;
    if (this.algorithm === 'rsa-3072') {
      const { hash, isPss } = schemeFacts(scheme);
      return (isPss ? verifyPssDigest : verifyPkcs1Digest)(this.#key, hash, fitted, signature);
    }
    return nativeShims().ecdsaVerifyDigest(this.#spki, fitted, signature);
  }
}

/** Bytes of the digest that a key of this algorithm signs; undefined for Ed25519, which signs none. */
export function digestBytes(algorithm: KeyAlgorithm, scheme?: RsaScheme): number | undefined {
  const hash = algorithm === 'rsa-3072' ? schemeFacts(scheme).hash : ALGORITHMS[algorithm].hash;
  return hash === null ? undefined : Number(hash.slice('sha'.length)) / 8;
}

/** Digests of SHA-2 that callers bring themselves. Bytes. */
const SHA2_BYTES: readonly number[] = [32, 48, 64];

/**
 * What a key signs of a digest of SHA-256, SHA-384 or SHA-512. For ECDSA a digest is a number (FIPS 186-5 section 6.4.1): of one that
 * is longer than the curve the leftmost bits count, a shorter one gets zeros in front. For RSA it has to be of the scheme's own hash.
 * @returns undefined where the key signs no such digest
 */
export function digestForKey(
  algorithm: KeyAlgorithm,
  digest: Uint8Array,
  scheme?: RsaScheme,
): Uint8Array | undefined {
  const length = digestBytes(algorithm, scheme);
  if (digest.length === length) return digest;
  if (length === undefined || algorithm === 'rsa-3072' || !SHA2_BYTES.includes(digest.length))
    return undefined;
  if (digest.length > length) return digest.subarray(0, length);
  return Buffer.concat([Buffer.alloc(length - digest.length), digest]);
}

/** Hash and padding of a scheme; PKCS#1 v1.5 with SHA-256 when none is named. */
export function schemeFacts(scheme: RsaScheme = 'rsa-pkcs1-sha256'): { hash: HashName; isPss: boolean } {
  const hash = scheme.slice(scheme.lastIndexOf('-') + 1) as HashName;
  return { hash, isPss: scheme.startsWith('rsa-pss-') };
}

/**
 * One verification; `spki` is DER SubjectPublicKeyInfo, `signature` r||s for ECDSA, `scheme` for RSA alone. False too when the key is not
 * of the algorithm that its record names.
 * @throws AgentError `usage.invalid` when `spki` is not a key of the algorithm table.
 */
export function verifySignature(
  spki: Uint8Array,
  algorithm: KeyAlgorithm,
  message: Uint8Array,
  signature: Uint8Array,
  scheme?: RsaScheme,
): boolean {
  const verifier = new Verifier(spki);
  return verifier.algorithm === algorithm && verifier.verify(message, signature, scheme);
}
