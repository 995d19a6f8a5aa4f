/** Bytes that leave the program only after a check: to a file that appears whole, or to standard output once all of them have come. */
import { closeSync, createReadStream, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { AgentError } from '../errors/agent-error.js';
import { errnoOf } from '../platform/errno.js';
import { HeldFile } from '../platform/store/held-file.js';
import type { CliContext } from './context.js';
import { STANDARD_STREAM } from './output-file.js';

const PUBLIC_MODE = 0o644;
const PRIVATE_MODE = 0o600;

/** Checks everything that comes, and passes it on as it goes; throws when it is not what it should be. */
export type Check = (passOn: (bytes: Uint8Array) => void) => Promise<void>;

/**
 * Runs a check and puts what it passed on into a file, or to standard output. Nothing is written when it throws.
 * @param target a path, or `-`
 * @throws AgentError of the check; `usage.invalid` for bytes on a terminal or beside JSON, `state.write`
 */
export async function writeVerified(context: CliContext, target: string, check: Check): Promise<void> {
  if (target === STANDARD_STREAM) {
    requireStream(context);
    await throughHiding(check);
    return;
  }
  const path = resolve(target);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) {
    throw new AgentError('state.write', { message: `writing ${path}: it is a folder` });
  }
  using file = new HeldFile(path);
  await check((bytes) => {
    file.write(bytes);
  });
  file.keep(PUBLIC_MODE);
}

function requireStream({ flags, stdoutIsTerminal }: CliContext): void {
  if (flags.json) {
    throw new AgentError('usage.invalid', {
      message: 'option --output: standard output cannot hold the file and the JSON document of --json',
      hint: 'name a file',
    });
  }
  if (stdoutIsTerminal) {
    throw new AgentError('usage.invalid', {
      message: 'writing the file: bytes do not belong on a terminal',
      hint: 'name a file, or pipe standard output into a program',
    });
  }
}

/** What was checked is what goes out: it waits in a file without a name, which goes with this process however that ends. */
async function throughHiding(check: Check): Promise<void> {
  let fd: number | undefined;
  try {
    fd = openNameless();
    const hidden = fd;
    await check((bytes) => {
      for (let at = 0; at < bytes.length;) at += writeSync(hidden, bytes, at);
    });
    await pipeline(createReadStream('', { fd, start: 0, autoClose: false }), process.stdout, { end: false });
    await written(process.stdout);
  } catch (cause) {
    if (cause instanceof AgentError) throw cause;
    throw new AgentError('state.write', { message: `writing to standard output: ${errnoOf(cause)}`, cause });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function openNameless(): number {
  const folder = mkdtempSync(join(tmpdir(), 'touchstone-'));
  try {
    return openSync(join(folder, 'file'), 'wx+', PRIVATE_MODE);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The program exits right after it. */
function written(stream: NodeJS.WritableStream): Promise<void> {
  return new Promise((resolveWrite, reject) => {
    stream.write('', (cause) => {
      if (cause) reject(cause);
      else resolveWrite();
    });
  });
}
