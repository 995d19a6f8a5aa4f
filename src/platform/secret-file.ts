/** Reads a secret that a person or systemd left in a file: into bytes, only from a file nobody else can read. */
import * as fs from 'node:fs';
import { AgentError } from '../errors/agent-error.js';
import { errnoOf } from './errno.js';

/** A PIN or passphrase with room to spare. */
const MAX_SECRET_BYTES = 4096;

/**
 * Content of a regular file owned by us or root with no right for group and others. The caller overwrites it after use.
 * @throws AgentError `usage.file` naming path and reason, never content
 */
export function readSecretFile(path: string): Buffer {
  const fd = openSecret(path);
  try {
    const facts = fs.fstatSync(fd);
    if (!facts.isFile()) throw refused(path, 'not a regular file');
    if (facts.uid !== 0 && facts.uid !== process.getuid?.())
      throw refused(path, `it belongs to uid ${facts.uid}`);
    if ((facts.mode & 0o077) !== 0) throw refused(path, 'group or others may read it; set its mode to 0600');
    if (facts.size > MAX_SECRET_BYTES) throw refused(path, `it has more than ${MAX_SECRET_BYTES} bytes`);
    return readExactly(fd, facts.size);
  } finally {
    fs.closeSync(fd);
  }
}

function openSecret(path: string): number {
  try {
    return fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
  } catch (cause) {
    throw refused(path, errnoOf(cause), cause);
  }
}

/** Into a buffer of its own: pooled memory would keep copies. */
function readExactly(fd: number, size: number): Buffer {
  const secret = Buffer.alloc(size);
  let read = 0;
  while (read < size) {
    const got = fs.readSync(fd, secret, read, size - read, read);
    if (got === 0) break;
    read += got;
  }
  return secret.subarray(0, read);
}

function refused(path: string, what: string, cause?: unknown): AgentError {
  return new AgentError('usage.file', { message: `reading ${path}: ${what}`, details: { path }, cause });
}
