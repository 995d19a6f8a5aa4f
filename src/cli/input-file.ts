/** Reading what a command line names: whole small files with a limit, or the hash of files of any size. `-` is standard input. */
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { AgentError } from '../errors/agent-error.js';
import { fileFault } from '../platform/errno.js';

export const STANDARD_INPUT = '-';

/** Envelopes, keys, signatures and payloads are far below this. Bytes. */
const MAX_INPUT_BYTES = 16 * 1024 * 1024;

/** @throws AgentError usage.file when it cannot be read or is too large to be what it should be */
export async function readInput(path: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of openInput(path)) {
      length += chunk.length;
      if (length > MAX_INPUT_BYTES) throw tooLarge(path);
      chunks.push(chunk);
    }
  } catch (cause) {
    throw readError(path, cause);
  }
  return Buffer.concat(chunks);
}

/** As `readInput`, for small text files beside the main input: keys, armored signatures. */
export function readTextFile(path: string): string {
  try {
    const bytes = readFileSync(path);
    if (bytes.length > MAX_INPUT_BYTES) throw tooLarge(path);
    return bytes.toString('utf8');
  } catch (cause) {
    throw readError(path, cause);
  }
}

/** Hash of a file of any size. */
export async function hashInput(path: string, algorithm: 'sha256' | 'sha512'): Promise<Buffer> {
  const hash = createHash(algorithm);
  for await (const chunk of inputChunks(path)) hash.update(chunk);
  return hash.digest();
}

/** A file of any size, piece by piece. @throws AgentError usage.file */
export async function* inputChunks(path: string): AsyncGenerator<Buffer> {
  try {
    yield* openInput(path);
  } catch (cause) {
    throw readError(path, cause);
  }
}

function openInput(path: string): AsyncIterable<Buffer> {
  return path === STANDARD_INPUT ? (process.stdin as AsyncIterable<Buffer>) : createReadStream(path);
}

function tooLarge(path: string): AgentError {
  return new AgentError('usage.file', { message: `reading ${path}: larger than ${MAX_INPUT_BYTES} bytes` });
}

function readError(path: string, cause: unknown): AgentError {
  if (cause instanceof AgentError) return cause;
  return new AgentError('usage.file', {
    message: `reading ${path}: ${fileFault(cause)}`,
    details: { file: path },
    cause,
  });
}
