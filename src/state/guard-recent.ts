/**
 * `guard/recent.json`: entries that changed since their own files were written. One file, so that a batch costs one durable write however
 * many roles it has. An entry here counts when it has seen more changes than its file.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { syncFolder } from '../platform/store/atomic-file.js';
import { fromStored, GUARD_ENTRY_FIELDS, toStored, type GuardEntry } from './guard-entry.js';
import { loadStateFile, saveStateFile, type StateFormat } from './versions.js';

/** Its name in the folder of the guard. */
export const RECENT_FILE = 'recent.json';

const SCHEMA = z.strictObject({
  format: z.literal('touchstone-guard-recent'),
  version: z.literal(1),
  entries: z.array(z.strictObject(GUARD_ENTRY_FIELDS)),
});

const FORMAT: StateFormat<typeof SCHEMA> = {
  format: 'touchstone-guard-recent',
  version: 1,
  schema: SCHEMA,
  maxBytes: 16 * 1024 * 1024,
  migrations: [],
};

export class GuardRecent {
  readonly #folder: string;
  readonly #path: string;

  /** @param folder of the guard */
  constructor(folder: string) {
    this.#folder = folder;
    this.#path = join(folder, RECENT_FILE);
  }

  /** @throws AgentError `state.damaged`, `state.version` */
  load(): readonly GuardEntry[] {
    return (loadStateFile(this.#path, FORMAT)?.entries ?? []).map(fromStored);
  }

  /** Makes all of them durable, in the place of what was there. @throws AgentError `state.write`; what was there is then untouched */
  save(entries: readonly GuardEntry[]): void {
    const format = 'touchstone-guard-recent';
    saveStateFile(this.#path, { format, version: 1, entries: entries.map(toStored) });
  }

  /** Once every entry stands in its own file. */
  remove(): void {
    fs.rmSync(this.#path, { force: true });
    syncFolder(this.#folder);
  }
}
