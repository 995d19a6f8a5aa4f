/**
 * Reading a line of the audit log strictly: known types and fields only, every field in its own form, and the text exactly as the
 * writer of `chain.ts` would have written it.
 */
import { isUtf8 } from 'node:buffer';
import { z } from 'zod';
import { AgentError } from '../errors/agent-error.js';
import { lineText } from './chain.js';
import type { AuditLine } from './record.js';

/** Longest line that a reader accepts, in bytes; the writer stays far below. */
export const MAX_LINE_BYTES = 64 * 1024;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.int().min(0);
const sequence = z.int().min(1);

/** RFC 3339, whole seconds, Z. */
export const timeSchema = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/);

/** 16 bytes in hex. */
export const instanceSchema = z.string().regex(/^[0-9a-f]{32}$/);

const peer = z.strictObject({ uid: count, gid: count, pid: count, exe: z.string().optional() });
const link = { seq: sequence, time: timeSchema, prev: sha256 };

const document = z.strictObject({
  version: sequence,
  expires: z.string(),
  sha256,
  notStored: sha256.optional(),
  changed: count.optional(),
  changes: z.array(z.string()).optional(),
});

const lineSchema = z.discriminatedUnion('type', [
  z.strictObject({
    ...link,
    type: z.literal('sign'),
    group: sequence.optional(),
    peer,
    key: z.string(),
    keyId: sha256,
    kind: z.string(),
    rule: z.string(),
    blind: z.literal(true).optional(),
    summary: z.array(z.string()),
    document: document.optional(),
    certificate: sha256.optional(),
    hash: sha256,
    order: sequence,
  }),
  z.strictObject({
    ...link,
    type: z.literal('refuse'),
    peer,
    key: z.string(),
    kind: z.string(),
    code: z.string(),
    rule: z.string().optional(),
    message: z.string(),
  }),
  z.strictObject({
    ...link,
    type: z.literal('start'),
    instance: instanceSchema,
    orders: count,
    ordersHash: sha256,
    agent: z.string(),
  }),
  z.strictObject({ ...link, type: z.literal('unreleased'), keyId: sha256, hash: sha256, order: sequence }),
  z.strictObject({
    ...link,
    type: z.literal('act'),
    act: z.string(),
    peer: peer.optional(),
    // Names that look like numbers would change places when JavaScript reads them back.
    facts: z.record(z.string().regex(/^[A-Za-z][\w.-]*$/), z.union([z.string(), z.number()])),
  }),
  z.strictObject({
    ...link,
    type: z.literal('checkpoint'),
    order: sequence,
    dsse: z.strictObject({
      payloadType: z.string(),
      payload: z.string(),
      signatures: z.array(z.strictObject({ keyid: z.string(), sig: z.string() })).length(1),
    }),
  }),
  z.strictObject({ ...link, type: z.literal('continue'), file: z.string() }),
]);

/**
 * Parses one line without its line feed.
 * @throws AgentError `audit.broken` naming the field.
 */
export function parseLine(line: Buffer): AuditLine {
  if (!isUtf8(line))
    throw new AgentError('audit.broken', { message: 'reading a line of the audit log: not UTF-8' });
  const text = line.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new AgentError('audit.broken', { message: 'reading a line of the audit log: not JSON' });
  }
  const parsed = lineSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const field = issue?.path.join('.') ?? '';
    const what = issue?.message.toLowerCase() ?? 'not a line';
    throw new AgentError('audit.broken', {
      message: `reading a line of the audit log: ${field === '' ? 'the line' : field}: ${what}`,
    });
  }
  if (lineText(parsed.data) !== text) {
    throw new AgentError('audit.broken', {
      message: 'reading a line of the audit log: not written the way the agent writes it',
    });
  }
  return parsed.data;
}
