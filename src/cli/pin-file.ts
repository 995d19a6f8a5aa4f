/** A PIN from a file or an inherited descriptor: bytes in a buffer, never a string. One line feed at the end is dropped. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { isatty } from 'node:tty';
import { secretBuffer } from '../crypto/secret-bytes.js';
import { AgentError } from '../errors/agent-error.js';
import { fileFault } from '../platform/errno.js';
import { MAX_PIN_BYTES } from './pin-line.js';

/**
 * Reads a PIN from a regular file that only its owner can read.
 * @throws AgentError usage.file when it is missing, not private, or of another user; token.pin-format when empty or too long
 */
export function readPinFile(path: string, uid: number): Buffer {
  const fd = openPinFile(path);
  try {
    const facts = fstatSync(fd);
    if (!facts.isFile()) throw notUsable(path, 'it is not a regular file');
    if (facts.uid !== uid && facts.uid !== 0) throw notUsable(path, 'it belongs to another user');
    if ((facts.mode & 0o077) !== 0)
      throw notUsable(path, 'others can read it', `make it private: chmod 600 ${path}`);
    return readPin(fd, `PIN file ${path}`);
  } finally {
    closeSync(fd);
  }
}

/** Reads a PIN from a descriptor that whoever started us left open; closes it. */
export function readPinDescriptor(fd: number): Buffer {
  const what = `--pin-fd ${fd}`;
  if (!isReadable(fd)) {
    throw new AgentError('usage.file', {
      message: `${what}: whoever started this program left no such descriptor open`,
      hint: 'open it in the same command, for example "--pin-fd 3 3< FILE"',
    });
  }
  if (isatty(fd)) {
    throw new AgentError('usage.invalid', {
      message: `${what}: a terminal would show the PIN`,
      hint: 'leave out --pin-fd; the PIN is then asked for without echo',
    });
  }
  try {
    return readPin(fd, what);
  } finally {
    if (fd > 2) closeSync(fd);
  }
}

/** A number that was not passed on may be a descriptor of the runtime itself: those are neither files, pipes nor terminals. */
function isReadable(fd: number): boolean {
  try {
    const facts = fstatSync(fd);
    return facts.isFile() || facts.isFIFO() || facts.isSocket() || facts.isCharacterDevice();
  } catch {
    return false;
  }
}

function openPinFile(path: string): number {
  try {
    // A named pipe without a writer must not make us wait: fstat refuses it right after.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw new AgentError('usage.file', {
      message: `PIN file ${path}: ${fileFault(cause)}`,
      details: { file: path },
      cause,
    });
  }
}

function notUsable(path: string, why: string, hint?: string): AgentError {
  return new AgentError('usage.file', {
    message: `PIN file ${path}: ${why}`,
    hint: hint ?? 'name a file of your own with mode 0600',
  });
}

function readPin(fd: number, what: string): Buffer {
  const buffer = Buffer.alloc(MAX_PIN_BYTES + 2);
  try {
    let length = 0;
    while (length < buffer.length) {
      const count = readSome(fd, buffer, length, what);
      if (count === 0) break;
      length += count;
    }
    if (length > 0 && buffer[length - 1] === 0x0a) length -= 1;
    if (length === 0) throw new AgentError('token.pin-format', { message: `${what}: it holds no PIN` });
    if (length > MAX_PIN_BYTES)
      throw new AgentError('token.pin-format', { message: `${what}: longer than a PIN can be` });
    const pin = secretBuffer(length);
    buffer.copy(pin, 0, 0, length);
    return pin;
  } finally {
    buffer.fill(0);
  }
}

function readSome(fd: number, buffer: Buffer, offset: number, what: string): number {
  try {
    return readSync(fd, buffer, offset, buffer.length - offset, null);
  } catch (cause) {
    throw new AgentError('usage.file', {
      message: `${what}: reading failed (${(cause as NodeJS.ErrnoException).code ?? 'unknown'})`,
      cause,
    });
  }
}
