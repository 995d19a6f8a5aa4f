/**
 * DSSE v1: the pre-authentication encoding (what is signed) read strictly, so that a body can never be taken for
 * another type, and envelopes (what is stored) read as liberally as the specification demands.
 */
import { createHash } from 'node:crypto';
import { decodeBase64, encodeBase64 } from '../encoding/base64.js';
import { parseJsonStrict } from '../encoding/json.js';
import { AgentError } from '../errors/agent-error.js';
import { IN_TOTO_TYPE, inTotoFacts, inTotoSummary, parseInToto } from './in-toto.js';
import { isJsonObject } from './json-object.js';
import { describeCeremonyStatement, isCeremonyKind } from './ceremony-statement.js';
import { KEY_CERTIFICATE_TYPE } from './key-certificate/document.js';
import { describeKeyCertificate } from './key-certificate/statement.js';
import { DSSE_PREFIX, startsWith } from './prefixes.js';
import type { Statement } from './statement.js';
import { unrecognised } from './unrecognised.js';

const SPACE = 0x20;
/** Kinds hold 255 characters, `dsse:` takes five. */
const MAX_TYPE_BYTES = 250;
const MAX_LENGTH_DIGITS = 10;

export interface PreAuthentication {
  readonly payloadType: string;
  /** A view of the input. */
  readonly body: Buffer;
}

export interface DsseSignature {
  /** Only a hint, never trusted. */
  readonly keyid?: string | undefined;
  /** Raw bytes; DER for ECDSA, as sigstore wants it. */
  readonly sig: Buffer;
}

export interface DsseEnvelope {
  readonly payloadType: string;
  readonly payload: Buffer;
  readonly signatures: readonly DsseSignature[];
}

/**
 * Reads `DSSEv1 SP LEN SP type SP LEN SP body`: decimal lengths without leading zeros, nothing before or after. Types
 * are printable ASCII without spaces, at most 250 characters.
 * @throws AgentError `statement.unrecognised`.
 */
export function parsePae(bytes: Buffer): PreAuthentication {
  if (!startsWith(bytes, DSSE_PREFIX)) throw unrecognised('dsse', 'they do not begin with "DSSEv1 "');
  const type = readField(bytes, DSSE_PREFIX.length, 'type');
  if (bytes[type.end] !== SPACE) throw unrecognised('dsse', 'the length of the type is wrong');
  const body = readField(bytes, type.end + 1, 'body');
  if (body.end !== bytes.length) throw unrecognised('dsse', 'the length of the body is wrong');
  const payloadType = bytes.toString('latin1', type.start, type.end);
  if (payloadType.length > MAX_TYPE_BYTES || !/^[\x21-\x7e]+$/.test(payloadType)) {
    throw unrecognised('dsse', 'the type is not printable ASCII without spaces');
  }
  return { payloadType, body: bytes.subarray(body.start, body.end) };
}

/** Reads PAE bytes into facts; an in-toto body must be an in-toto Statement, and so with the types that are our own. */
export function describeDsse(bytes: Buffer): Statement {
  const { payloadType, body } = parsePae(bytes);
  const kind = `dsse:${payloadType}`;
  if (payloadType === IN_TOTO_TYPE) {
    const statement = parseInToto(body);
    return { kind, summary: inTotoSummary(statement), facts: inTotoFacts(statement), blind: false };
  }
  if (payloadType === KEY_CERTIFICATE_TYPE) return describeKeyCertificate(kind, body);
  if (isCeremonyKind(kind)) return describeCeremonyStatement(kind, body);
  const sha256 = createHash('sha256').update(body).digest('hex');
  const summary = [`${payloadType.slice(0, 100)}, ${body.length} bytes`, `sha256:${sha256}`];
  return { kind, summary, facts: { payloadType, bytes: body.length, sha256 }, blind: false };
}

/** The envelope as JSON on one line, standard base64, ending with a line feed. */
export function encodeEnvelope(envelope: DsseEnvelope): string {
  const signatures = envelope.signatures.map(({ keyid, sig }) => ({
    ...(keyid === undefined ? {} : { keyid }),
    sig: encodeBase64(sig),
  }));
  const { payloadType, payload } = envelope;
  return `${JSON.stringify({ payloadType, payload: encodeBase64(payload), signatures })}\n`;
}

/**
 * Reads an envelope. Both base64 alphabets are taken, padded or not; fields that the specification does not name are
 * ignored, as it demands. At least one signature is needed.
 * @throws AgentError `verify.format`.
 */
export function decodeEnvelope(source: string | Buffer): DsseEnvelope {
  const value = parseJsonStrict(source, 'reading a DSSE envelope', 'verify.format');
  if (!isJsonObject(value)) throw malformed('not an object');
  const { payloadType, payload, signatures } = value;
  if (typeof payloadType !== 'string' || payloadType === '') throw malformed('payloadType is missing');
  if (!Array.isArray(signatures) || signatures.length === 0) throw malformed('there is no signature');
  return { payloadType, payload: eitherBase64(payload, 'payload'), signatures: signatures.map(signatureOf) };
}

function signatureOf(value: unknown): DsseSignature {
  if (!isJsonObject(value)) throw malformed('a signature is not an object');
  const { keyid, sig } = value;
  if (keyid !== undefined && keyid !== null && typeof keyid !== 'string')
    throw malformed('keyid is not text');
  const hint = typeof keyid === 'string' && keyid !== '' ? { keyid } : {};
  return { ...hint, sig: eitherBase64(sig, 'sig') };
}

function eitherBase64(value: unknown, field: string): Buffer {
  if (typeof value !== 'string') throw malformed(`${field} is missing`);
  const standard = value.replaceAll('-', '+').replaceAll('_', '/');
  const padded = standard.padEnd(Math.ceil(standard.length / 4) * 4, '=');
  return decodeBase64(padded, `reading a DSSE envelope: ${field}`, 'verify.format');
}

/** A decimal length, a space, and that many bytes. */
function readField(
  bytes: Buffer,
  offset: number,
  what: string,
): { readonly start: number; readonly end: number } {
  const space = bytes.indexOf(SPACE, offset);
  const digits = space - offset;
  if (space === -1 || digits < 1 || digits > MAX_LENGTH_DIGITS) {
    throw unrecognised('dsse', `the length of the ${what} is not a number`);
  }
  const text = bytes.toString('latin1', offset, space);
  if (!/^(?:0|[1-9][0-9]*)$/.test(text))
    throw unrecognised('dsse', `the length of the ${what} is not a plain number`);
  const end = space + 1 + Number(text);
  if (end > bytes.length) throw unrecognised('dsse', `the length of the ${what} is wrong`);
  return { start: space + 1, end };
}

function malformed(problem: string): AgentError {
  return new AgentError('verify.format', { message: `reading a DSSE envelope: ${problem}` });
}
