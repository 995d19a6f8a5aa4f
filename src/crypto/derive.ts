/**
 * derive v1 (docs/spec/derivation.md): the context that names a leaf, and the public inputs of the token's PRF. Immutable:
 * what this yields for given fields never changes. Steps 2 and 3, which touch secrets, are native (`leafDerive`).
 */
import { p256_hasher } from '@noble/curves/nist.js';
import { AgentError } from '../errors/agent-error.js';
import { DERIVED_ALGORITHMS, isDerivedAlgorithm, type DerivedAlgorithm } from './algorithms.js';

/** Keyed PRF that derives leaves (docs/spec/derivation.md, step 1). */
export type DerivationBackend = ObjectBackend | 'otp';

/** Those whose key is an object of a PKCS#11 token. */
export type ObjectBackend = 'ec' | 'hmac';

export const DERIVE_SUITE = 'touchstone-derive-v1';
const HASH_TO_CURVE_DST = 'TOUCHSTONE-DERIVE-V1-P256_XMD:SHA-256_SSWU_RO_';
const MAX_U32 = 0xffff_ffff;

/** Everything a leaf depends on besides the token's secret. */
export interface DeriveContext {
  /** Trust domain of the keyring. */
  readonly domain: string;
  readonly repository: string;
  readonly role: string;
  readonly algorithm: DerivedAlgorithm;
  /** 1..2^32-1. */
  readonly epoch: number;
  /** 0..2^32-1. */
  readonly index: number;
}

interface TextField {
  readonly pattern: RegExp;
  readonly alphabet: string;
  readonly maxBytes: number;
}

const TEXT_FIELDS = {
  domain: { pattern: /^[a-z0-9.-]*$/, alphabet: 'a-z 0-9 . -', maxBytes: 64 },
  repository: { pattern: /^[a-z0-9._:/-]*$/, alphabet: 'a-z 0-9 . _ : / -', maxBytes: 255 },
  role: { pattern: /^[a-z0-9._/-]*$/, alphabet: 'a-z 0-9 . _ / -', maxBytes: 64 },
} as const satisfies Record<string, TextField>;

/**
 * The injective byte string of a context.
 * @throws AgentError `key.field-invalid` with the name of the field in the details.
 */
export function encodeContext(fields: DeriveContext): Buffer {
  return Buffer.concat([
    lengthPrefixed(DERIVE_SUITE),
    lengthPrefixed(checkDeriveText('domain', fields.domain)),
    lengthPrefixed(checkDeriveText('repository', fields.repository)),
    lengthPrefixed(checkDeriveText('role', fields.role)),
    lengthPrefixed(derivedAlgorithm(fields.algorithm)),
    u32(checkNumber('epoch', fields.epoch, 1)),
    u32(checkNumber('index', fields.index, 0)),
  ]);
}

/**
 * Checks alphabet and length of one text field and returns it.
 * @throws AgentError `key.field-invalid`.
 */
export function checkDeriveText(field: keyof typeof TEXT_FIELDS, value: string): string {
  const { pattern, alphabet, maxBytes } = TEXT_FIELDS[field];
  // A pattern's $ does not match before a final line feed without the m flag, so this covers the whole text.
  if (!pattern.test(value)) throw fieldInvalid(field, `only ${alphabet} may stand in it`);
  if (value.length === 0 || value.length > maxBytes)
    throw fieldInvalid(field, `1 to ${maxBytes} characters are needed`);
  return value;
}

/**
 * The peer point for backend `ec`: RFC 9380 `P256_XMD:SHA-256_SSWU_RO_` of the context, 65 bytes uncompressed. Nobody knows
 * its logarithm, which is what keeps the shared x-coordinate secret.
 */
export function peerPoint(context: Uint8Array): Buffer {
  return Buffer.from(p256_hasher.hashToCurve(context, { DST: HASH_TO_CURVE_DST }).toBytes(false));
}

/** Salt of step 2, HKDF-Extract. */
export function saltFor(backend: DerivationBackend): Buffer {
  return Buffer.from(`${DERIVE_SUITE}/${backend}`, 'ascii');
}

/**
 * The algorithm, where derive v1 makes keys of it.
 * @throws AgentError `key.field-invalid`
 */
export function derivedAlgorithm(algorithm: string): DerivedAlgorithm {
  if (!isDerivedAlgorithm(algorithm))
    throw fieldInvalid('algorithm', `one of ${DERIVED_ALGORITHMS.join(', ')} is needed`);
  return algorithm;
}

function checkNumber(field: 'epoch' | 'index', value: number, min: number): number {
  if (!Number.isInteger(value) || value < min || value > MAX_U32) {
    throw fieldInvalid(field, `a whole number from ${min} to ${MAX_U32} is needed`);
  }
  return value;
}

function fieldInvalid(field: string, problem: string): AgentError {
  return new AgentError('key.field-invalid', { message: `${field}: ${problem}`, details: { field } });
}

/** LP of the specification: u16 length, then the ASCII text. */
export function lengthPrefixed(text: string): Buffer {
  const bytes = Buffer.from(text, 'ascii');
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
