/**
 * `guard/` in the state folder: one file for each repository and role that signs versioned metadata, beside it the newest signed
 * documents, what changed recently in one file, and in `guard-seen.json` how many changes there were. A file that somebody puts back is
 * valid too, so only memory tells.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { AgentError } from '../errors/agent-error.js';
import { readFileBounded } from '../platform/store/bounded-read.js';
import { ensurePrivateFolder } from '../platform/store/private-folder.js';
import type { GuardedContent } from '../policy/guard.js';
import {
  fromStored,
  GUARD_ENTRY_FIELDS,
  guardFileName,
  toStored,
  type GuardEntry,
  type GuardName,
} from './guard-entry.js';
import { GuardRecent, RECENT_FILE } from './guard-recent.js';
import { loadStateFile, saveStateFile, type StateFormat } from './versions.js';

/** Largest document that is kept for comparing; larger ones do not reach the agent. */
const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;
/** Remembering costs fsyncs of its own, so changes in quick succession share one. */
const REMEMBER_MS = 5_000;
/** Entries that wait in one file until they are written to their own. */
const MAX_RECENT = 128;

const ENTRY_SCHEMA = z.strictObject({
  format: z.literal('touchstone-guard'),
  version: z.literal(1),
  ...GUARD_ENTRY_FIELDS,
});

const ENTRY_FORMAT: StateFormat<typeof ENTRY_SCHEMA> = {
  format: 'touchstone-guard',
  version: 1,
  schema: ENTRY_SCHEMA,
  maxBytes: 16 * 1024,
  migrations: [],
};

const SEEN_SCHEMA = z.strictObject({
  format: z.literal('touchstone-guard-seen'),
  version: z.literal(1),
  /** Changes of all entries together. */
  changes: z.int().min(0),
});

const SEEN_FORMAT: StateFormat<typeof SEEN_SCHEMA> = {
  format: 'touchstone-guard-seen',
  version: 1,
  schema: SEEN_SCHEMA,
  maxBytes: 4096,
  migrations: [],
};

/** An entry that changes by one, and the signed bytes of its `state.latest`, where they are to be kept. */
export interface GuardChange {
  readonly entry: GuardEntry;
  readonly document?: Uint8Array | undefined;
}

export class GuardFolder {
  readonly path: string;
  readonly #seenPath: string;
  readonly #recentFile: GuardRecent;
  /** By file name. */
  #recent = new Map<string, GuardEntry>();
  #changes = 0;
  #rememberedAt = 0;
  #remembered = 0;

  /** @param stateDir absolute */
  constructor(stateDir: string) {
    this.path = join(stateDir, 'guard');
    this.#seenPath = join(stateDir, 'guard-seen.json');
    this.#recentFile = new GuardRecent(this.path);
  }

  /**
   * Everything that is guarded.
   * @throws AgentError `guard.older`, `state.damaged`, `state.version`, `state.folder`, `state.write`, `usage.file`
   */
  load(): readonly GuardEntry[] {
    ensurePrivateFolder(this.path, 'state');
    const entries = new Map<string, GuardEntry>();
    for (const name of fs.readdirSync(this.path)) {
      if (!name.endsWith('.json') || name.startsWith('.') || name === RECENT_FILE) continue;
      const entry = this.#read(name);
      entries.set(guardFileName(entry), entry);
    }
    for (const entry of this.#recentFile.load()) {
      const name = guardFileName(entry);
      if (entry.changes <= (entries.get(name)?.changes ?? 0)) continue;
      entries.set(name, entry);
      this.#recent.set(name, entry);
    }
    this.#requireAllSeen([...entries.values()]);
    this.fold();
    this.remember();
    return [...entries.values()];
  }

