/** The metadata of a repository in a folder, for reading without the server: every file as it came, nothing of it believed unread. */
import { mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseJsonStrict } from '../encoding/json.js';
import { AgentError } from '../errors/agent-error.js';
import { isJsonObject } from '../formats/json-object.js';
import { isBaseRole, isDelegation } from '../formats/notary1/role-name.js';
import { errnoOf, fileFault } from '../platform/errno.js';
import { writeFileAtomic } from '../platform/store/atomic-file.js';
import { readFileBounded } from '../platform/store/bounded-read.js';
import type { Collection } from './collection.js';
import { MAX_METADATA_BYTES, type FileChoice, type MetadataSource } from './metadata-source.js';

const INDEX = 'touchstone-trust-copy.json';
const FORMAT = 'touchstone-trust-copy';
const METADATA = 'metadata';
const MAX_INDEX_BYTES = 64 * 1024;
const FILE_MODE = 0o644;

export class SavedCopy implements MetadataSource {
  readonly repository: string;
  /** RFC 3339. */
  readonly savedAt: string;
  readonly #folder: string;

  private constructor(folder: string, repository: string, savedAt: string) {
    this.#folder = folder;
    this.repository = repository;
    this.savedAt = savedAt;
  }

  /** @throws AgentError `usage.file` when the folder holds no copy */
  static open(folder: string): SavedCopy {
    const path = join(folder, INDEX);
    const bytes = readFileBounded(path, MAX_INDEX_BYTES);
    const value = bytes === undefined ? undefined : parseJsonStrict(bytes, `reading ${path}`, 'usage.file');
    const { format, version, repository, savedAt } = isJsonObject(value) ? value : {};
    const isOurs = format === FORMAT && version === 1;
    if (!isOurs || typeof repository !== 'string' || typeof savedAt !== 'string') {
      throw new AgentError('usage.file', {
        message: `reading ${folder}: there is no saved copy of a repository`,
        hint: 'make one with "touchstone trust save REPOSITORY FOLDER"',
      });
    }
    return new SavedCopy(folder, repository, savedAt);
  }

  /** Whatever the copy has under that role; the reader compares checksums. */
  fetch(role: string, { version }: FileChoice = {}): Promise<Buffer | undefined> {
    const path = join(this.#folder, METADATA, fileName(role, version));
    return Promise.resolve(readFileBounded(path, MAX_METADATA_BYTES));
  }
}

/**
 * Writes a copy of what was just verified, with the earlier roots that the source still has, so that an old pin leads to the new root.
 * @throws AgentError `usage.file` for a folder with something else in it, `state.write`
 */
export async function saveCopy(
  source: MetadataSource,
  collection: Collection,
  folder: string,
  now: Date,
): Promise<readonly string[]> {
  makeFolder(folder, collection.repository);
  const files = new Map<string, Buffer>();
  const newest = collection.root.document.version;
  for (let version = 1; version < newest; version += 1) {
    const file = await source.fetch('root', { version });
    if (file !== undefined) files.set(fileName('root', version), file);
  }
  files.set(fileName('root', newest), collection.root.file);
  for (const role of ['root', 'targets', 'snapshot', 'timestamp'] as const) {
    files.set(fileName(role, undefined), collection[role].file);
  }
  for (const [role, { file }] of collection.delegations) files.set(fileName(role, undefined), file);
  for (const [role, fault] of collection.faults) {
    if ('signed' in fault) files.set(fileName(role, undefined), fault.signed.file);
  }
  for (const [name, file] of files) {
    const path = join(folder, METADATA, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileAtomic(path, file, FILE_MODE);
  }
  const index = { format: FORMAT, version: 1, repository: collection.repository, savedAt: now.toISOString() };
  writeFileAtomic(join(folder, INDEX), `${JSON.stringify(index)}\n`, FILE_MODE);
  return [...files.keys()];
}

function makeFolder(folder: string, repository: string): void {
  const names = openFolder(folder);
  if (names.length === 0) return;
  if (names.includes(INDEX) && SavedCopy.open(folder).repository === repository) return;
  throw new AgentError('usage.file', {
    message: `writing to ${folder}: it holds something else than a copy of ${repository}`,
    hint: 'name an empty folder',
  });
}

/** Names in the folder, which is made if missing. */
function openFolder(folder: string): readonly string[] {
  try {
    mkdirSync(folder, { recursive: true });
    return readdirSync(folder);
  } catch (cause) {
    throw new AgentError('state.write', {
      message: `making ${folder}: ${fileFault(cause)}`,
      hint: 'name a folder that can be written to',
      details: { errno: errnoOf(cause) },
      cause,
    });
  }
}

/** Roles of metadata cannot leave the folder: they are a-z, 0-9, "-", "_" between slashes. */
function fileName(role: string, version: number | undefined): string {
  if (!isBaseRole(role) && !isDelegation(role)) {
    throw new AgentError('notary.document', { message: 'reading a saved copy: that is no role' });
  }
  return version === undefined ? `${role}.json` : `${version}.${role}.json`;
}
