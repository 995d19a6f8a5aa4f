/** Signatures of Notary v1 documents: which method goes with which key, and how a threshold is met. */
import { constants, verify, type KeyObject } from 'node:crypto';
import { canonicalKeyId, publicKeyOf, type NotaryKey, type NotaryKeyType } from './key.js';

export interface NotarySignature {
  /** TUF id of the key. */
  readonly keyid: string;
  readonly method: string;
  readonly sig: Buffer;
}

const PSS_SALT_BYTES = 32;

/** The method that a writer names beside a signature of such a key. */
export function signatureMethod(keytype: NotaryKeyType): 'ecdsa' | 'rsapss' | 'eddsa' {
  if (keytype === 'ed25519') return 'eddsa';
  return keytype === 'rsa' || keytype === 'rsa-x509' ? 'rsapss' : 'ecdsa';
}

/** Whether the signature is one over `message`, the canonical bytes; the digest is SHA-256 for every curve. */
export function isSignatureBy(
  key: NotaryKey,
  { method, sig }: NotarySignature,
  message: Uint8Array,
): boolean {
  try {
    return verifyWith(publicKeyOf(key), method.toLowerCase(), sig, message);
  } catch {
    return false;
  }
}

/**
 * TUF ids of the keys that signed, out of those that a role names. A key counts once, whatever certificates it appears in; ids that the
 * role does not name are passed over.
 */
export function signersOf(
  message: Uint8Array,
  signatures: readonly NotarySignature[],
  keyids: readonly string[],
  keys: ReadonlyMap<string, NotaryKey>,
): readonly string[] {
  const found = new Map<string, string>();
  for (const signature of signatures) {
    const key = keyids.includes(signature.keyid) ? keys.get(signature.keyid) : undefined;
    if (key === undefined || !isSignatureBy(key, signature, message)) continue;
    const canonical = canonicalKeyId(key);
    if (!found.has(canonical)) found.set(canonical, signature.keyid);
  }
  return [...found.values()];
}

function verifyWith(key: KeyObject, method: string, sig: Buffer, message: Uint8Array): boolean {
  switch (method) {
    case 'ecdsa':
      return (
        key.asymmetricKeyType === 'ec' && verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, sig)
      );
    case 'eddsa':
      return key.asymmetricKeyType === 'ed25519' && verify(null, message, key, sig);
    case 'rsapss':
      return verifyPss(key, PSS_SALT_BYTES, sig, message);
    case 'pycrypto-pkcs#1 pss':
      return verifyPss(key, constants.RSA_PSS_SALTLEN_AUTO, sig, message);
    case 'rsapkcs1v15':
      return key.asymmetricKeyType === 'rsa' && verify('sha256', message, key, sig);
    default:
      return false;
  }
}

function verifyPss(key: KeyObject, saltLength: number, sig: Buffer, message: Uint8Array): boolean {
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  return key.asymmetricKeyType === 'rsa' && verify('sha256', message, { key, padding, saltLength }, sig);
}
