/** ECDSA signatures between r||s (64 bytes for P-256, 96 for P-384) and DER `SEQUENCE { INTEGER r, INTEGER s }` (RFC 3279 section 2.2.3, X.690). */
import { AgentError } from '../errors/agent-error.js';
import type { ErrorCode } from '../errors/codes.js';

const SEQUENCE = 0x30;
const INTEGER = 0x02;
/** Of P-256; P-384 has 48. */
const COORDINATE_BYTES = 32;

/**
 * DER of r||s, 64 or 96 bytes.
 * @throws AgentError `verify.format` when `raw` has another length.
 */
export function ecdsaDerFromRaw(raw: Uint8Array): Buffer {
  if (raw.length !== 64 && raw.length !== 96) throw malformed('verify.format', 'r||s is not 64 or 96 bytes');
  const r = derInteger(raw.subarray(0, raw.length / 2));
  const s = derInteger(raw.subarray(raw.length / 2));
  return Buffer.concat([Buffer.from([SEQUENCE, r.length + s.length]), r, s]);
}

/**
 * r||s of a DER signature. Only the one canonical encoding is accepted: short lengths, minimal non-negative integers of at most
 * `coordinateBytes` (32, or 48 for P-384), nothing after the sequence.
 * @throws AgentError `code` (default `verify.format`).
 */
export function ecdsaRawFromDer(
  der: Uint8Array,
  code: ErrorCode = 'verify.format',
  coordinateBytes = COORDINATE_BYTES,
): Buffer {
  if (der[0] !== SEQUENCE) throw malformed(code, 'no SEQUENCE');
  // Two integers of 49 bytes need 102 bytes: a long-form length is never canonical here.
  if (der[1] !== der.length - 2 || der.length > 2 * (coordinateBytes + 3) + 2)
    throw malformed(code, 'wrong length of the SEQUENCE');
  const raw = Buffer.alloc(2 * coordinateBytes);
  const afterR = copyInteger(der, 2, raw.subarray(0, coordinateBytes), code);
  const afterS = copyInteger(der, afterR, raw.subarray(coordinateBytes), code);
  if (afterS !== der.length) throw malformed(code, 'bytes after s');
  return raw;
}

function derInteger(magnitude: Uint8Array): Buffer {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start += 1;
  const digits = magnitude.subarray(start);
  const sign = (digits[0] ?? 0) >= 0x80 ? [0] : [];
  return Buffer.from([INTEGER, sign.length + digits.length, ...sign, ...digits]);
}

/** Copies the INTEGER at `offset` right-aligned into `target`; returns the offset after it. */
function copyInteger(der: Uint8Array, offset: number, target: Buffer, code: ErrorCode): number {
  const length = der[offset + 1];
  if (der[offset] !== INTEGER || length === undefined) throw malformed(code, 'no INTEGER');
  const end = offset + 2 + length;
  if (length === 0 || length > target.length + 1 || end > der.length)
    throw malformed(code, 'wrong length of an INTEGER');
  const first = der[offset + 2] ?? 0;
  const second = der[offset + 3] ?? 0;
  if (first >= 0x80) throw malformed(code, 'a negative INTEGER');
  if (length > 1 && first === 0 && second < 0x80) throw malformed(code, 'an INTEGER that is not minimal');
  if (length > target.length && first !== 0) throw malformed(code, 'an INTEGER that is too long');
  const digits = der.subarray(offset + 2 + (length > target.length ? 1 : 0), end);
  target.set(digits, target.length - digits.length);
  return end;
}

function malformed(code: ErrorCode, what: string): AgentError {
  return new AgentError(code, { message: `reading an ECDSA signature: ${what}` });
}
