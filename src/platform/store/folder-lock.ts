/** One process at a time in a folder: a lock that the kernel drops when its holder ends, however it ends. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { AgentError } from '../../errors/agent-error.js';
import { errnoOf } from '../errno.js';
import { nativeShims } from '../native-shims.js';

const LOCK_NAME = 'lock';

export class FolderLock implements Disposable {
  readonly #fd: number;
  #released = false;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /**
   * Locks the folder without waiting; the file `lock` in it holds our pid for people to read.
   * @throws AgentError `state.locked` with the holder's pid, `state.write`
   */
  static take(folder: string): FolderLock {
    const path = join(folder, LOCK_NAME);
    const fd = openLock(path);
    try {
      if (!nativeShims().tryLockFile(fd)) throw lockedError(folder, fd);
      fs.ftruncateSync(fd, 0);
      fs.writeSync(fd, `${process.pid}\n`, 0);
      return new FolderLock(fd);
    } catch (cause) {
      fs.closeSync(fd);
      if (cause instanceof AgentError) throw cause;
      throw writeError(path, cause);
    }
  }

  /** The file stays: removing it would let two processes hold locks on two files of one name. */
  [Symbol.dispose](): void {
    if (this.#released) return;
    this.#released = true;
    fs.closeSync(this.#fd);
  }
}

function openLock(path: string): number {
  const { O_RDWR, O_CREAT, O_NOFOLLOW } = fs.constants;
  try {
    return fs.openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
  } catch (cause) {
    throw writeError(path, cause);
  }
}

function lockedError(folder: string, fd: number): AgentError {
  const block = Buffer.alloc(16);
  const text = block.toString('latin1', 0, fs.readSync(fd, block, 0, block.length, 0)).trim();
  const pid = /^\d+$/.test(text) ? Number(text) : null;
  return new AgentError('state.locked', {
    message: `locking ${folder}: ${pid === null ? 'another process' : `process ${pid}`} holds it`,
    details: { folder, pid },
  });
}

function writeError(path: string, cause: unknown): AgentError {
  const errno = errnoOf(cause);
  return new AgentError('state.write', {
    message: `locking ${path}: ${errno}`,
    details: { path, errno },
    cause,
  });
}
