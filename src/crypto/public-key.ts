/** Public keys in the forms the world wants: DER SubjectPublicKeyInfo inside, raw, PEM, OpenSSH and JWK at the edges. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { AgentError } from '../errors/agent-error.js';
import { encodeBase64 } from '../encoding/base64.js';
import { encodePem } from '../encoding/pem.js';
import { SshWriter } from '../encoding/ssh-wire.js';
import { ALGORITHMS, KEY_ALGORITHMS, type KeyAlgorithm } from './algorithms.js';

const UNCOMPRESSED_POINT = 0x04;
const SSH_CURVE_NAME = 'nistp256';

/** A public key taken apart. */
export interface RawPublicKey {
  readonly algorithm: KeyAlgorithm;
  /** 65-byte uncompressed point, or 32 bytes; a view of the input. */
  readonly raw: Buffer;
}

/** A public key as RFC 7517 JSON. */
export type PublicJwk =
  | { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string }
  | { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string };

/**
 * DER SubjectPublicKeyInfo of a raw public key (65-byte uncompressed point, or 32 bytes).
 * @throws AgentError `usage.invalid` for a wrong length or form.
 */
export function spkiFromRaw(algorithm: KeyAlgorithm, raw: Uint8Array): Buffer {
  const { publicKeyBytes, spkiPrefix } = ALGORITHMS[algorithm];
  const isPoint = algorithm === 'ecdsa-p256';
  if (raw.length !== publicKeyBytes || (isPoint && raw[0] !== UNCOMPRESSED_POINT)) {
    throw invalid(`not a raw ${algorithm} public key of ${publicKeyBytes} bytes`);
  }
  return Buffer.concat([Buffer.from(spkiPrefix, 'hex'), raw]);
}

/**
 * Algorithm and raw public key of a DER SubjectPublicKeyInfo; only the exact encodings of the table are taken.
 * @throws AgentError `usage.invalid`.
 */
export function rawFromSpki(spki: Uint8Array): RawPublicKey {
  const bytes = Buffer.from(spki.buffer, spki.byteOffset, spki.byteLength);
  for (const algorithm of KEY_ALGORITHMS) {
    const prefix = Buffer.from(ALGORITHMS[algorithm].spkiPrefix, 'hex');
    if (bytes.length !== prefix.length + ALGORITHMS[algorithm].publicKeyBytes) continue;
    if (!bytes.subarray(0, prefix.length).equals(prefix)) continue;
    const raw = bytes.subarray(prefix.length);
    if (algorithm === 'ecdsa-p256' && raw[0] !== UNCOMPRESSED_POINT) break;
    return { algorithm, raw };
  }
  throw invalid('not a SubjectPublicKeyInfo of P-256 (uncompressed) or Ed25519');
}

/**
 * The key as OpenSSL holds it; a P-256 point is checked to lie on the curve.
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

/** Public key blob of SSH (RFC 5656 section 3.1, RFC 8709 section 4). */
export function sshPublicKeyBlob(spki: Uint8Array): Buffer {
  const { algorithm, raw } = rawFromSpki(spki);
  const writer = new SshWriter().string(ALGORITHMS[algorithm].sshName);
  if (algorithm === 'ecdsa-p256') writer.string(SSH_CURVE_NAME);
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
  if (algorithm === 'ed25519') return { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') };
  return {
    kty: 'EC',
    crv: 'P-256',
    x: raw.subarray(1, 33).toString('base64url'),
    y: raw.subarray(33).toString('base64url'),
  };
}

function invalid(problem: string): AgentError {
  return new AgentError('usage.invalid', { message: `reading a public key: ${problem}` });
}
