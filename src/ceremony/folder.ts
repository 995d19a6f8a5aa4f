/** The folder that goes into the room and comes out of it again. Everything in it is public text. */
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { AgentError } from '../errors/agent-error.js';
import { errnoOf } from '../platform/errno.js';
import { writeFileAtomic } from '../platform/store/atomic-file.js';
import { readFileBounded } from '../platform/store/bounded-read.js';
import { FolderLock } from '../platform/store/folder-lock.js';
import { MANIFEST_FILE } from './file-names.js';
import { MAX_CEREMONY_FILE_BYTES, sha256Hex } from './one-form.js';
import { manifestOf, readManifest, writeManifest, type Manifest } from './manifest.js';

const FILE_MODE = 0o644;
const FOLDER_MODE = 0o755;
const MAX_FILES = 20_000;
const MAX_TRANSCRIPT_BYTES = 64 * 1024 * 1024;
/** Derived from others, or of the machine. */
const UNLISTED = /^(?:MANIFEST|lock|(?:REHEARSAL-)?transcript\.(?:txt|html)|\..*|.*\/\..*)$/;

export class CeremonyFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** A new folder, or an empty one that is there. @throws AgentError `ceremony.folder`, `state.write` */
  static create(path: string): CeremonyFolder {
    try {
      fs.mkdirSync(path, { recursive: true, mode: FOLDER_MODE });
      if (fs.readdirSync(path).length === 0) return new CeremonyFolder(path);
    } catch (cause) {
      throw new AgentError('state.write', { message: `making ${path}: ${errnoOf(cause)}`, cause });
    }
    throw new AgentError('ceremony.folder', {
      message: `making ${path}: there is something in it already`,
      hint: 'choose another folder with --out',
    });
  }

  /** @throws AgentError `ceremony.folder` when it is no folder of a ceremony */
  static open(path: string): CeremonyFolder {
    if (fs.statSync(join(path, MANIFEST_FILE), { throwIfNoEntry: false })?.isFile() === true) {
      return new CeremonyFolder(path);
    }
    throw new AgentError('ceremony.folder', { message: `opening ${path}: there is no MANIFEST in it` });
  }

  /** One program at a time. @throws AgentError `state.locked` */
  lock(): FolderLock {
    return FolderLock.take(this.path);
  }

  /** @throws AgentError `usage.file`, `state.damaged` when it is larger than it can be */
  read(name: string): Buffer | undefined {
    const most = name.endsWith('.jsonl') ? MAX_TRANSCRIPT_BYTES : MAX_CEREMONY_FILE_BYTES;
    return readFileBounded(join(this.path, name), most);
  }

  /** @throws AgentError `ceremony.file` when there is none */
  require(name: string): Buffer {
    const bytes = this.read(name);
    if (bytes !== undefined) return bytes;
    throw new AgentError('ceremony.file', {
      message: `reading ${name}: there is no such file in the folder`,
    });
  }

  /** All or nothing, and durable. @throws AgentError `state.write` */
  write(name: string, bytes: Uint8Array): void {
    const path = join(this.path, name);
    fs.mkdirSync(dirname(path), { recursive: true, mode: FOLDER_MODE });
    writeFileAtomic(path, bytes, FILE_MODE);
  }

  /** Paths of all files that a manifest lists, sorted. @throws AgentError `ceremony.folder` for links, and for too many */
  names(): readonly string[] {
    const found: string[] = [];
    this.#collect('', found);
    return found.sort();
  }

  /** @throws AgentError `ceremony.file` */
  manifest(): Manifest {
    return readManifest(this.require(MANIFEST_FILE));
  }

  /** Writes the manifest of what is there now; returns its SHA-256 in hex, which is read aloud. */
  seal(): string {
    const files = new Map(this.names().map((name) => [name, this.require(name)]));
    const bytes = writeManifest(manifestOf(files));
    this.write(MANIFEST_FILE, bytes);
    return sha256Hex(bytes);
  }

  #collect(below: string, found: string[]): void {
    for (const entry of fs.readdirSync(join(this.path, below), { withFileTypes: true })) {
      const name = `${below}${entry.name}`;
      if (UNLISTED.test(name)) continue;
      if (entry.isDirectory()) {
        this.#collect(`${name}/`, found);
        continue;
      }
      if (!entry.isFile() || found.length === MAX_FILES) throw this.#strange(name);
      found.push(name);
    }
  }

  #strange(name: string): AgentError {
    return new AgentError('ceremony.folder', {
      message: `looking at ${this.path}: ${name} is no plain file, or there are too many`,
    });
  }
}
