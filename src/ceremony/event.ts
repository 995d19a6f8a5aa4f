/** What can happen in a ceremony, as lines of the transcript hold it. Nothing in them is secret. */
import { z } from 'zod';
import {
  firmwareField,
  holderField,
  serialField,
  sha256Field,
  timeField,
  versionField,
  wordsField,
} from './fields.js';

const tries = z.int().min(0).max(255).nullable();
const participant = z
  .strictObject({ name: holderField, part: z.enum(['holder', 'leader', 'witness', 'scribe']) })
  .readonly();

/** The first line, and the first of each time that the folder is opened again. */
const opened = z.strictObject({
  event: z.literal('opened'),
  ceremony: z.string(),
  tool: wordsField,
  /** SHA-256 of the program file. */
  toolSha256: sha256Field,
  node: wordsField,
  system: wordsField,
  request: sha256Field,
  policy: sha256Field,
  manifest: sha256Field,
  /** Date that a person typed, and what the clock of the machine said. */
  today: z.string().regex(/^\d{4}-\d\d-\d\d$/),
  participants: z.array(participant).max(64).readonly(),
});

const checked = z.strictObject({
  event: z.literal('check'),
  check: z.string().regex(/^[A-Z][A-Z0-9-]{2,40}$/),
  /** The document or file it is about; empty for the whole. */
  subject: wordsField,
  result: z.enum(['PASS', 'FAIL', 'WAIVED']),
  says: wordsField,
  /** Who waived it; empty else. */
  by: wordsField,
});

const driver = z.strictObject({
  event: z.literal('driver'),
  module: wordsField,
  sha256: sha256Field,
  info: wordsField,
});

const shown = z.strictObject({ event: z.literal('shown'), what: wordsField, sha256: sha256Field });
const confirmed = z.strictObject({ event: z.literal('confirmed'), what: wordsField, typed: wordsField });

const token = z.strictObject({
  event: z.literal('token'),
  state: z.enum(['inserted', 'removed', 'refused']),
  holder: holderField,
  serial: serialField,
  model: wordsField,
  firmware: firmwareField.nullable(),
  triesLeft: tries,
  why: wordsField,
});

const pin = z.strictObject({
  event: z.literal('pin'),
  holder: holderField,
  serial: serialField,
  result: z.enum(['accepted', 'refused', 'not-needed']),
  triesLeft: tries,
});

const touch = z.strictObject({
  event: z.literal('touch'),
  holder: holderField,
  serial: serialField,
  waitedMs: z.int().min(0),
});

const enrolled = z.strictObject({
  event: z.literal('enrolled'),
  holder: holderField,
  serial: serialField,
  keyId: sha256Field,
  /** Of the enrolment file. */
  sha256: sha256Field,
  attested: z.boolean(),
});

const signed = z.strictObject({
  event: z.literal('signed'),
  /** Whether it was made here, came in with `add`, or was found when the folder was opened again. */
  how: z.enum(['made', 'added', 'found']),
  document: z.string(),
  documentVersion: versionField,
  payloadSha256: sha256Field,
  holder: holderField,
  keyId: sha256Field,
  serial: serialField,
  file: wordsField,
  /** Of the signature file. */
  sha256: sha256Field,
});

const failed = z.strictObject({ event: z.literal('error'), code: wordsField, message: wordsField });
const note = z.strictObject({ event: z.literal('note'), text: wordsField });
const deviation = z.strictObject({ event: z.literal('deviation'), text: wordsField, reason: wordsField });
const aborted = z.strictObject({ event: z.literal('aborted'), reason: wordsField });

const closed = z.strictObject({
  event: z.literal('closed'),
  outputs: z.array(z.strictObject({ file: wordsField, sha256: sha256Field }).readonly()).readonly(),
  /** Documents that lack signatures; empty unless it was left open. */
  open: z.array(wordsField).readonly(),
  /** Of each document that is known, made here or not: what the next ceremony may begin with. */
  newest: z
    .array(z.strictObject({ document: wordsField, version: versionField, sha256: sha256Field }).readonly())
    .readonly(),
  nextExpiry: timeField.nullable(),
});

/** A signature of a holder who was present over everything before it. */
const sealed = z.strictObject({
  event: z.literal('sealed'),
  holder: holderField,
  keyId: sha256Field,
  /** Hex, over the pre-authentication encoding of `sealPayload`; DER for ECDSA. */
  signature: z.string().regex(/^(?:[0-9a-f]{2}){32,512}$/),
});

export const eventSchema = z.discriminatedUnion('event', [
  opened.readonly(),
  checked.readonly(),
  driver.readonly(),
  shown.readonly(),
  confirmed.readonly(),
  token.readonly(),
  pin.readonly(),
  touch.readonly(),
  enrolled.readonly(),
  signed.readonly(),
  failed.readonly(),
  note.readonly(),
  deviation.readonly(),
  aborted.readonly(),
  closed.readonly(),
  sealed.readonly(),
]);

export type CeremonyEvent = z.infer<typeof eventSchema>;
export type EventOf<K extends CeremonyEvent['event']> = Extract<CeremonyEvent, { event: K }>;
