/** Certificates of this user's keys, beside touchstone.toml: public files, written by `touchstone cert`, read by everything that signs for Notation. */
import { X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { encodePem } from '../encoding/pem.js';
import { AgentError } from '../errors/agent-error.js';
import { formatKeyName, parseKeyName } from '../keys/key-name.js';
import { writeFileAtomic } from '../platform/store/atomic-file.js';

const FOLDER_MODE = 0o755;
const FILE_MODE = 0o644;
const AUTHORITY = 'authority.pem';
const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

export class CertificateFolder {
  readonly #folder: string;

  /** @param configFile path of touchstone.toml */
  constructor(configFile: string) {
    this.#folder = join(dirname(configFile), 'certificates');
  }

  /** The authority of this user, or undefined. @throws AgentError `usage.file` */
  authority(): X509Certificate | undefined {
    return this.#read(AUTHORITY)?.[0];
  }

  /** The chain of a key, leaf first and the self-signed root last; undefined when none was issued. */
  chain(key: string): readonly X509Certificate[] | undefined {
    return this.#read(fileOf(key));
  }

  /** Keeps the authority; answers the file. */
  writeAuthority(der: Buffer): string {
    return this.#write(AUTHORITY, [der]);
  }

  /** Keeps the chain of a key in place of an older one; answers the file. */
  writeChain(key: string, chain: readonly Buffer[]): string {
    return this.#write(fileOf(key), chain);
  }

  #write(name: string, certificates: readonly Buffer[]): string {
    const file = join(this.#folder, name);
    mkdirSync(this.#folder, { recursive: true, mode: FOLDER_MODE });
    writeFileAtomic(file, certificates.map((der) => encodePem('CERTIFICATE', der)).join(''), FILE_MODE);
    return file;
  }

  #read(name: string): readonly X509Certificate[] | undefined {
    const file = join(this.#folder, name);
    try {
      return readCertificates(readFileSync(file, 'utf8'), file);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      if (cause instanceof AgentError) throw cause;
      throw new AgentError('usage.file', { message: `reading ${file}: ${(cause as Error).message}`, cause });
    }
  }
}

/**
 * Every certificate of a PEM text.
 * @throws AgentError `usage.file` when there is none or one cannot be read
 */
export function readCertificates(pem: string, file: string): readonly X509Certificate[] {
  const blocks = pem.match(BLOCK) ?? [];
  if (blocks.length === 0)
    throw new AgentError('usage.file', { message: `reading ${file}: it holds no certificate` });
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (cause) {
    throw new AgentError('usage.file', { message: `reading ${file}: a certificate cannot be read`, cause });
  }
}

/** One file for all epochs of a key: the newest certificate is of the active one. */
function fileOf(key: string): string {
  const { repository, role, algorithm, index } = parseKeyName(key);
  const name = formatKeyName({ repository, role, algorithm, index });
  return `${encodeURIComponent(name)}.pem`;
}
