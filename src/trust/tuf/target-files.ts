/** Files of targets: hashed while they are copied, so that what is signed is what is stored, and durable before anybody signs. */
import * as fs from 'node:fs';
import { createHash } from 'node:crypto';
import { open, readdir, rename, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { printable } from '../../encoding/utf8.js';
import { AgentError } from '../../errors/agent-error.js';
import type { TufTarget } from '../../formats/tuf/document.js';
import { errnoOf } from '../../platform/errno.js';
import { checkTargetName, storedPath } from './target-name.js';

const CHUNK_BYTES = 256 * 1024;
/** Files in the works at a time: enough for a disk to put several into one write of its journal. */
const PARALLEL = 8;
const PUBLIC_FILE = 0o644;
const PUBLIC_FOLDER = 0o755;

/** A file that shall become a target. */
export interface NamedFile {
  readonly name: string;
  readonly path: string;
}

/**
 * Files by the names of their targets: a file by its own name, a folder by everything in it.
 * @param prefix put in front, `dist/` for example
 * @throws AgentError `tuf.target` for a name that does not do, a link, or two files of one name; `usage.file`
 */
export async function namedFiles(paths: readonly string[], prefix: string): Promise<readonly NamedFile[]> {
  const found = new Map<string, NamedFile>();
  const add = (name: string, path: string): void => {
    if (found.has(name)) {
      throw new AgentError('tuf.target', {
        message: `two files would be the target "${printable(name, 120)}"`,
      });
    }
    found.set(checkTargetName(name), { name, path });
  };
  for (const path of paths) {
    const kind = kindOf(path);
    if (kind === 'file') add(`${prefix}${basename(path)}`, path);
    else await walk(path, prefix, add);
  }
  return [...found.values()];
}

async function walk(
  folder: string,
  prefix: string,
  add: (name: string, path: string) => void,
): Promise<void> {
  for (const name of (await namesIn(folder)).sort()) {
    const path = join(folder, name);
    if (kindOf(path) === 'file') add(`${prefix}${name}`, path);
    else await walk(path, `${prefix}${name}/`, add);
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    throw new AgentError('usage.file', { message: `reading ${folder}: ${errnoOf(cause)}`, cause });
  }
}

function kindOf(path: string): 'file' | 'folder' {
  const facts = fs.lstatSync(path, { throwIfNoEntry: false });
  if (facts === undefined) throw new AgentError('usage.file', { message: `reading ${path}: no such file` });
  if (facts.isFile()) return 'file';
  if (facts.isDirectory()) return 'folder';
  const what = facts.isSymbolicLink() ? 'it is a symbolic link' : 'it is neither a file nor a folder';
  throw new AgentError('tuf.target', { message: `adding ${path}: ${what}` });
}

/** Where copies go. */
export interface TargetPlaces {
  readonly targets: string;
  /** On the same disk, for files that are not whole yet; what an earlier process left in it is removed. */
  readonly incoming: string;
}

/**
 * Copies files into the folder of the targets and answers what to sign.
 * @throws AgentError `usage.file`, `state.write`; what was copied until then stays, and nobody refers to it
 */
export async function storeTargets(
  { targets, incoming }: TargetPlaces,
  files: readonly NamedFile[],
): Promise<ReadonlyMap<string, TufTarget>> {
  const folders = new FolderMaker(targets);
  await rm(incoming, { recursive: true, force: true });
  new FolderMaker(incoming).require('.');
  const facts = new Map<string, TufTarget>();
  const queue = files.entries();
  const work = async (): Promise<void> => {
    for (const [at, { name, path }] of queue) {
      const parent = folders.require(dirname(name));
      facts.set(name, await storeOne({ name, path, parent, temporary: join(incoming, `${at}`) }));
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: PARALLEL }, work));
  for (const one of ended) if (one.status === 'rejected') throw one.reason;
  folders.sync();
  return facts;
}

interface Copy extends NamedFile {
  readonly parent: string;
  readonly temporary: string;
}

async function storeOne({ name, path, parent, temporary }: Copy): Promise<TufTarget> {
  const source = await openSource(path);
  try {
    const { length, sha256 } = await copied(source, temporary);
    await rename(temporary, join(parent, basename(storedPath(name, sha256))));
    return { length, hashes: { sha256 } };
  } catch (cause) {
    await rm(temporary, { force: true });
    if (cause instanceof AgentError) throw cause;
    throw new AgentError('state.write', {
      message: `storing ${path}: ${errnoOf(cause)}`,
      details: { path },
      cause,
    });
  } finally {
    await source.close();
  }
}

async function copied(source: FileHandle, target: string): Promise<{ length: number; sha256: string }> {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = fs.constants;
  const copy = await open(target, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, PUBLIC_FILE);
  try {
    const hash = createHash('sha256');
    let length = 0;
    for await (const chunk of chunksOf(source)) {
      hash.update(chunk);
      length += chunk.length;
      for (let at = 0; at < chunk.length;) at += (await copy.write(chunk, at)).bytesWritten;
    }
    await copy.chmod(PUBLIC_FILE);
    await copy.sync();
    return { length, sha256: hash.digest('hex') };
  } finally {
    await copy.close();
  }
}

/** Length and hash of a stored file, or undefined when there is none. @throws AgentError `usage.file` */
export async function storedFacts(path: string): Promise<{ length: number; sha256: string } | undefined> {
  if (fs.lstatSync(path, { throwIfNoEntry: false }) === undefined) return undefined;
  const source = await openSource(path);
  try {
    const hash = createHash('sha256');
    let length = 0;
    for await (const chunk of chunksOf(source)) {
      hash.update(chunk);
      length += chunk.length;
    }
    return { length, sha256: hash.digest('hex') };
  } finally {
    await source.close();
  }
}

async function* chunksOf(source: FileHandle): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (;;) {
    const { bytesRead } = await source.read(buffer, 0, CHUNK_BYTES, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Judged by what was opened, so that nothing can be swapped in between. */
async function openSource(path: string): Promise<FileHandle> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
  const unreadable = (what: string, cause?: unknown): AgentError =>
    new AgentError('usage.file', { message: `reading ${path}: ${what}`, details: { path }, cause });
  let source: FileHandle;
  try {
    source = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (cause) {
    throw unreadable(errnoOf(cause), cause);
  }
  if ((await source.stat()).isFile()) return source;
  await source.close();
  throw unreadable('not a regular file');
}

/** Folders below the folder of the targets, made once and never through a link. */
class FolderMaker {
  readonly #root: string;
  readonly #known = new Map<string, string>();

  constructor(root: string) {
    this.#root = root;
  }

  /** @param below for example `dist/linux`, or `.` */
  require(below: string): string {
    const known = this.#known.get(below);
    if (known !== undefined) return known;
    const path = below === '.' ? this.#root : join(this.require(dirname(below)), basename(below));
    try {
      fs.mkdirSync(path, { mode: PUBLIC_FOLDER });
    } catch (cause) {
      if (errnoOf(cause) !== 'EEXIST') {
        throw new AgentError('state.write', { message: `making ${path}: ${errnoOf(cause)}`, cause });
      }
    }
    if (!fs.lstatSync(path).isDirectory()) {
      throw new AgentError('state.write', { message: `making ${path}: something else is in its place` });
    }
    this.#known.set(below, path);
    return path;
  }

  sync(): void {
    for (const path of this.#known.values()) {
      const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
      try {
        fs.fsyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
    }
  }
}
