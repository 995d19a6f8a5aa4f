/**
 * Whole-file writes that leave either the old or the new content, never a mixture: temporary file beside the target,
 * fsync, rename, fsync of the folder.
 */
import * as fs from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { AgentError } from '../../errors/agent-error.js';
import { errnoOf } from '../errno.js';

const PRIVATE_MODE = 0o600;

/**
 * Replaces the file at `path` with `data`. Temporary files that a killed process left behind are removed first.
 * @throws AgentError `state.write` with path and errno; the old file is then untouched.
 */
export function writeFileAtomic(path: string, data: string | Uint8Array, mode = PRIVATE_MODE): void {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${process.pid}.tmp`);
  requireReplaceable(path);
  try {
    removeLeftovers(folder, basename(path));
    writeNew(temporary, data, mode);
    fs.renameSync(temporary, path);
    syncFolder(folder);
  } catch (cause) {
    fs.rmSync(temporary, { force: true });
    throw writeError(path, cause);
  }
}

/** A rename would put a file in the place of a device, pipe or socket. @throws AgentError `state.write` */
export function requireReplaceable(path: string): void {
  const facts = fs.lstatSync(path, { throwIfNoEntry: false });
  if (facts === undefined || facts.isFile() || facts.isSymbolicLink() || facts.isDirectory()) return;
  throw new AgentError('state.write', {
    message: `writing ${path}: it is no file`,
    hint: 'name another place',
    details: { path },
  });
}

/** Makes renames, creations and removals inside `folder` durable. */
export function syncFolder(folder: string): void {
  const fd = fs.openSync(folder, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function writeNew(path: string, data: string | Uint8Array, mode: number): void {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;
  const fd = fs.openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, PRIVATE_MODE);
  try {
    fs.writeFileSync(fd, data);
    fs.fchmodSync(fd, mode);
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * Removes temporary files of writers that died. A temporary file carries the pid of its writer: ours (we are not writing now) or a dead
 * one's is a leftover.
 */
export function removeLeftovers(folder: string, name: string): void {
  const prefix = `.${name}.`;
  for (const entry of fs.readdirSync(folder)) {
    if (!entry.startsWith(prefix) || !entry.endsWith('.tmp')) continue;
    const pid = Number(entry.slice(prefix.length, -'.tmp'.length));
    if (!Number.isSafeInteger(pid) || pid <= 0) continue;
    if (pid === process.pid || !isAlive(pid)) fs.rmSync(join(folder, entry), { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) !== 'ESRCH';
  }
}

/** The error for a file that could not be written. */
export function writeError(path: string, cause: unknown): AgentError {
  const errno = errnoOf(cause);
  return new AgentError('state.write', {
    message: `writing ${path}: ${errno}`,
    details: { path, errno },
    cause,
  });
}