  /**
   * Makes the changes of one batch durable, all or none, with one write; and keeps their documents. Those that an entry does not name any
   * more are removed.
   * @throws AgentError `state.write`; the entries before are then untouched
   */
  save(changes: readonly GuardChange[]): void {
    for (const { entry, document } of changes) {
      if (document !== undefined) this.#keepDocument(entry, document);
    }
    const recent = new Map(this.#recent);
    for (const { entry } of changes) recent.set(guardFileName(entry), entry);
    try {
      this.#recentFile.save([...recent.values()]);
    } catch (error) {
      for (const { entry, document } of changes) if (document !== undefined) this.#dropDocument(entry);
      throw error;
    }
    this.#recent = recent;
    this.#changes += changes.length;
    for (const { entry } of changes) this.#removeOthers(entry);
    if (recent.size > MAX_RECENT) this.fold();
    // The first change of an entry is remembered at once: one that is missing altogether is the likeliest loss.
    const hasNew = changes.some(({ entry }) => entry.changes === 1);
    if (hasNew || Date.now() - this.#rememberedAt >= REMEMBER_MS) this.remember();
  }

  /** The bytes of a document that an entry names, undefined when they are not there (any more). */
  readDocument(name: GuardName, document: GuardedContent): Buffer | undefined {
    try {
      const bytes = readFileBounded(this.#documentPath(name, document), MAX_DOCUMENT_BYTES);
      return bytes !== undefined && sha256Of(bytes) === document.sha256 ? bytes : undefined;
    } catch {
      // It only serves to say what changed: without it that is not known, and said so.
      return undefined;
    }
  }

  /** Writes down how many changes there were. A memory that lags behind is still true. */
  remember(): void {
    this.#rememberedAt = Date.now();
    // Never less than was seen, whatever was found.
    if (this.#changes <= this.#remembered) return;
    try {
      const changes = this.#changes;
      saveStateFile(this.#seenPath, { format: 'touchstone-guard-seen', version: 1, changes });
      this.#remembered = changes;
    } catch {
      // The guard itself is on disk.
    }
  }

  /** Every entry into its own file. What cannot be written stays in the file of recent ones, which is as good. */
  fold(): void {
    if (this.#recent.size === 0) return;
    try {
      for (const [name, entry] of this.#recent) {
        const head = { format: 'touchstone-guard', version: 1 } as const;
        saveStateFile(join(this.path, `${name}.json`), { ...head, ...toStored(entry) });
      }
      this.#recentFile.remove();
      this.#recent = new Map();
    } catch {
      // Tried again when more has changed, at stop, and at the next start.
    }
  }

  #requireAllSeen(entries: readonly GuardEntry[]): void {
    this.#changes = entries.reduce((sum, { changes }) => sum + changes, 0);
    const seen = loadStateFile(this.#seenPath, SEEN_FORMAT)?.changes ?? 0;
    this.#remembered = seen;
    if (this.#changes >= seen) return;
    throw new AgentError('guard.older', {
      message: `checking ${this.path}: it holds ${this.#changes} changes, ${seen} were seen`,
      details: { path: this.path },
    });
  }

  #read(name: string): GuardEntry {
    const path = join(this.path, name);
    const stored = loadStateFile(path, ENTRY_FORMAT);
    if (stored === undefined || name !== `${guardFileName(stored)}.json`) {
      throw new AgentError('state.damaged', {
        message: `${path}: it is not the file of the repository and role that it names`,
        details: { path },
      });
    }
    return fromStored(stored);
  }

  /** It only serves to say what changed, and its hash tells whether it is whole: nobody waits for it. */
  #keepDocument(entry: GuardEntry, document: Uint8Array): void {
    const { latest } = entry.state;
    if (latest === null || document.length > MAX_DOCUMENT_BYTES) return;
    const path = this.#documentPath(entry, latest);
    try {
      fs.rmSync(path, { force: true });
      fs.writeFileSync(path, document, { mode: 0o600, flag: 'wx' });
    } catch {
      // What changes next time is then not known, and said so.
      this.#dropDocument(entry);
    }
  }

  /** The latest, whole or not. */
  #dropDocument(entry: GuardEntry): void {
    const { latest } = entry.state;
    if (latest === null) return;
    try {
      fs.rmSync(this.#documentPath(entry, latest), { force: true });
    } catch {
      // Written anew with the same content, removed with the next.
    }
  }

  #removeOthers(entry: GuardEntry): void {
    const { latest, before } = entry.state;
    const wanted = new Set(
      [latest, before].flatMap((each) => (each === null ? [] : [documentName(entry, each)])),
    );
    const own = `${guardFileName(entry)}.`;
    for (const name of fs.readdirSync(this.path)) {
      if (!name.startsWith(own) || !name.endsWith(DOCUMENT_END) || wanted.has(name)) continue;
      try {
        fs.rmSync(join(this.path, name), { force: true });
      } catch {
        // Removed by the next change; nothing reads it until then.
      }
    }
  }

  #documentPath(name: GuardName, document: GuardedContent): string {
    return join(this.path, documentName(name, document));
  }
}

const DOCUMENT_END = '.signed';

function documentName(name: GuardName, document: GuardedContent): string {
  return `${guardFileName(name)}.${document.sha256}${DOCUMENT_END}`;
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
