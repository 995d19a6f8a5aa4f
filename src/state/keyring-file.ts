/**
 * `keyring.json` in the state folder, and beside it what was seen of it: an older or another keyring that somebody puts in
 * its place is validly signed too, so only memory tells.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { AgentError } from '../errors/agent-error.js';
import type { KeyringEnvelope } from '../keys/key-schema.js';
import { buildKeyringFile, verifyKeyring, type VerifiedKeyring } from '../keys/keyring-file.js';
import type { Keyring } from '../keys/keyring.js';
import { writeFileAtomic } from '../platform/store/atomic-file.js';
import { readFileBounded } from '../platform/store/bounded-read.js';
import { loadStateFile, saveStateFile, type StateFormat } from './versions.js';

/** About 100,000 leaves. */
const MAX_KEYRING_BYTES = 64 * 1024 * 1024;

const SEEN_SCHEMA = z.strictObject({
  format: z.literal('touchstone-keyring-seen'),
  version: z.literal(1),
  /** Hex SHA-256 of the anchor's payload. */
  anchor: z.string().regex(/^[0-9a-f]{64}$/),
  /** Highest sequence of the records. */
  sequence: z.int().min(0),
});

const SEEN_FORMAT: StateFormat<typeof SEEN_SCHEMA> = {
  format: 'touchstone-keyring-seen',
  version: 1,
  schema: SEEN_SCHEMA,
  maxBytes: 4096,
  migrations: [],
};

type Seen = z.infer<typeof SEEN_SCHEMA>;

export class KeyringFile {
  readonly path: string;
  readonly #seenPath: string;
  #verified: VerifiedKeyring | undefined;

  /** @param stateDir absolute */
  constructor(stateDir: string) {
    this.path = join(stateDir, 'keyring.json');
    this.#seenPath = join(stateDir, 'keyring-seen.json');
  }

  /**
   * Reads and verifies the file; undefined when there never was one.
   * @throws AgentError `keyring.signature`, `keyring.older`, `keyring.other-token`, `state.damaged`, `state.version`
   */
  load(): Keyring | undefined {
    const seen = loadStateFile(this.#seenPath, SEEN_FORMAT);
    const bytes = readFileBounded(this.path, MAX_KEYRING_BYTES);
    if (bytes === undefined) {
      this.#verified = undefined;
      if (seen !== undefined) throw this.#older(`it is missing, sequence ${seen.sequence} was seen`);
      return undefined;
    }
    const verified = verifyKeyring(bytes);
    this.#check(verified.keyring, seen);
    this.#verified = verified;
    if (seen?.sequence !== verified.keyring.records.sequence) this.#rememberQuietly(verified.keyring);
    return verified.keyring;
  }

  /**
   * Writes the first keyring.
   * @throws AgentError `keyring.exists` when there is one, `state.write`
   */
  create(anchor: KeyringEnvelope, records: KeyringEnvelope): Keyring {
    if (this.load() !== undefined) throw new AgentError('keyring.exists', { details: { path: this.path } });
    return this.#save(anchor, records);
  }

  /**
   * Replaces the records and keeps the anchor of the loaded file.
   * @throws AgentError `keyring.missing` before one was loaded, `keyring.older` when the sequence does not grow, `state.write`
   */
  saveRecords(records: KeyringEnvelope): Keyring {
    if (this.#verified === undefined) throw new AgentError('keyring.missing');
    return this.#save(this.#verified.anchorEnvelope, records);
  }

  /** Nothing is written that this agent would refuse to load. */
  #save(anchor: KeyringEnvelope, records: KeyringEnvelope): Keyring {
    const text = buildKeyringFile(anchor, records);
    const verified = verifyKeyring(text);
    const { sequence } = verified.keyring.records;
    const before = this.#verified?.keyring.records.sequence ?? -1;
    if (sequence <= before) throw this.#older(`its sequence ${sequence} does not follow ${before}`);
    writeFileAtomic(this.path, text);
    this.#verified = verified;
    this.#rememberQuietly(verified.keyring);
    return verified.keyring;
  }

  #check(keyring: Keyring, seen: Seen | undefined): void {
    if (seen === undefined) return;
    const { anchor, sequence } = keyring.records;
    if (anchor !== seen.anchor) {
      throw new AgentError('keyring.other-token', {
        message: `${this.path} has another anchor than the keyring this agent has used`,
        details: { path: this.path },
      });
    }
    if (sequence < seen.sequence) throw this.#older(`its sequence is ${sequence}, ${seen.sequence} was seen`);
  }

  /** The keyring itself is on disk; a memory that lags behind is caught up by the next load. */
  #rememberQuietly(keyring: Keyring): void {
    const { anchor, sequence } = keyring.records;
    try {
      saveStateFile(this.#seenPath, { format: 'touchstone-keyring-seen', version: 1, anchor, sequence });
    } catch {
      // A read-only state folder must not keep a valid keyring from being used.
    }
  }

  #older(what: string): AgentError {
    return new AgentError('keyring.older', {
      message: `checking ${this.path}: ${what}`,
      details: { path: this.path },
    });
  }
}
