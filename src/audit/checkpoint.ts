/**
 * Checkpoints: the sealed state of the log as a DSSE envelope by the leaf touchstone/agent#audit. ECDSA signatures in the
 * envelope are DER, as everywhere in DSSE.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { verifySignature } from '../crypto/verify.js';
import { decodeBase64, encodeBase64 } from '../encoding/base64.js';
import { ecdsaDerFromRaw, ecdsaRawFromDer } from '../encoding/der.js';
import { pae } from '../encoding/dsse-pae.js';
import { AgentError, asAgentError } from '../errors/agent-error.js';
import type { LeafRecord } from '../keys/key-record.js';
import { instanceSchema, timeSchema } from './line-schema.js';
import { CHECKPOINT_TYPE, type Checkpoint, type CheckpointLine } from './record.js';

/** What a verifier needs to know of an audit leaf; keys of several epochs may appear in one log. */
export type AuditKey = Pick<LeafRecord, 'keyId' | 'algorithm' | 'publicKey'>;

export type CheckpointEnvelope = CheckpointLine['dsse'];

/** What a checkpoint states, before format and version are added. */
export type CheckpointFacts = Omit<Checkpoint, 'format' | 'version'>;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const checkpointSchema = z.strictObject({
  format: z.literal('touchstone-audit-checkpoint'),
  version: z.literal(1),
  seq: z.int().min(1),
  head: sha256,
  time: timeSchema,
  instance: instanceSchema,
  orders: z.int().min(0),
  ordersHash: sha256,
});

/** Payload bytes of a checkpoint: JSON, keys in the order of the type. */
export function checkpointPayload(facts: CheckpointFacts): Buffer {
  return Buffer.from(payloadText(facts), 'utf8');
}

/** The exact bytes that the audit leaf signs: the DSSE pre-authentication encoding of the payload. */
export function checkpointMessage(payload: Uint8Array): Buffer {
  return pae(CHECKPOINT_TYPE, payload);
}

/** Envelope of a payload and the raw signature (64 bytes: r||s, or Ed25519) over `checkpointMessage(payload)`. */
export function checkpointEnvelope(
  payload: Uint8Array,
  key: AuditKey,
  signature: Uint8Array,
): CheckpointEnvelope {
  const sig = key.algorithm === 'ecdsa-p256' ? ecdsaDerFromRaw(signature) : signature;
  return {
    payloadType: CHECKPOINT_TYPE,
    payload: encodeBase64(payload),
    signatures: [{ keyid: key.keyId, sig: encodeBase64(sig) }],
  };
}

export interface OpenedCheckpoint {
  readonly checkpoint: Checkpoint;
  /** The order that made this checkpoint: key id and hex SHA-256 of the signed bytes. */
  readonly keyId: string;
  readonly hash: string;
}

/** Reads an envelope without judging its signature: what it says, and which order made it. */
export function readCheckpoint(envelope: CheckpointEnvelope): OpenedCheckpoint {
  if (envelope.payloadType !== CHECKPOINT_TYPE) throw broken('its payload type is another one');
  const payload = decodeBase64(envelope.payload, 'checkpoint payload', 'audit.broken');
  const keyId = envelope.signatures[0]?.keyid ?? '';
  const hash = createHash('sha256').update(checkpointMessage(payload)).digest('hex');
  return { checkpoint: parsePayload(payload), keyId, hash };
}

/**
 * Reads an envelope and verifies its signature with the key that it names.
 * @throws AgentError `audit.broken` saying what is wrong.
 */
export function openCheckpoint(
  envelope: CheckpointEnvelope,
  keys: ReadonlyMap<string, AuditKey>,
): OpenedCheckpoint {
  const opened = readCheckpoint(envelope);
  const key = keys.get(opened.keyId);
  if (key === undefined) throw broken(`no public key is known for key id ${opened.keyId}`);
  const sig = decodeBase64(envelope.signatures[0]?.sig ?? '', 'checkpoint signature', 'audit.broken');
  const message = checkpointMessage(decodeBase64(envelope.payload, 'checkpoint payload', 'audit.broken'));
  if (!signatureHolds(key, message, sig)) throw broken('its signature does not verify');
  return opened;
}

function signatureHolds(key: AuditKey, message: Buffer, sig: Buffer): boolean {
  const spki = decodeBase64(key.publicKey, 'public key of the audit leaf');
  try {
    const raw = key.algorithm === 'ecdsa-p256' ? ecdsaRawFromDer(sig) : sig;
    return verifySignature(spki, key.algorithm, message, raw);
  } catch (thrown) {
    if (asAgentError(thrown).code === 'verify.format') return false;
    throw thrown;
  }
}

function parsePayload(payload: Buffer): Checkpoint {
  let value: unknown;
  try {
    value = JSON.parse(payload.toString('utf8'));
  } catch {
    throw broken('its payload is not JSON');
  }
  const parsed = checkpointSchema.safeParse(value);
  if (!parsed.success) {
    throw broken(`its payload is not valid at ${parsed.error.issues[0]?.path.join('.') ?? 'the top'}`);
  }
  if (!payload.equals(checkpointPayload(parsed.data))) throw broken('its payload is not in its one form');
  return parsed.data;
}

function payloadText(facts: CheckpointFacts): string {
  const { seq, head, time, instance, orders, ordersHash } = facts;
  const format = 'touchstone-audit-checkpoint';
  return JSON.stringify({ format, version: 1, seq, head, time, instance, orders, ordersHash });
}

function broken(what: string): AgentError {
  return new AgentError('audit.broken', { message: `reading a checkpoint: ${what}` });
}
