/**
 * The files of a ceremony have one form: JSON with sorted keys, two spaces of indentation and a final line feed. Read on paper, compared with
 * diff, hashed with sha256sum; and no byte of one can change without the reader seeing it.
 */
import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { parseJsonStrict } from '../encoding/json.js';
import { AgentError } from '../errors/agent-error.js';
import { isJsonObject } from '../formats/json-object.js';

/** Room for the targets of a large repository. */
export const MAX_CEREMONY_FILE_BYTES = 8 * 1024 * 1024;

/** A file as it was read: what it says, its bytes, and their SHA-256 in hex. */
export interface Loaded<T> {
  readonly value: T;
  readonly bytes: Buffer;
  readonly sha256: string;
}

/** Bytes of a value in the one form. */
export function writeForm(value: object): Buffer {
  return Buffer.from(`${JSON.stringify(sorted(value), null, 2)}\n`, 'utf8');
}

/**
 * Reads a file of that form.
 * @param what the file, named in the error
 * @throws AgentError `ceremony.file` naming the field, or that the form is another one
 */
export function readForm<T extends object>(bytes: Buffer, schema: z.ZodType<T>, what: string): Loaded<T> {
  const parsed = schema.safeParse(parseJsonStrict(bytes, `reading ${what}`, 'ceremony.file'));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = issue?.path.join('.') ?? '';
    throw invalid(what, `${field === '' ? 'the file' : field} is not as it has to be`);
  }
  if (!writeForm(parsed.data).equals(bytes))
    throw invalid(what, 'it is not in the one form that these files have');
  return { value: parsed.data, bytes, sha256: sha256Hex(bytes) };
}

/** A value of ours as a file that was read. */
export function asLoaded<T extends object>(value: T): Loaded<T> {
  const bytes = writeForm(value);
  return { value, bytes, sha256: sha256Hex(bytes) };
}

/** Lower-case hex SHA-256. */
export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isJsonObject(value)) return value;
  const entries = Object.entries(value).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return Object.fromEntries(entries.map(([key, one]) => [key, sorted(one)]));
}

function invalid(what: string, problem: string): AgentError {
  return new AgentError('ceremony.file', { message: `reading ${what}: ${problem}`, details: { file: what } });
}
