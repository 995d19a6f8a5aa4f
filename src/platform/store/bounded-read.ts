/** Reads of our own small files: never through a symbolic link, never more than a stated number of bytes. */
import * as fs from 'node:fs';
import { AgentError } from '../../errors/agent-error.js';
import { errnoOf } from '../errno.js';

/**
 * Content of a regular file of at most `maxBytes`, or undefined when there is none.
 * @throws AgentError `usage.file` when it cannot be read or is no regular file, `state.damaged` when it is larger.
 */
export function readFileBounded(path: string, maxBytes: number): Buffer | undefined {
  let fd: number;
  try {
    fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    throw readError(path, errnoOf(cause), cause);
  }
  try {
    const facts = fs.fstatSync(fd);
    if (!facts.isFile()) throw readError(path, 'not a regular file');
    if (facts.size > maxBytes) {
      throw new AgentError('state.damaged', {
        message: `${path} has ${facts.size} bytes, at most ${maxBytes} are possible`,
        details: { path, bytes: facts.size },
      });
    }
    return fs.readFileSync(fd);
  } catch (cause) {
    if (cause instanceof AgentError) throw cause;
    throw readError(path, errnoOf(cause), cause);
  } finally {
    fs.closeSync(fd);
  }
}

function readError(path: string, what: string, cause?: unknown): AgentError {
  return new AgentError('usage.file', { message: `reading ${path}: ${what}`, details: { path }, cause });
}
