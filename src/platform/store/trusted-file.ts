/** Files that decide what the agent does: taken only when nobody but their owner can write them, judged by descriptor. */
import * as fs from 'node:fs';
import { AgentError } from '../../errors/agent-error.js';
import type { ErrorCode } from '../../errors/codes.js';
import { errnoOf } from '../errno.js';

/** A policy of 1,000 rules with long lists has room in it. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * Text of the file, or undefined when there is none. Links are followed: what they lead to is judged.
 * @param untrusted code of the error for a file that others can change
 * @throws AgentError `untrusted`, or `usage.file` when it cannot be read or is no regular file
 */
export function readTrustedFile(path: string, ownerUid: number, untrusted: ErrorCode): string | undefined {
  const fd = open(path);
  if (fd === undefined) return undefined;
  try {
    const facts = fs.fstatSync(fd);
    if (!facts.isFile()) throw unreadable(path, 'not a regular file');
    if (facts.size > MAX_BYTES) throw unreadable(path, `more than ${MAX_BYTES} bytes`);
    if ((facts.mode & 0o022) !== 0 || (facts.uid !== 0 && facts.uid !== ownerUid)) {
      throw new AgentError(untrusted, {
        message: `${path} can be changed by others`,
        hint: `run "chmod go-w ${path}" and make it yours`,
        details: { file: path },
      });
    }
    return fs.readFileSync(fd, 'utf8');
  } catch (cause) {
    if (cause instanceof AgentError) throw cause;
    throw unreadable(path, errnoOf(cause), cause);
  } finally {
    fs.closeSync(fd);
  }
}

function open(path: string): number | undefined {
  try {
    // A pipe in its place must not make us wait for a writer.
    return fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    throw unreadable(path, errnoOf(cause), cause);
  }
}

function unreadable(path: string, what: string, cause?: unknown): AgentError {
  return new AgentError('usage.file', { message: `reading ${path}: ${what}`, details: { path }, cause });
}
