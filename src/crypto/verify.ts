/** Signature verification. The keeper checks every on-token signature with it before the signature leaves. */
import { constants, verify, type KeyObject } from 'node:crypto';
import { p256 } from '@noble/curves/nist.js';
import { ALGORITHMS, type HashName, type KeyAlgorithm, type RsaScheme } from './algorithms.js';
import { importPublicKey, rawFromSpki } from './public-key.js';

/** A public key made ready once, for many verifications. */
export class Verifier {
  readonly algorithm: KeyAlgorithm;
  readonly #key: KeyObject;
  readonly #raw: Buffer;

  /** @throws AgentError `usage.invalid` when `spki` is not a key of the algorithm table. */
  constructor(spki: Uint8Array) {
    const { algorithm, raw } = rawFromSpki(spki);
    this.algorithm = algorithm;
    this.#key = importPublicKey(spki);
    this.#raw = Buffer.from(raw);
  }

  /** Whether `signature` (r||s for ECDSA) is over `message`; `scheme` is for RSA alone. */
  verify(message: Uint8Array, signature: Uint8Array, scheme?: RsaScheme): boolean {
    const { hash, signatureBytes } = ALGORITHMS[this.algorithm];
    if (signature.length !== signatureBytes) return false;
    if (this.algorithm !== 'rsa-3072') {
      return verify(hash, message, { key: this.#key, dsaEncoding: 'ieee-p1363' }, signature);
    }
    const { hash: rsaHash, padding } = schemeFacts(scheme);
    const saltLength = constants.RSA_PSS_SALTLEN_DIGEST;
    return verify(rsaHash, message, { key: this.#key, padding, saltLength }, signature);
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

function schemeFacts(scheme: RsaScheme = 'rsa-pkcs1-sha256'): { hash: HashName; padding: number } {
  const hash = scheme.slice(scheme.lastIndexOf('-') + 1) as HashName;
  const pss = scheme.startsWith('rsa-pss-');
  return { hash, padding: pss ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING };
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
