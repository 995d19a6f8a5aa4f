/**
 * Keys as Notary v1 documents hold them, and their two ids: the TUF id over the object as it stands, and the canonical id over the bare
 * public key, by which key files, key listings and signers know a key whatever certificate it is wrapped in.
 */
import type { X509Certificate } from 'node:crypto';
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { rawFromSpki, spkiFromRaw } from '../../crypto/public-key.js';
import { decodeBase64, encodeBase64 } from '../../encoding/base64.js';
import { canonicalJson } from '../../encoding/canonical-json.js';
import { AgentError } from '../../errors/agent-error.js';
import { splitCertificates } from './certificate-chain.js';

export const KEY_TYPES = ['ecdsa', 'ecdsa-x509', 'rsa', 'rsa-x509', 'ed25519'] as const;

const MIN_RSA_BITS = 2048;

export type NotaryKeyType = (typeof KEY_TYPES)[number];

export interface NotaryKey {
  readonly keytype: NotaryKeyType;
  /** Base64 of DER SubjectPublicKeyInfo, of PEM certificates (`-x509`), or of 32 raw bytes (`ed25519`). */
  readonly public: string;
}

/** @throws AgentError `usage.invalid` for another key than P-256, P-384, Ed25519 or RSA-3072 */
export function notaryKeyFromSpki(spki: Uint8Array): NotaryKey {
  const { algorithm, raw } = rawFromSpki(spki);
  if (algorithm === 'ed25519') return { keytype: 'ed25519', public: encodeBase64(raw) };
  const keytype = algorithm === 'rsa-3072' ? 'rsa' : 'ecdsa';
  return { keytype, public: encodeBase64(spki) };
}

/** @param pem certificates, leaf first @throws AgentError `notary.document` */
export function notaryKeyFromCertificates(pem: string): NotaryKey {
  const [leaf] = splitCertificates(pem);
  if (leaf === undefined) throw invalidKey('there is no certificate');
  const type = leaf.publicKey.asymmetricKeyType;
  if (type !== 'ec' && type !== 'rsa') throw invalidKey('the certificate holds neither an EC nor an RSA key');
  return {
    keytype: type === 'ec' ? 'ecdsa-x509' : 'rsa-x509',
    public: encodeBase64(Buffer.from(pem, 'utf8')),
  };
}

/** The object as documents carry it: `private` is always there and always null, else the id is another one. */
export function keyObjectJson(key: NotaryKey): object {
  return { keytype: key.keytype, keyval: { private: null, public: key.public } };
}

/** Lower-case hex SHA-256 of the canonical JSON of the key object. */
export function tufKeyId(key: NotaryKey): string {
  return sha256(canonicalJson(keyObjectJson(key), 'computing a key id', 'notary.document'));
}

/** The TUF id of the bare public key inside. @throws AgentError `notary.document` */
export function canonicalKeyId(key: NotaryKey): string {
  if (!isCertified(key)) return tufKeyId(key);
  const spki = publicKeyOf(key).export({ format: 'der', type: 'spki' });
  return tufKeyId({ keytype: key.keytype === 'rsa-x509' ? 'rsa' : 'ecdsa', public: encodeBase64(spki) });
}

/** DER SubjectPublicKeyInfo. @throws AgentError `notary.document` */
export function notarySpki(key: NotaryKey): Buffer {
  return publicKeyOf(key).export({ format: 'der', type: 'spki' });
}

/** @throws AgentError `notary.document` when there is no usable key inside; RSA has 2048 bits or more */
export function publicKeyOf(key: NotaryKey): KeyObject {
  const bytes = decodeBase64(key.public, 'reading a key', 'notary.document');
  try {
    const made = isCertified(key) ? leafOf(bytes).publicKey : importBare(key.keytype, bytes);
    const { modulusLength = MIN_RSA_BITS } = made.asymmetricKeyDetails ?? {};
    if (made.asymmetricKeyType === ASYMMETRIC_TYPES[key.keytype] && modulusLength >= MIN_RSA_BITS)
      return made;
  } catch (cause) {
    if (cause instanceof AgentError) throw cause;
  }
  throw invalidKey(`it is not a key of type ${key.keytype}`);
}

/** Whether the key comes wrapped in certificates. */
export function isCertified(key: NotaryKey): boolean {
  return key.keytype.endsWith('-x509');
}

const ASYMMETRIC_TYPES = {
  ecdsa: 'ec',
  'ecdsa-x509': 'ec',
  rsa: 'rsa',
  'rsa-x509': 'rsa',
  ed25519: 'ed25519',
} as const;

function importBare(keytype: NotaryKeyType, bytes: Buffer): KeyObject {
  const spki = keytype === 'ed25519' ? spkiFromRaw('ed25519', bytes) : bytes;
  return createPublicKey({ key: spki, format: 'der', type: 'spki' });
}

function leafOf(pem: Buffer): X509Certificate {
  const [leaf] = splitCertificates(pem.toString('utf8'));
  if (leaf === undefined) throw invalidKey('there is no certificate');
  return leaf;
}

function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

function invalidKey(problem: string): AgentError {
  return new AgentError('notary.document', { message: `reading a key: ${problem}` });
}
