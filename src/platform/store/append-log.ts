/**
 * A file that only grows, by whole lines. A write that fails or is cut short is taken back, so that the file never ends
 * in half a line while a process lives; half a line left by a power loss is found and cut when the file is opened.
 */
import * as fs from 'node:fs';
import { AgentError } from '../../errors/agent-error.js';
import { errnoOf } from '../errno.js';

const LINE_FEED = 0x0a;
const SCAN_BYTES = 64 * 1024;

export class AppendLog implements Disposable {
  readonly path: string;
  /** Bytes cut at open because they were no whole line; 0 in the normal case. */
  readonly tornBytes: number;
  readonly #fd: number;
  #length: number;
  #overhang = false;
  #closed = false;

  private constructor(path: string, fd: number, length: number, tornBytes: number) {
    this.path = path;
    this.#fd = fd;
    this.#length = length;
    this.tornBytes = tornBytes;
  }

  /**
   * Opens or creates the file (0600). Bytes after the last line feed, and zero bytes at the end (blocks that were
   * never written before a power loss), are no line and are cut: nothing was released on their strength, since
   * `append` had not returned. A file with fewer whole-line bytes than `expectedLength` is left as it is.
   * @throws AgentError `audit.write` with path and errno, `audit.shorter` when it lost whole lines.
   */
  static open(path: string, expectedLength = 0): AppendLog {
    const { O_RDWR, O_CREAT, O_APPEND, O_NOFOLLOW } = fs.constants;
    let fd: number | undefined;
    try {
      fd = fs.openSync(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0o600);
      const size = fs.fstatSync(fd).size;
      const length = wholeLinesLength(fd, size);
      if (length < expectedLength) throw shorterError(path, length, expectedLength);
      if (length < size) fs.ftruncateSync(fd, length);
      return new AppendLog(path, fd, length, size - length);
    } catch (cause) {
      if (fd !== undefined) fs.closeSync(fd);
      if (cause instanceof AgentError) throw cause;
      throw writeError(path, cause);
    }
  }

  /** Bytes of whole lines. */
  get length(): number {
    return this.#length;
  }

  /**
   * Writes whole lines (the last byte is a line feed) and returns once the kernel has them.
   * @throws AgentError `audit.write`; nothing of `lines` is then in the file.
   */
  append(lines: Uint8Array): void {
    try {
      if (this.#overhang) this.#cut(this.#length);
      let written = 0;
      this.#overhang = true;
      while (written < lines.length) written += fs.writeSync(this.#fd, lines, written);
      this.#overhang = false;
      this.#length += lines.length;
    } catch (cause) {
      this.#cutQuietly();
      throw writeError(this.path, cause);
    }
  }

  /**
   * Takes back everything after `length` bytes, for lines that could not be made durable.
   * When even that fails the next `append` tries again first.
   */
  truncate(length: number): void {
    this.#length = Math.min(length, this.#length);
    this.#overhang = true;
    this.#cutQuietly();
  }

  /** @throws AgentError `audit.write` when the disk did not take the data. */
  async sync(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      fs.fdatasync(this.#fd, (error) => {
        if (error === null) resolve();
        else reject(writeError(this.path, error));
      });
    });
  }

  /** As `sync`, blocking: for start, stop and rotation. */
  syncNow(): void {
    try {
      fs.fdatasyncSync(this.#fd);
    } catch (cause) {
      throw writeError(this.path, cause);
    }
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    fs.closeSync(this.#fd);
  }

  #cut(length: number): void {
    fs.ftruncateSync(this.#fd, length);
    this.#overhang = false;
  }

  #cutQuietly(): void {
    if (!this.#overhang) return;
    try {
      this.#cut(this.#length);
    } catch {
      // The overhang stays marked; the next append cuts it before it writes.
    }
  }
}

/** Length up to and including the last line feed, after zero bytes at the end. */
function wholeLinesLength(fd: number, size: number): number {
  const block = Buffer.alloc(Math.min(SCAN_BYTES, size));
  let end = size;
  let sawContent = false;
  while (end > 0) {
    const start = Math.max(0, end - block.length);
    const got = fs.readSync(fd, block, 0, end - start, start);
    for (let at = got - 1; at >= 0; at -= 1) {
      const byte = block[at];
      if (!sawContent && byte === 0) continue;
      sawContent = true;
      if (byte === LINE_FEED) return start + at + 1;
    }
    end = start;
  }
  return 0;
}

function shorterError(path: string, length: number, expectedLength: number): AgentError {
  return new AgentError('audit.shorter', {
    message: `${path} holds ${length} bytes of whole lines, it held ${expectedLength}`,
    details: { path, bytes: length, expectedBytes: expectedLength },
  });
}

function writeError(path: string, cause: unknown): AgentError {
  const errno = errnoOf(cause);
  return new AgentError('audit.write', {
    message: `writing ${path}: ${errno}`,
    details: { path, errno },
    cause,
  });
}
