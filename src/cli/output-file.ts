/** Writing results to files: created only on success, all or nothing. `-` is standard output, which never gets bytes on a terminal. */
import { closeSync, openSync, statSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { AgentError } from '../errors/agent-error.js';
import { errnoOf } from '../platform/errno.js';
import { writeFileAtomic } from '../platform/store/atomic-file.js';
import type { CliContext } from './context.js';

export const STANDARD_STREAM = '-';

const STDOUT = 1;

/** Public results: everybody may read them. */
const PUBLIC_MODE = 0o644;

/**
 * Writes text or bytes.
 * @throws AgentError usage.invalid for bytes on a terminal, state.write when the file cannot be written
 */
export function writeOutput(context: CliContext, target: string, data: string | Uint8Array): void {
  if (target !== STANDARD_STREAM) {
    writeToPath(resolve(target), data);
    return;
  }
  // With --json the one document already holds the data.
  if (context.flags.json) return;
  if (typeof data !== 'string' && context.stdoutIsTerminal) {
    throw new AgentError('usage.invalid', {
      message: 'writing the result: bytes do not belong on a terminal',
      hint: 'name a file, or pipe standard output into a program',
    });
  }
  writeAll(STDOUT, data);
}

/** A device or pipe is written to; root could replace /dev/null by a file otherwise. */
function writeToPath(path: string, data: string | Uint8Array): void {
  const facts = statSync(path, { throwIfNoEntry: false });
  if (facts === undefined || facts.isFile() || facts.isDirectory()) {
    writeFileAtomic(path, data, PUBLIC_MODE);
    return;
  }
  try {
    const fd = openSync(path, 'w');
    try {
      writeAll(fd, data);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    throw new AgentError('state.write', { message: `writing ${path}: ${errnoOf(cause)}`, cause });
  }
}

function writeAll(fd: number, data: string | Uint8Array): void {
  const bytes = typeof data === 'string' ? Buffer.from(data, 'utf8') : data;
  for (let offset = 0; offset < bytes.length;) offset += writeSync(fd, bytes, offset);
}
