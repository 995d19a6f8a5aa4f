/** Documents of Docker Content Trust to sign: small, valid, and different where a test needs them to be. */
import { createHash } from 'node:crypto';
import { ecdsaDerFromRaw } from '../../src/encoding/der.js';
import { encodePem } from '../../src/encoding/pem.js';
import {
  notaryKeyFromCertificates,
  notaryKeyFromSpki,
  tufKeyId,
  type NotaryKey,
} from '../../src/formats/notary1/key.js';
import { fileMetaOf, signedBytesOf } from '../../src/formats/notary1/writer.js';
import { buildTbs, sealTbs } from '../../src/formats/x509-tbs.js';
import { softwareKey } from './software-keyring.js';

const EXPIRES = '2036-01-01T00:00:00Z';

/** Hex SHA-256 of a document, as the guard knows it. */
export function hashOf(document: Uint8Array): string {
  return createHash('sha256').update(document).digest('hex');
}

/** @param tags name of each tag, and the content that its digest is of */
export function targetsBytes(version: number, tags: Readonly<Record<string, string>>): Buffer {
  const targets = new Map(
    Object.entries(tags).map(([name, content]) => [
      name,
      { hashes: { sha256: hashOf(Buffer.from(content)) }, length: content.length },
    ]),
  );
  return signedBytesOf({
    type: 'targets',
    version,
    expires: EXPIRES,
    targets,
    delegations: { keys: new Map(), roles: [] },
  });
}

/** A snapshot over files that hold `content`. */
export function snapshotBytes(version: number, content: string): Buffer {
  const meta = new Map(
    ['root', 'targets'].map((role) => [role, fileMetaOf(Buffer.from(`${role} ${content}`))]),
  );
  return signedBytesOf({ type: 'snapshot', version, expires: EXPIRES, meta });
}

/** @param certificates PEM of each root key; the first one's key also stands in for the other roles */
export function rootBytes(version: number, certificates: readonly string[]): Buffer {
  const roots = certificates.map(notaryKeyFromCertificates);
  const bare = notaryKeyFromSpki(Buffer.from(softwareKey().publicKey, 'base64'));
  const keys = new Map<string, NotaryKey>([...roots, bare].map((key) => [tufKeyId(key), key]));
  const other = { keyids: [tufKeyId(bare)], threshold: 1 };
  return signedBytesOf({
    type: 'root',
    version,
    expires: EXPIRES,
    consistentSnapshot: false,
    keys,
    roles: {
      root: { keyids: roots.map(tufKeyId), threshold: 1 },
      targets: other,
      snapshot: other,
      timestamp: other,
    },
  });
}

/** The certificate of a root key before it is signed. @param spki DER, base64 */
export function rootTbs(commonName: string, spki: string): Buffer {
  const key = Buffer.from(spki, 'base64');
  const name = { CN: commonName };
  return buildTbs({
    profile: 'repository',
    serial: Buffer.from('1234', 'hex'),
    issuer: name,
    subject: name,
    notBefore: new Date('2026-01-02T03:04:05Z'),
    notAfter: new Date('2036-01-02T03:04:05Z'),
    spki: key,
    issuerSpki: key,
  });
}

/** PEM of a certificate. @param signature r||s; nobody checks it, so a test may leave it out */
export function rootCertificate(tbs: Uint8Array, signature: Uint8Array = Buffer.alloc(64, 1)): string {
  return encodePem('CERTIFICATE', sealTbs(tbs, ecdsaDerFromRaw(signature)));
}
