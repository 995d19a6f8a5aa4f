/**
 * A repository as a plain folder: `metadata/`, `targets/`, `staged/` for what waits for signatures, and the settings. Files are written
 * whole or not at all, and links are never followed.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AgentError } from '../../errors/agent-error.js';
import type { TufType } from '../../formats/tuf/document.js';
import { errnoOf } from '../../platform/errno.js';
import { writeFileAtomic } from '../../platform/store/atomic-file.js';
import { readFileBounded } from '../../platform/store/bounded-read.js';
import { FolderLock } from '../../platform/store/folder-lock.js';
import { readSettings, settingsText, type TufSettings } from './settings.js';

/** Everybody may read what a web server hands out. */
const PUBLIC_FILE = 0o644;
const PUBLIC_FOLDER = 0o755;
/** The one file of the metadata whose name has no version. */
export const TIMESTAMP_FILE = 'timestamp.json';
const SETTINGS = 'touchstone-tuf.json';
const LOCK_POLL_MS = 100;
const MAX_SETTINGS_BYTES = 65_536;
const VERSIONED = /^([1-9]\d{0,14})\.(.+)\.json$/;

/** What clients read at most, bytes. */
export const CLIENT_LIMITS: Readonly<Record<TufType, number>> = {
  root: 512_000,
  timestamp: 16_384,
  snapshot: 2_000_000,
  targets: 5_000_000,
};

/** A version that some keyholders have signed. */
export interface StagedFile {
  readonly role: string;
  readonly version: number;
  /** Absolute. */
  readonly path: string;
  readonly bytes: Buffer;
}

export class TufFolder {
  readonly path: string;
  readonly targets: string;
  /** For files that are not whole yet. */
  readonly incoming: string;
  readonly #metadata: string;
  readonly #staged: string;
  readonly #own: string;

  /** @param path absolute */
  constructor(path: string) {
    this.path = path;
    this.targets = join(path, 'targets');
    this.#metadata = join(path, 'metadata');
    this.#staged = join(path, 'staged');
    this.#own = join(path, '.touchstone');
    this.incoming = join(this.#own, 'incoming');
  }

  /** Makes the folders, those that are missing. @throws AgentError `state.write` */
  create(): void {
    for (const folder of [this.#metadata, this.targets, this.#staged, this.#own]) makeFolder(folder);
  }

  /** Whether somebody began a repository here. */
  get isThere(): boolean {
    return this.hasRoot || this.staged().length > 0;
  }

  /** Whether a root is published. */
  get hasRoot(): boolean {
    return this.versions().has('root');
  }

  /** One publisher of a folder at a time. @throws AgentError `state.locked` when the other one does not end by `deadline`, `tuf.missing` */
  async lock(deadline: number): Promise<FolderLock> {
    if (!isFolder(this.#metadata)) throw this.missing();
    makeFolder(this.#own);
    for (;;) {
      try {
        return FolderLock.take(this.#own);
      } catch (cause) {
        const isHeld = cause instanceof AgentError && cause.code === 'state.locked';
        if (!isHeld || Date.now() >= deadline) throw cause;
        await delay(LOCK_POLL_MS);
      }
    }
  }

  /** A metadata file, as far as clients read. @throws AgentError `usage.file`, `state.damaged` for a longer one */
  read(file: string, type: TufType): Buffer | undefined {
    if (!isFolder(this.#metadata)) return undefined;
    return readFileBounded(join(this.#metadata, file), CLIENT_LIMITS[type]);
  }

  /** Versions of each role that are there, newest first. */
  versions(): ReadonlyMap<string, readonly number[]> {
    const found = new Map<string, number[]>();
    for (const { role, version } of listed(this.#metadata)) {
      const known = found.get(role);
      if (known === undefined) found.set(role, [version]);
      else known.push(version);
    }
    for (const versions of found.values()) versions.sort((a, b) => b - a);
    return found;
  }

  /** @throws AgentError `state.write` */
  write(file: string, bytes: Buffer): void {
    writeFileAtomic(join(this.#metadata, file), bytes, PUBLIC_FILE);
  }

  /** Oldest version first. @throws AgentError `usage.file` */
  staged(): readonly StagedFile[] {
    const files = listed(this.#staged).sort((a, b) => a.version - b.version);
    return files.flatMap(({ name, role, version }) => {
      const path = join(this.#staged, name);
      const bytes = readFileBounded(path, CLIENT_LIMITS.targets);
      return bytes === undefined ? [] : [{ role, version, path, bytes }];
    });
  }

  /** @returns the path. @throws AgentError `state.write` */
  stage(role: string, version: number, bytes: Buffer): string {
    makeFolder(this.#staged);
    const path = join(this.#staged, versionedFile(role, version));
    writeFileAtomic(path, bytes, PUBLIC_FILE);
    return path;
  }

  unstage(role: string, version: number): void {
    fs.rmSync(join(this.#staged, versionedFile(role, version)), { force: true });
  }

  /** Undefined for a repository that somebody else made. @throws AgentError `tuf.document` */
  settings(): TufSettings | undefined {
    const path = join(this.path, SETTINGS);
    const bytes = readFileBounded(path, MAX_SETTINGS_BYTES);
    return bytes === undefined ? undefined : readSettings(bytes, path);
  }

  writeSettings(settings: TufSettings): void {
    writeFileAtomic(join(this.path, SETTINGS), settingsText(settings), PUBLIC_FILE);
  }

  missing(): AgentError {
    return new AgentError('tuf.missing', {
      message: `reading ${this.path}: there is no TUF repository in it`,
    });
  }
}

/** `N.ROLE.json`; the role as it stands in a URL. */
export function versionedFile(role: string, version: number): string {
  return `${version}.${encodeURIComponent(role)}.json`;
}

function listed(folder: string): { name: string; role: string; version: number }[] {
  return namesIn(folder).flatMap((name) => {
    const [, version, encoded] = VERSIONED.exec(name) ?? [];
    const role = decoded(encoded ?? '');
    return role === undefined ? [] : [{ name, role, version: Number(version) }];
  });
}

function namesIn(folder: string): readonly string[] {
  if (!isFolder(folder)) return [];
  try {
    return fs.readdirSync(folder);
  } catch (cause) {
    throw new AgentError('usage.file', { message: `reading ${folder}: ${errnoOf(cause)}`, cause });
  }
}

/** One spelling for each role, so that no two files are of the same version. */
function decoded(encoded: string): string | undefined {
  try {
    const role = decodeURIComponent(encoded);
    return role !== '' && encodeURIComponent(role) === encoded ? role : undefined;
  } catch {
    return undefined;
  }
}

/** A link in its place would have us write elsewhere. */
function isFolder(path: string): boolean {
  return fs.lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function makeFolder(path: string): void {
  try {
    fs.mkdirSync(path, { recursive: true, mode: PUBLIC_FOLDER });
  } catch (cause) {
    throw new AgentError('state.write', {
      message: `making ${path}: ${errnoOf(cause)}`,
      details: { path },
      cause,
    });
  }
  if (isFolder(path)) return;
  throw new AgentError('state.write', {
    message: `making ${path}: something else is in its place`,
    details: { path },
  });
}
