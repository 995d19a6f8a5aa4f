/**
 * The keyring file: two DSSE envelopes, the anchor signed by the root key inside it, the records signed by the audit leaf
 * that the anchor names. No I/O here: bytes in, values out.
 */
import { createHash } from 'node:crypto';
import type { z } from 'zod';
import type { KeyAlgorithm } from '../crypto/algorithms.js';
import { verifySignature } from '../crypto/verify.js';
import { decodeBase64, encodeBase64 } from '../encoding/base64.js';
import { ecdsaDerFromRaw, ecdsaRawFromDer } from '../encoding/der.js';
import { pae } from '../encoding/dsse-pae.js';
import { parseJsonStrict } from '../encoding/json.js';
import { AgentError } from '../errors/agent-error.js';
import type { KeyringAnchor, KeyringRecords, LeafRecord, RootRecord } from './key-record.js';
import {
  anchorSchema,
  firstIssue,
  keyringFileSchema,
  recordsSchema,
  type KeyringEnvelope,
} from './key-schema.js';
import { checkAnchor, checkRecords } from './keyring-check.js';
import { ANCHOR_TYPE, Keyring, RECORDS_TYPE } from './keyring.js';

/** A part of the keyring that waits for its signature. */
export interface UnsignedPart {
  readonly payloadType: string;
  readonly payload: Buffer;
  /** Exactly the bytes to sign (DSSE v1 PAE). */
  readonly pae: Buffer;
}

/** The anchor, to be signed by its root. */
export function unsignedAnchor(anchor: KeyringAnchor): UnsignedPart {
  return unsigned(ANCHOR_TYPE, anchor);
}

/** The records, to be signed by the audit leaf. */
export function unsignedRecords(records: KeyringRecords): UnsignedPart {
  return unsigned(RECORDS_TYPE, records);
}

/** Lower-case hex SHA-256 of an anchor's payload, as the records name it. */
export function anchorHash(payload: Uint8Array): string {
  return createHash('sha256').update(payload).digest('hex');
}

/** The part with its signature: 64 bytes from the core; an ECDSA one becomes DER, as DSSE verifiers expect. */
export function envelopeOf(
  part: UnsignedPart,
  signer: { readonly keyId: string; readonly algorithm: KeyAlgorithm },
  signature: Uint8Array,
): KeyringEnvelope {
  const sig = signer.algorithm === 'ecdsa-p256' ? ecdsaDerFromRaw(signature) : signature;
  return {
    payloadType: part.payloadType,
    payload: encodeBase64(part.payload),
    signatures: [{ keyid: signer.keyId, sig: encodeBase64(sig) }],
  };
}

/** Text of the file. */
export function buildKeyringFile(anchor: KeyringEnvelope, records: KeyringEnvelope): string {
  return `${JSON.stringify({ format: 'touchstone-keyring', version: 1, anchor, records }, null, 2)}\n`;
}

export interface VerifiedKeyring {
  readonly keyring: Keyring;
  /** The anchor as it stands in the file: later files carry it on unchanged. */
  readonly anchorEnvelope: KeyringEnvelope;
}

/**
 * Reads and verifies a keyring file.
 * @throws AgentError `state.version` for another format or version, `state.damaged` when it cannot be read,
 * `keyring.signature` when a signature or the link from records to anchor does not hold.
 */
export function verifyKeyring(file: string | Buffer): VerifiedKeyring {
  const { anchor: anchorEnvelope, records: recordsEnvelope } = parseFile(file);
  const anchorPayload = payloadOf(anchorEnvelope, ANCHOR_TYPE, 'anchor');
  const anchor = readPart(anchorPayload, anchorSchema, {
    format: 'touchstone-keyring-anchor',
    what: 'keyring anchor',
    newest: 3,
  });
  checkAnchor(anchor);
  requireSignature(anchorEnvelope, anchorPayload, anchor.root, 'anchor');
  const recordsPayload = payloadOf(recordsEnvelope, RECORDS_TYPE, 'records');
  requireSignature(recordsEnvelope, recordsPayload, anchor.audit, 'records');
  const records = readPart(recordsPayload, recordsSchema, {
    format: 'touchstone-keyring-records',
    what: 'keyring records',
    newest: 2,
  });
  if (records.anchor !== anchorHash(anchorPayload)) throw untrusted('the records belong to another anchor');
  checkRecords(anchor, records);
  return { keyring: new Keyring(anchor, records), anchorEnvelope };
}

function unsigned(payloadType: string, value: KeyringAnchor | KeyringRecords): UnsignedPart {
  const payload = Buffer.from(JSON.stringify(value), 'utf8');
  return { payloadType, payload, pae: pae(payloadType, payload) };
}

function parseFile(file: string | Buffer): {
  readonly anchor: KeyringEnvelope;
  readonly records: KeyringEnvelope;
} {
  const value = parseJsonStrict(file, 'keyring', 'state.damaged');
  requireVersion(value, 'touchstone-keyring', 'keyring');
  const parsed = keyringFileSchema.safeParse(value);
  if (!parsed.success) throw damaged('keyring', firstIssue(parsed.error));
  return parsed.data;
}

function payloadOf(envelope: KeyringEnvelope, payloadType: string, part: string): Buffer {
  if (envelope.payloadType !== payloadType)
    throw damaged(`keyring ${part}`, 'payloadType: not the one of this part');
  return decodeBase64(envelope.payload, `keyring ${part}: payload`, 'state.damaged');
}

interface PartNames {
  readonly format: string;
  readonly what: string;
  /** Newest version that is read. */
  readonly newest: number;
}

function readPart<T>(payload: Buffer, schema: z.ZodType<T>, { format, what, newest }: PartNames): T {
  const value = parseJsonStrict(payload, what, 'state.damaged');
  requireVersion(value, format, what, newest);
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw damaged(what, firstIssue(parsed.error));
  return parsed.data;
}

/** Another version is told apart from damage: the file is fine, this release is not the one for it. */
function requireVersion(value: unknown, format: string, what: string, newest = 1): void {
  const { format: found, version } = (value ?? {}) as {
    readonly format?: unknown;
    readonly version?: unknown;
  };
  if (found !== format) throw damaged(what, `format: not ${format}`);
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1 || version > newest) {
    const written = typeof version === 'number' ? `version ${version}` : 'an unknown version';
    throw new AgentError('state.version', {
      message: `${what}: ${written}; this release reads up to ${newest}`,
    });
  }
}

function requireSignature(
  envelope: KeyringEnvelope,
  payload: Buffer,
  signer: RootRecord | LeafRecord,
  part: string,
): void {
  const [signature] = envelope.signatures;
  if (signature?.keyid !== signer.keyId) throw untrusted(`the ${part} part is signed by another key`);
  const sig = decodeBase64(signature.sig, `keyring ${part}: sig`, 'keyring.signature');
  const raw = signer.algorithm === 'ecdsa-p256' ? ecdsaRawFromDer(sig, 'keyring.signature') : sig;
  const message = pae(envelope.payloadType, payload);
  const spki = decodeBase64(signer.publicKey, `keyring ${part}: publicKey`, 'state.damaged');
  if (!verifySignature(spki, signer.algorithm, message, raw)) {
    throw untrusted(`the signature of the ${part} part does not verify`);
  }
}

function untrusted(problem: string): AgentError {
  return new AgentError('keyring.signature', { message: `checking the keyring: ${problem}` });
}

function damaged(what: string, problem: string): AgentError {
  return new AgentError('state.damaged', { message: `${what}: ${problem}` });
}
