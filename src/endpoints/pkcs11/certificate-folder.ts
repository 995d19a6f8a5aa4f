/**
 * Certificates that go with keys: `certificates/KEYID.pem` in the state folder, one certificate each. They are public; a file that
 * does not hold a certificate of that very key counts as none.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { keyIdOf } from '../../crypto/key-id.js';
import { certificateNames, type CertificateNames } from './certificate-names.js';

export interface KeyCertificate extends CertificateNames {
  /** DER. */
  readonly der: Buffer;
}

interface Known {
  readonly stamp: string;
  readonly certificate: KeyCertificate | undefined;
}

const MAX_FILE_BYTES = 64 * 1024;

export class CertificateFolder {
  readonly #path: string;
  readonly #known = new Map<string, Known>();

  /** @param path absolute; need not exist */
  constructor(path: string) {
    this.#path = path;
  }

  /**
   * The certificate of a key as the file stands now; the same object as long as the file does not change.
   * @param keyId lower-case hex
   */
  find(keyId: string): KeyCertificate | undefined {
    const file = join(this.#path, `${keyId}.pem`);
    const facts = statSync(file, { throwIfNoEntry: false });
    if (facts === undefined || !facts.isFile() || facts.size > MAX_FILE_BYTES) return undefined;
    const stamp = `${facts.mtimeMs} ${facts.size} ${facts.ino}`;
    const known = this.#known.get(keyId);
    if (known?.stamp === stamp) return known.certificate;
    const certificate = readCertificate(file, keyId);
    this.#known.set(keyId, { stamp, certificate });
    return certificate;
  }
}

function readCertificate(file: string, keyId: string): KeyCertificate | undefined {
  try {
    const parsed = new X509Certificate(readFileSync(file));
    const spki = parsed.publicKey.export({ type: 'spki', format: 'der' });
    if (keyIdOf(spki) !== keyId) return undefined;
    return { der: parsed.raw, ...certificateNames(parsed.raw) };
  } catch {
    return undefined;
  }
}
