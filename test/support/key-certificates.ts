/** Certificates of keys as a root ceremony would hand them out, signed by software roots. */
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { pae } from '../../src/encoding/dsse-pae.js';
import { keyIdOf } from '../../src/crypto/key-id.js';
import { encodeEnvelope } from '../../src/formats/dsse.js';
import {
  KEY_CERTIFICATE_TYPE,
  keyCertificatePayload,
  type KeyCertificate,
} from '../../src/formats/key-certificate/document.js';
import type { KeyAlgorithm } from '../../src/crypto/algorithms.js';

export interface SoftwareRoot {
  readonly algorithm: KeyAlgorithm;
  readonly spki: Buffer;
  readonly keyId: string;
  readonly privateKey: KeyObject;
}

function pairOf(algorithm: KeyAlgorithm): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  switch (algorithm) {
    case 'ecdsa-p256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'ecdsa-p384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' });
    case 'ed25519':
      return generateKeyPairSync('ed25519');
    case 'rsa-3072':
      return generateKeyPairSync('rsa', { modulusLength: 3072 });
  }
}

export function softwareRoot(algorithm: KeyAlgorithm = 'ecdsa-p256'): SoftwareRoot {
  const { publicKey, privateKey } = pairOf(algorithm);
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  return { algorithm, spki, keyId: keyIdOf(spki), privateKey };
}

/** A certificate for a key, good from an hour ago for an hour, with what `changes` says. */
export function certificateFor(
  key: { readonly spki: Buffer; readonly algorithm?: KeyAlgorithm },
  changes: Partial<KeyCertificate> = {},
): KeyCertificate {
  return {
    action: 'certify',
    repository: 'registry.example/acme/app',
    role: 'cosign',
    keyId: keyIdOf(key.spki),
    publicKey: key.spki.toString('base64'),
    algorithm: key.algorithm ?? 'ecdsa-p256',
    epoch: 1,
    kinds: ['oci.*'],
    notBefore: secondsFromNow(-3600),
    notAfter: secondsFromNow(3600),
    previous: null,
    ...changes,
  };
}

/** RFC 3339 in whole seconds. */
export function secondsFromNow(seconds: number): string {
  return new Date(Date.now() + seconds * 1000).toISOString().replace(/\.\d{3}Z$/, 'Z');
}

/** The envelope, signed by each of the roots, with key ids unless told otherwise. */
export function certificateEnvelope(
  certificate: KeyCertificate,
  roots: readonly SoftwareRoot[],
  { withIds = true } = {},
): Buffer {
  const payload = keyCertificatePayload(certificate);
  const message = pae(KEY_CERTIFICATE_TYPE, payload);
  const signatures = roots.map((root) => ({
    ...(withIds ? { keyid: root.keyId } : {}),
    sig: sign(hashOf(root.algorithm), message, root.privateKey),
  }));
  return Buffer.from(encodeEnvelope({ payloadType: KEY_CERTIFICATE_TYPE, payload, signatures }), 'utf8');
}

function hashOf(algorithm: KeyAlgorithm): string | null {
  if (algorithm === 'ed25519') return null;
  return algorithm === 'ecdsa-p384' ? 'sha384' : 'sha256';
}
