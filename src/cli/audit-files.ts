/** The files of an audit log as the verifier reads them, while an agent may still be writing. */
import {
  createReadStream,
  openSync,
  closeSync,
  fstatSync,
  readdirSync,
  readFileSync,
  readSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { segmentsAmong } from '../audit/segment-name.js';
import type { AuditFile } from '../audit/verify.js';
import { AgentError } from '../errors/agent-error.js';

const LINE_FEED = 0x0a;

/** A line is written in one go; within this time the rest of it has arrived. */
const WHOLE_LINE_TRIES = 5;
const WHOLE_LINE_MS = 20;

/** Oldest first. @throws AgentError usage.file when the folder cannot be read or holds no log */
export function auditFileNames(folder: string): readonly string[] {
  let names: readonly string[];
  try {
    names = segmentsAmong(readdirSync(folder));
  } catch (cause) {
    throw new AgentError('usage.file', {
      message: `reading the audit log in ${folder}: ${(cause as NodeJS.ErrnoException).code ?? 'failed'}`,
      cause,
    });
  }
  if (names.length > 0) return names;
  throw new AgentError('usage.file', {
    message: `reading the audit log in ${folder}: there is none`,
    hint: 'the agent makes it at its first start; another place is named with --dir',
  });
}

/** Each file up to its last whole line of now. */
export async function* auditFiles(folder: string, names: readonly string[]): AsyncGenerator<AuditFile> {
  for (const name of names) {
    const path = join(folder, name);
    const length = await wholeLength(path);
    yield { name, chunks: length === 0 ? [] : createReadStream(path, { end: length - 1 }) };
  }
}

/** What the agent remembers of its log (docs/spec/state-files.md); undefined when it has nothing. */
export function rememberedHead(file: string): { readonly seq: number; readonly head: string } | undefined {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new AgentError('state.damaged', { message: `reading ${file}: it cannot be read`, cause });
  }
  const { format, version, seq, head } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (format !== 'touchstone-audit-head' || typeof seq !== 'number' || typeof head !== 'string') {
    throw new AgentError('state.damaged', { message: `reading ${file}: it is not what the agent writes` });
  }
  if (version !== 1)
    throw new AgentError('state.version', { message: `reading ${file}: version ${String(version)}` });
  return { seq, head };
}

/** Bytes of the file when it ends with a whole line; what it has when it never does. */
async function wholeLength(path: string): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    const { length, last } = endOf(path);
    if (length === 0 || last === LINE_FEED || attempt === WHOLE_LINE_TRIES) return length;
    await sleep(WHOLE_LINE_MS);
  }
}

function endOf(path: string): { readonly length: number; readonly last: number | undefined } {
  const fd = openSync(path, 'r');
  try {
    const length = fstatSync(fd).size;
    const byte = Buffer.alloc(1);
    if (length > 0) readSync(fd, byte, 0, 1, length - 1);
    return { length, last: byte[0] };
  } finally {
    closeSync(fd);
  }
}
