/** DSSE v1 pre-authentication encoding: the bytes that are signed for (payload type, body). */
import { AgentError } from '../errors/agent-error.js';
import type { ErrorCode } from '../errors/codes.js';

export interface PaeContent {
  readonly payloadType: string;
  /** A view of the input. */
  readonly body: Buffer;
}

const PREFIX = 'DSSEv1 ';
const SPACE = 0x20;
const MAX_LENGTH_DIGITS = 10;

/** `DSSEv1 SP LEN(type) SP type SP LEN(body) SP body`; lengths in bytes, decimal. */
export function pae(type: string, body: Uint8Array): Buffer {
  const head = Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${body.length} `, 'utf8');
  return Buffer.concat([head, body]);
}

/**
 * Takes a PAE apart: decimal lengths without leading zeros, a payload type of printable ASCII, nothing left over.
 * @throws AgentError `code` (default `statement.unrecognised`).
 */
export function decodePae(bytes: Buffer, code: ErrorCode = 'statement.unrecognised'): PaeContent {
  if (bytes.toString('latin1', 0, PREFIX.length) !== PREFIX)
    throw malformed(code, 'it does not begin with DSSEv1');
  const type = readField(bytes, PREFIX.length, code);
  const payloadType = bytes.toString('latin1', type.start, type.end);
  if (!/^[\x21-\x7e]+$/.test(payloadType)) throw malformed(code, 'the payload type is not printable ASCII');
  if (bytes[type.end] !== SPACE) throw malformed(code, 'no space after the payload type');
  const body = readField(bytes, type.end + 1, code);
  if (body.end !== bytes.length) throw malformed(code, 'the body has another length than it says');
  return { payloadType, body: bytes.subarray(body.start) };
}

/** Reads `LEN SP` at `offset`; returns where the bytes it announces begin and end. */
function readField(
  bytes: Buffer,
  offset: number,
  code: ErrorCode,
): { readonly start: number; readonly end: number } {
  const space = bytes.indexOf(SPACE, offset);
  const digits =
    space === -1 || space - offset > MAX_LENGTH_DIGITS ? '' : bytes.toString('latin1', offset, space);
  if (!/^(?:0|[1-9][0-9]*)$/.test(digits)) throw malformed(code, 'a length is not a decimal number');
  const start = space + 1;
  const end = start + Number(digits);
  if (end > bytes.length) throw malformed(code, 'it ends early');
  return { start, end };
}

function malformed(code: ErrorCode, problem: string): AgentError {
  return new AgentError(code, { message: `reading a DSSE pre-authentication encoding: ${problem}` });
}
