/** Signature verification. The keeper checks every on-token signature with it before the signature leaves. */
import { verify, type KeyObject } from 'node:crypto';
import { p256 } from '@noble/curves/nist.js';
import { AgentError } from '../errors/agent-error.js';
import { ALGORITHMS, type KeyAlgorithm } from './algorithms.js';
import { importPublicKey, rawFromSpki } from './public-key.js';

/** A public key made ready once, for many verifications. */
export class Verifier {
  readonly algorithm: KeyAlgorithm;
  readonly #key: KeyObject;
  readonly #raw: Buffer;

  /** @throws AgentError `usage.invalid` when `spki` is not a key of this algorithm. */
  constructor(spki: Uint8Array, algorithm: KeyAlgorithm) {
    const { algorithm: found, raw } = rawFromSpki(spki);
    if (found !== algorithm) {
      throw new AgentError('usage.invalid', {
        message: `reading a public key: it is ${found}, not ${algorithm}`,
      });
    }
    this.algorithm = algorithm;
    this.#key = importPublicKey(spki);
    this.#raw = Buffer.from(raw);
  }

  /** Whether `signature` (64 bytes, r||s for ECDSA) is over `message`. */
  verify(message: Uint8Array, signature: Uint8Array): boolean {
    const { hash, signatureBytes } = ALGORITHMS[this.algorithm];
    if (signature.length !== signatureBytes) return false;
    return verify(hash, message, { key: this.#key, dsaEncoding: 'ieee-p1363' }, signature);
  }

  /**
   * Whether an ECDSA `signature` (r||s) is over this 32-byte digest; false for Ed25519. Slow (about 1 ms): node:crypto cannot
   * verify a digest, and only blind requests need it.
   */
  verifyDigest(digest: Uint8Array, signature: Uint8Array): boolean {
    if (this.algorithm !== 'ecdsa-p256' || digest.length !== 32) return false;
    if (signature.length !== ALGORITHMS[this.algorithm].signatureBytes) return false;
    return p256.verify(signature, digest, this.#raw, { prehash: false, lowS: false, format: 'compact' });
  }
}

/** One verification; `spki` is DER SubjectPublicKeyInfo, `signature` 64 bytes (r||s for ECDSA). */
export function verifySignature(
  spki: Uint8Array,
  algorithm: KeyAlgorithm,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  return new Verifier(spki, algorithm).verify(message, signature);
}
