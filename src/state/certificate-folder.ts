/**
 * `certificates/` in the state folder: one DSSE envelope for each statement about a key, and in `certificates-seen.json` which there
 * were and how late it was. A folder that somebody puts back, or a clock that goes back, would bring back what was revoked or expired.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { AgentError } from '../errors/agent-error.js';
import { writeFileAtomic } from '../platform/store/atomic-file.js';
import { readFileBounded } from '../platform/store/bounded-read.js';
import { ensurePrivateFolder } from '../platform/store/private-folder.js';
import { loadStateFile, saveStateFile, type StateFormat } from './versions.js';

/** A certificate with 32 signatures stays far below. */
const MAX_ENVELOPE_BYTES = 64 * 1024;
/** Of a name of a file, without its ending. */
const HASH_DIGITS = 64;
/** The time is written down this often: the most that a clock which went back while the agent was stopped can win. Milliseconds. */
const REMEMBER_MS = 600_000;

const SEEN_SCHEMA = z.strictObject({
  format: z.literal('touchstone-certificates-seen'),
  version: z.literal(2),
  statements: z.int().min(0),
  /** Hashes of their payloads: as many others in their place would be another state. */
  hashes: z.array(z.string().regex(/^[0-9a-f]{64}$/)),
  /** Milliseconds since 1970. */
  time: z.int().min(0),
});

const SEEN_FORMAT: StateFormat<typeof SEEN_SCHEMA> = {
  format: 'touchstone-certificates-seen',
  version: 2,
  schema: SEEN_SCHEMA,
  maxBytes: 8 * 1024 * 1024,
  // Only how many they were is known of those before.
  migrations: [{ from: 1, migrate: (content) => ({ ...content, hashes: [] }) }],
};

/** As it is stored: unverified. */
export interface StoredCertificate {
  /** That its payload has to have: the name of the file. */
  readonly hash: string;
  readonly envelope: Buffer;
  readonly path: string;
}

export class CertificateFolder {
  readonly path: string;
  readonly #seenPath: string;
  readonly #hashes = new Set<string>();
  #latestMs = 0;
  #rememberedMs = 0;

  /** @param stateDir absolute */
  constructor(stateDir: string) {
    this.path = join(stateDir, 'certificates');
    this.#seenPath = join(stateDir, 'certificates-seen.json');
  }

  /**
   * Every envelope, unverified.
   * @throws AgentError `certificate.older` when some are missing, `state.damaged`, `state.folder`, `state.write`, `usage.file`
   */
  load(): readonly StoredCertificate[] {
    ensurePrivateFolder(this.path, 'state');
    const seen = loadStateFile(this.#seenPath, SEEN_FORMAT) ?? { statements: 0, hashes: [], time: 0 };
    this.#latestMs = seen.time;
    this.#rememberedMs = seen.time;
    const names = readdirSync(this.path).filter((name) => /^[0-9a-f]{64}\.json$/.test(name));
    const there = new Set(names.map((name) => name.slice(0, HASH_DIGITS)));
    const missing = seen.hashes.filter((hash) => !there.has(hash)).length;
    if (missing > 0 || there.size < seen.statements) {
      const lost = Math.max(missing, seen.statements - there.size);
      throw new AgentError('certificate.older', {
        message: `checking ${this.path}: ${lost} of ${seen.statements} statements that were seen are missing`,
        details: { path: this.path },
      });
    }
    for (const hash of there) this.#hashes.add(hash);
    return [...there].map((hash) => {
      const path = join(this.path, `${hash}.json`);
      return { hash, path, envelope: readFileBounded(path, MAX_ENVELOPE_BYTES) ?? Buffer.alloc(0) };
    });
  }

  /** @param hash of the payload, the name of the file. @throws AgentError `state.write` */
  add(hash: string, envelope: Uint8Array): void {
    writeFileAtomic(join(this.path, `${hash}.json`), envelope);
    this.#hashes.add(hash);
    this.remember();
  }

  /** Now, or the latest time that was ever seen when the clock has gone back. Milliseconds since 1970. */
  nowMs(): number {
    this.#latestMs = Math.max(this.#latestMs, Date.now());
    if (this.#latestMs - this.#rememberedMs >= REMEMBER_MS) this.remember();
    return this.#latestMs;
  }

  /** Writes down what was seen; a memory that lags behind is still true. */
  remember(): void {
    const time = Math.max(this.#latestMs, Date.now());
    this.#rememberedMs = time;
    try {
      saveStateFile(this.#seenPath, {
        format: 'touchstone-certificates-seen',
        version: 2,
        statements: this.#hashes.size,
        hashes: [...this.#hashes].sort(),
        time,
      });
    } catch {
      // A full disk must not keep a key with a valid certificate from signing; the audit log decides about that.
    }
  }
}
