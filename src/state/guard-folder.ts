/**
 * `guard/` in the state folder: one file for each repository and role that signs versioned metadata, beside it the newest signed
 * documents, and in `guard-seen.json` how many changes there were. A file that somebody puts back is valid too, so only memory tells.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { AgentError } from '../errors/agent-error.js';
import { writeFileAtomic } from '../platform/store/atomic-file.js';
import { readFileBounded } from '../platform/store/bounded-read.js';
import { ensurePrivateFolder } from '../platform/store/private-folder.js';
import { MAX_CONTENTS, type GuardedContent, type GuardState } from '../policy/guard.js';
import { loadStateFile, saveStateFile, type StateFormat } from './versions.js';

/** What is guarded: the metadata of one role of one repository. */
export interface GuardName {
  readonly repository: string;
  readonly role: string;
}

export interface GuardEntry extends GuardName {
  readonly state: GuardState;
  /** Grows by one with each change of this file. */
  readonly changes: number;
}

/** Largest document that is kept for comparing; larger ones do not reach the agent. */
const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;
/** Remembering costs fsyncs of its own, so changes in quick succession share one. */
const REMEMBER_MS = 5_000;
const MAX_VERSION = Number.MAX_SAFE_INTEGER;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const content = z.strictObject({ version: z.int().min(1).max(MAX_VERSION), sha256 });

const ENTRY_SCHEMA = z.strictObject({
  format: z.literal('touchstone-guard'),
  version: z.literal(1),
  repository: z.string().min(1).max(255),
  role: z.string().min(1).max(64),
  changes: z.int().min(1),
  published: content.nullable(),
  signed: z
    .strictObject({
      version: z.int().min(1).max(MAX_VERSION),
      contents: z.array(sha256).min(1).max(MAX_CONTENTS),
    })
    .nullable(),
  passed: z.int().min(0).max(MAX_VERSION),
  latest: content.nullable(),
  before: content.nullable(),
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
  /** Changes of all files together. */
  changes: z.int().min(0),
});

const SEEN_FORMAT: StateFormat<typeof SEEN_SCHEMA> = {
  format: 'touchstone-guard-seen',
  version: 1,
  schema: SEEN_SCHEMA,
  maxBytes: 4096,
  migrations: [],
};

export class GuardFolder {
  readonly path: string;
  readonly #seenPath: string;
  #changes = 0;
  #rememberedAt = 0;
  #remembered = 0;

  /** @param stateDir absolute */
  constructor(stateDir: string) {
    this.path = join(stateDir, 'guard');
    this.#seenPath = join(stateDir, 'guard-seen.json');
  }

  /**
   * Everything that is guarded.
   * @throws AgentError `guard.older`, `state.damaged`, `state.version`, `state.folder`, `state.write`, `usage.file`
   */
  load(): readonly GuardEntry[] {
    ensurePrivateFolder(this.path, 'state');
    const entries = fs
      .readdirSync(this.path)
      .filter((name) => name.endsWith('.json') && !name.startsWith('.'))
      .map((name) => this.#read(name));
    this.#changes = entries.reduce((sum, { changes }) => sum + changes, 0);
    const seen = loadStateFile(this.#seenPath, SEEN_FORMAT)?.changes ?? 0;
    this.#remembered = seen;
    if (this.#changes < seen) {
      throw new AgentError('guard.older', {
        message: `checking ${this.path}: it holds ${this.#changes} changes, ${seen} were seen`,
        details: { path: this.path },
      });
    }
    this.remember();
    return entries;
  }

  /**
   * Makes an entry durable, and with it the document that it calls the latest. Documents it does not name any more are removed.
   * @param document the signed bytes of `entry.state.latest`, where they are to be kept
   * @throws AgentError `state.write`; the entry before is then untouched
   */
  save(entry: GuardEntry, document?: Uint8Array): void {
    const { repository, role, changes, state } = entry;
    const { latest } = state;
    if (document !== undefined && latest !== null && document.length <= MAX_DOCUMENT_BYTES)
      writeFileAtomic(this.#documentPath(entry, latest), document);
    const head = { format: 'touchstone-guard', version: 1, repository, role, changes } as const;
    saveStateFile(join(this.path, `${fileName(entry)}.json`), { ...head, ...state });
    this.#changes += 1;
    this.#removeOthers(entry);
    // The first change of a file is remembered at once: a file that is missing altogether is the likeliest loss.
    if (changes === 1 || Date.now() - this.#rememberedAt >= REMEMBER_MS) this.remember();
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

  #read(name: string): GuardEntry {
    const path = join(this.path, name);
    const stored = loadStateFile(path, ENTRY_FORMAT);
    if (stored === undefined || name !== `${fileName(stored)}.json`) {
      throw new AgentError('state.damaged', {
        message: `${path}: it is not the file of the repository and role that it names`,
        details: { path },
      });
    }
    const { repository, role, changes, published, signed, passed, latest, before } = stored;
    return { repository, role, changes, state: { published, signed, passed, latest, before } };
  }

  #removeOthers(entry: GuardEntry): void {
    const { latest, before } = entry.state;
    const wanted = new Set(
      [latest, before].flatMap((each) => (each === null ? [] : [documentName(entry, each)])),
    );
    const own = `${fileName(entry)}.`;
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
  return `${fileName(name)}.${document.sha256}${DOCUMENT_END}`;
}

/** Roles hold slashes and repositories are long, so files are named by a hash; what they are of stands in them. */
function fileName({ repository, role }: GuardName): string {
  return sha256Of(Buffer.from(`${repository}#${role}`, 'utf8'));
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
