/** Public keys in the forms the world wants: DER SubjectPublicKeyInfo inside, raw, PEM, OpenSSH and JWK at the edges. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { AgentError } from '../errors/agent-error.js';
import { encodeBase64 } from '../encoding/base64.js';
import { encodePem } from '../encoding/pem.js';
import { SshWriter } from '../encoding/ssh-wire.js';
import { ALGORITHMS, KEY_ALGORITHMS, type KeyAlgorithm } from './algorithms.js';

const UNCOMPRESSED_POINT = 0x04;
/** 65537, as SSH writes it and as JWK does. */
const RSA_EXPONENT = Buffer.of(1, 0, 1);

/** A public key taken apart. */
export interface RawPublicKey {
  readonly algorithm: KeyAlgorithm;
  /** Uncompressed point, 32 bytes, or RSA modulus; a view of the input. */
  readonly raw: Buffer;
}

/** A public key as RFC 7517 JSON. */
export type PublicJwk =
  | { readonly kty: 'EC'; readonly crv: string; readonly x: string; readonly y: string }
  | { readonly kty: 'RSA'; readonly n: string; readonly e: string }
  | { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string };

/**
 * DER SubjectPublicKeyInfo of a raw public key (uncompressed point, 32 bytes, or modulus of 384 bytes).
 * @throws AgentError `usage.invalid` for a wrong length or form.
 */
export function spkiFromRaw(algorithm: KeyAlgorithm, raw: Uint8Array): Buffer {
  const { publicKeyBytes, spkiPrefix, spkiSuffix } = ALGORITHMS[algorithm];
  if (raw.length !== publicKeyBytes || !hasForm(algorithm, raw)) {
    throw invalid(`not a raw ${algorithm} public key of ${publicKeyBytes} bytes`);
  }
  return Buffer.concat([Buffer.from(spkiPrefix, 'hex'), raw, Buffer.from(spkiSuffix, 'hex')]);
}

/**
 * Algorithm and raw public key of a DER SubjectPublicKeyInfo; only the exact encodings of the table are taken.
 * @throws AgentError `usage.invalid`.
 */
export function rawFromSpki(spki: Uint8Array): RawPublicKey {
  const bytes = Buffer.from(spki.buffer, spki.byteOffset, spki.byteLength);
  for (const algorithm of KEY_ALGORITHMS) {
    const { spkiPrefix, spkiSuffix, publicKeyBytes } = ALGORITHMS[algorithm];
    const prefix = Buffer.from(spkiPrefix, 'hex');
    const end = prefix.length + publicKeyBytes;
    if (!bytes.subarray(0, prefix.length).equals(prefix)) continue;
    if (!bytes.subarray(end).equals(Buffer.from(spkiSuffix, 'hex'))) continue;
    const raw = bytes.subarray(prefix.length, end);
    if (raw.length === publicKeyBytes && hasForm(algorithm, raw)) return { algorithm, raw };
  }
  throw invalid('not a SubjectPublicKeyInfo of P-256 or P-384 (uncompressed), Ed25519 or RSA-3072');
}

/**
 * The key as OpenSSL holds it; a point is checked to lie on its curve.
 * @throws AgentError `usage.invalid`.
 */
export function importPublicKey(spki: Uint8Array): KeyObject {
  rawFromSpki(spki);
  try {
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch (cause) {
    throw new AgentError('usage.invalid', {
      message: 'reading a public key: the point is not on the curve',
      cause,
    });
  }
}

/** PEM block `PUBLIC KEY`. */
export function publicKeyPem(spki: Uint8Array): string {
  return encodePem('PUBLIC KEY', spki);
}

/** Public key blob of SSH (RFC 5656 section 3.1, RFC 8709 section 4, RFC 4253 section 6.6). */
export function sshPublicKeyBlob(spki: Uint8Array): Buffer {
  const { algorithm, raw } = rawFromSpki(spki);
  const { sshName, curve } = ALGORITHMS[algorithm];
  const writer = new SshWriter().string(sshName);
  if (algorithm === 'rsa-3072') return writer.mpint(RSA_EXPONENT).mpint(raw).toBuffer();
  if (curve !== undefined) writer.string(curve.ssh);
  return writer.string(raw).toBuffer();
}

/**
 * One line of an OpenSSH public key file, without a line feed.
 * @throws AgentError `usage.invalid` when the comment could break out of its line.
 */
export function sshPublicKeyLine(spki: Uint8Array, comment: string): string {
  if (!/^[\x20-\x7e]*$/.test(comment)) throw invalid('the comment is not printable ASCII');
  const { algorithm } = rawFromSpki(spki);
  return `${ALGORITHMS[algorithm].sshName} ${encodeBase64(sshPublicKeyBlob(spki))} ${comment}`.trimEnd();
}

/** JWK (RFC 7518 section 6.2, RFC 8037), required members only. */
export function publicKeyJwk(spki: Uint8Array): PublicJwk {
  const { algorithm, raw } = rawFromSpki(spki);
  const { curve } = ALGORITHMS[algorithm];
  if (algorithm === 'rsa-3072') {
    return { kty: 'RSA', n: raw.toString('base64url'), e: RSA_EXPONENT.toString('base64url') };
  }
  if (curve === undefined) return { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') };
  const half = (raw.length + 1) / 2;
  return {
    kty: 'EC',
    crv: curve.jwk,
    x: raw.subarray(1, half).toString('base64url'),
    y: raw.subarray(half).toString('base64url'),
  };
}

/** Points are uncompressed; a modulus has its highest bit set and is odd. */
function hasForm(algorithm: KeyAlgorithm, raw: Uint8Array): boolean {
  if (algorithm === 'rsa-3072') return (raw[0] ?? 0) >= 0x80 && (raw.at(-1) ?? 0) % 2 === 1;
  return ALGORITHMS[algorithm].curve === undefined || raw[0] === UNCOMPRESSED_POINT;
}

function invalid(problem: string): AgentError {
  return new AgentError('usage.invalid', { message: `reading a public key: ${problem}` });
}
