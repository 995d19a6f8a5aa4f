/** Signatures of SSH servers: host keys are of more kinds than ours, and are only ever verified here. */
import { createPublicKey, verify, type JsonWebKey, type KeyObject } from 'node:crypto';
import { SshReader } from '../encoding/ssh-wire.js';
import { AgentError } from '../errors/agent-error.js';
import { plainKeyBlob } from './ssh-certificate.js';

interface HostCurve {
  readonly jwk: string;
  readonly bytes: number;
  readonly hash: string;
}

const CURVES: ReadonlyMap<string, HostCurve> = new Map([
  ['ecdsa-sha2-nistp256', { jwk: 'P-256', bytes: 32, hash: 'sha256' }],
  ['ecdsa-sha2-nistp384', { jwk: 'P-384', bytes: 48, hash: 'sha384' }],
  ['ecdsa-sha2-nistp521', { jwk: 'P-521', bytes: 66, hash: 'sha512' }],
]);
const RSA_HASHES: ReadonlyMap<string, string> = new Map([
  ['rsa-sha2-256', 'sha256'],
  ['rsa-sha2-512', 'sha512'],
]);
const MAX_MODULUS_BYTES = 2048;

/** Whether a host key (or host certificate) signed `message`; false too for blobs that cannot be read and for SHA-1. */
export function verifyHostSignature(keyBlob: Buffer, message: Buffer, signature: Buffer): boolean {
  try {
    return verifyRead(plainKeyBlob(keyBlob), message, signature);
  } catch (thrown) {
    if (thrown instanceof AgentError || isCryptoError(thrown)) return false;
    throw thrown;
  }
}

function verifyRead(keyBlob: Buffer, message: Buffer, signature: Buffer): boolean {
  const key = new SshReader(keyBlob, 'a host key', 'verify.format');
  const type = key.name();
  const signed = new SshReader(signature, 'a host signature', 'verify.format');
  const algorithm = signed.name();
  const body = signed.string();
  signed.end();
  if (type === 'ssh-rsa') {
    const hash = RSA_HASHES.get(algorithm);
    return hash !== undefined && verify(hash, message, rsaKey(key), body);
  }
  if (algorithm !== type) return false;
  const curve = CURVES.get(type);
  if (curve !== undefined) return verifyEcdsa(curve, message, body, ecKey(curve, key));
  return type === 'ssh-ed25519' && verify(null, message, edwardsKey(key), body);
}

function verifyEcdsa(curve: HostCurve, message: Buffer, body: Buffer, key: KeyObject): boolean {
  const reader = new SshReader(body, 'a host signature', 'verify.format');
  const raw = Buffer.concat([reader.mpint(curve.bytes), reader.mpint(curve.bytes)]);
  reader.end();
  return verify(curve.hash, message, { key, dsaEncoding: 'ieee-p1363' }, raw);
}

function rsaKey(reader: SshReader): KeyObject {
  const e = reader.mpint(8);
  const n = reader.mpint(MAX_MODULUS_BYTES);
  reader.end();
  return imported({ kty: 'RSA', n: trimmed(n).toString('base64url'), e: trimmed(e).toString('base64url') });
}

function ecKey(curve: HostCurve, reader: SshReader): KeyObject {
  reader.string();
  const point = reader.string();
  reader.end();
  const x = point.subarray(1, 1 + curve.bytes).toString('base64url');
  const y = point.subarray(1 + curve.bytes).toString('base64url');
  return imported({ kty: 'EC', crv: curve.jwk, x, y });
}

function edwardsKey(reader: SshReader): KeyObject {
  const x = reader.string().toString('base64url');
  reader.end();
  return imported({ kty: 'OKP', crv: 'Ed25519', x });
}

function imported(key: JsonWebKey): KeyObject {
  return createPublicKey({ key, format: 'jwk' });
}

function trimmed(magnitude: Buffer): Buffer {
  return magnitude.subarray(magnitude.findIndex((byte) => byte !== 0));
}

function isCryptoError(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && String(thrown.code).startsWith('ERR_');
}
