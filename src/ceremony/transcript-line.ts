/** One line of a transcript: JSON with sorted keys, its own hash in it, and the hash of the line before. */
import { z } from 'zod';
import { parseJsonStrict } from '../encoding/json.js';
import { AgentError } from '../errors/agent-error.js';
import { canonicalJson } from '../encoding/canonical-json.js';
import { eventSchema, type CeremonyEvent } from './event.js';
import { sha256Field, timeField, wordsField } from './fields.js';
import { sha256Hex } from './one-form.js';

/** Before the first line. */
export const FIRST_PREVIOUS = '0'.repeat(64);

const lineSchema = z
  .strictObject({
    seq: z.int().min(1),
    time: timeField,
    /** Who did it: a holder, or `touchstone`. */
    actor: wordsField.min(1),
    event: eventSchema,
    /** Hash of the line before. */
    previous: sha256Field,
    /** SHA-256 of this line as it would be without this member. */
    hash: sha256Field,
  })
  .readonly();

export type TranscriptLine = z.infer<typeof lineSchema>;

/** The next line after `last`. @param time RFC 3339, whole seconds, Z */
export function lineAfter(
  last: TranscriptLine | undefined,
  said: { readonly time: string; readonly actor: string; readonly event: CeremonyEvent },
): TranscriptLine {
  const body = { ...said, seq: (last?.seq ?? 0) + 1, previous: last?.hash ?? FIRST_PREVIOUS };
  return { ...body, hash: hashOf(body) };
}

/** Text without a line feed. */
export function lineText(line: TranscriptLine): string {
  return canonicalJson(line, 'writing the transcript', 'ceremony.transcript');
}

/** @throws AgentError `ceremony.transcript` naming what is wrong with this line */
export function readLine(text: string, seq: number): TranscriptLine {
  const parsed = lineSchema.safeParse(
    parseJsonStrict(text, `line ${seq} of the transcript`, 'ceremony.transcript'),
  );
  if (!parsed.success) throw brokenLine(seq, 'it is not a line of a transcript');
  const { hash, ...body } = parsed.data;
  if (lineText(parsed.data) !== text) throw brokenLine(seq, 'it is not in the form that this program writes');
  if (hashOf(body) !== hash) throw brokenLine(seq, 'it was changed after it was written');
  return parsed.data;
}

export function brokenLine(seq: number, problem: string): AgentError {
  return new AgentError('ceremony.transcript', {
    message: `line ${seq} of the transcript: ${problem}`,
    details: { line: seq },
  });
}

function hashOf(body: Omit<TranscriptLine, 'hash'>): string {
  return sha256Hex(Buffer.from(canonicalJson(body, 'writing the transcript', 'ceremony.transcript'), 'utf8'));
}
