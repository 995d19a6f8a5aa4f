/**
 * Private keys as notary and docker keep them: `private/ID.key`, PKCS#8 with PEM headers in front. Node does not read the headers, and
 * nothing here needs a key before it is really used: which key is whose, the names and headers say.
 */
import { createPrivateKey, createPublicKey, sign, type KeyObject } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { AgentError } from '../errors/agent-error.js';
import { canonicalKeyId, notaryKeyFromSpki, type NotaryKey } from '../formats/notary1/key.js';

export interface KeyFile {
  readonly path: string;
  /** Of the key, as the file is named. */
  readonly canonicalId: string;
  /** `root`, `targets`, `snapshot`, or for delegations whatever their owner called them. */
  readonly role: string | undefined;
  readonly isEncrypted: boolean;
}

const NAME = /^([0-9a-f]{64})(?:_[a-z]+)?\.key$/;
const PEM =
  /^-----BEGIN (ENCRYPTED |)PRIVATE KEY-----\n((?:[A-Za-z-]+: [^\n]*\n)*)\n?([A-Za-z0-9+/=\n]+)-----END \1PRIVATE KEY-----\n?$/;
const MAX_FILE_BYTES = 64 * 1024;
/** `private/tuf_keys/HOST/NAME/…` of old releases. */
const MAX_DEPTH = 8;

/**
 * The keys of a trust folder, as of `~/.docker/trust` or `~/.notary`.
 * @throws AgentError `usage.file` when there is no such folder
 */
export function listKeyFiles(folder: string): readonly KeyFile[] {
  const found = filesIn(join(folder, 'private'), MAX_DEPTH) ?? filesIn(folder, MAX_DEPTH);
  if (found === undefined) {
    throw new AgentError('usage.file', {
      message: `reading ${folder}: it is no trust folder of notary or docker`,
      hint: 'name the folder that holds "private", for example ~/.docker/trust',
    });
  }
  return found.flatMap((path) => {
    const canonicalId = NAME.exec(basename(path))?.[1];
    const parts = canonicalId === undefined ? undefined : readParts(path);
    if (canonicalId === undefined || parts === undefined) return [];
    const { role, isEncrypted } = parts;
    parts.der.fill(0);
    return [{ path, canonicalId, role, isEncrypted }];
  });
}

/** A private key out of a file, in the memory of this process until it ends. */
export class OpenKeyFile {
  readonly key: NotaryKey;
  readonly canonicalId: string;
  readonly #private: KeyObject;

  /**
   * @param passphrase the caller overwrites it
   * @throws AgentError `usage.file` for a wrong passphrase, and for a key that is not P-256 or not the one the file is named after
   */
  constructor(file: KeyFile, passphrase: Buffer | undefined) {
    this.#private = decrypt(file, passphrase);
    this.key = notaryKeyFromSpki(createPublicKey(this.#private).export({ format: 'der', type: 'spki' }));
    this.canonicalId = canonicalKeyId(this.key);
    const isUsable = this.#private.asymmetricKeyType === 'ec' && this.canonicalId === file.canonicalId;
    if (!isUsable) throw unreadable(file.path, 'it is not the ECDSA key that its name says');
  }

  /** Raw r||s over SHA-256. */
  sign(payload: Buffer): Buffer {
    return sign('sha256', payload, { key: this.#private, dsaEncoding: 'ieee-p1363' });
  }
}

interface KeyFileParts {
  readonly role: string | undefined;
  readonly isEncrypted: boolean;
  readonly der: Buffer;
}

function filesIn(folder: string, depth: number): readonly string[] | undefined {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return depth === 0 ? [] : (filesIn(path, depth - 1) ?? []);
      return entry.isFile() ? [path] : [];
    });
  } catch {
    return undefined;
  }
}

function readParts(path: string): KeyFileParts | undefined {
  if (statSync(path).size > MAX_FILE_BYTES) return undefined;
  const bytes = readFileSync(path);
  const match = PEM.exec(bytes.toString('latin1').replaceAll('\r\n', '\n'));
  bytes.fill(0);
  if (match === null) return undefined;
  const [, encrypted = '', headers = '', body = ''] = match;
  const role = /^role: (.*)$/m.exec(headers)?.[1]?.trim();
  return { role, isEncrypted: encrypted !== '', der: Buffer.from(body, 'base64') };
}

function decrypt(file: KeyFile, passphrase: Buffer | undefined): KeyObject {
  const parts = readParts(file.path);
  if (parts === undefined) throw unreadable(file.path, 'it is not a private key of notary');
  try {
    const input = { key: parts.der, format: 'der', type: 'pkcs8' } as const;
    return createPrivateKey(passphrase === undefined ? input : { ...input, passphrase });
  } catch {
    // What OpenSSL says may hold parts of the input.
    throw unreadable(file.path, 'the passphrase does not open it, or it is damaged');
  } finally {
    parts.der.fill(0);
  }
}

function unreadable(path: string, what: string): AgentError {
  return new AgentError('usage.file', { message: `reading ${path}: ${what}`, details: { path } });
}
