/** SSHSIG as it is stored and sent (PROTOCOL.sshsig of OpenSSH, section 2): version 1, key, namespace, hash, signature, armored. */
import { ALGORITHMS } from '../crypto/algorithms.js';
import { rawFromSpki, sshPublicKeyBlob } from '../crypto/public-key.js';
import { decodeBase64, encodeBase64 } from '../encoding/base64.js';
import { SshReader, SshWriter } from '../encoding/ssh-wire.js';
import { AgentError } from '../errors/agent-error.js';
import { SSHSIG_PREFIX, startsWith } from './prefixes.js';
import { spkiFromSshBlob } from './ssh-public-key.js';
import { isNamespace, isSshsigHash, type SshsigHash } from './sshsig.js';

const BEGIN = '-----BEGIN SSH SIGNATURE-----';
const END = '-----END SSH SIGNATURE-----';
const COLUMNS = 70;
const VERSION = 1;
const COORDINATE_BYTES = 32;

export interface SshSignature {
  /** DER SubjectPublicKeyInfo, P-256 or Ed25519. */
  readonly spki: Buffer;
  readonly namespace: string;
  readonly hashAlgorithm: SshsigHash;
  /** 64 bytes: r||s, or Ed25519. */
  readonly signature: Buffer;
}

/**
 * The armored file, ending with a line feed, as `ssh-keygen -Y sign` writes it.
 * @throws AgentError `usage.invalid` when a field is not valid.
 */
export function encodeArmor(signature: SshSignature): string {
  if (!isNamespace(signature.namespace)) throw invalid('the namespace is not valid');
  const blob = new SshWriter()
    .raw(SSHSIG_PREFIX)
    .u32(VERSION)
    .string(sshPublicKeyBlob(signature.spki))
    .string(signature.namespace)
    .string('')
    .string(signature.hashAlgorithm)
    .string(signatureBlob(signature))
    .toBuffer();
  const text = encodeBase64(blob);
  const lines: string[] = [];
  for (let at = 0; at < text.length; at += COLUMNS) lines.push(text.slice(at, at + COLUMNS));
  return [BEGIN, ...lines, END, ''].join('\n');
}

/**
 * Reads an armored file; any line width and CRLF are taken.
 * @throws AgentError `verify.format`.
 */
export function decodeArmor(text: string): SshSignature {
  const lines = text.trim().split(/\r?\n/);
  if (lines.shift() !== BEGIN || lines.pop() !== END) throw malformed('there is no SSH SIGNATURE block');
  const blob = decodeBase64(lines.join(''), 'reading an SSH signature', 'verify.format');
  if (!startsWith(blob, SSHSIG_PREFIX)) throw malformed('it does not begin with SSHSIG');
  const reader = new SshReader(blob.subarray(SSHSIG_PREFIX.length), 'an SSH signature', 'verify.format');
  if (reader.u32() !== VERSION) throw malformed('the version is not 1');
  const spki = spkiFromSshBlob(reader.string());
  const namespace = reader.string().toString('latin1');
  if (!isNamespace(namespace)) throw malformed('the namespace is not valid');
  // Readers must ignore what later versions put here, but it is signed as empty by everything we verify.
  if (reader.string().length !== 0) throw malformed('the reserved field is not empty');
  const hashAlgorithm = reader.name();
  if (!isSshsigHash(hashAlgorithm)) throw malformed('the hash algorithm is neither sha256 nor sha512');
  const signature = readSignatureBlob(reader.string(), spki);
  reader.end();
  return { spki, namespace, hashAlgorithm, signature };
}

function signatureBlob({ spki, signature }: SshSignature): Buffer {
  const { algorithm } = rawFromSpki(spki);
  const { sshName, signatureBytes } = ALGORITHMS[algorithm];
  if (signature.length !== signatureBytes) throw invalid(`the signature is not ${signatureBytes} bytes`);
  const writer = new SshWriter().string(sshName);
  if (algorithm === 'ed25519') return writer.string(signature).toBuffer();
  const integers = new SshWriter().mpint(signature.subarray(0, COORDINATE_BYTES));
  return writer.string(integers.mpint(signature.subarray(COORDINATE_BYTES)).toBuffer()).toBuffer();
}

function readSignatureBlob(blob: Buffer, spki: Buffer): Buffer {
  const { algorithm } = rawFromSpki(spki);
  const { sshName, signatureBytes } = ALGORITHMS[algorithm];
  const reader = new SshReader(blob, 'an SSH signature', 'verify.format');
  if (reader.name() !== sshName) throw malformed('key and signature are of different algorithms');
  const body = reader.string();
  reader.end();
  if (algorithm === 'ecdsa-p256') return readIntegers(body);
  if (body.length !== signatureBytes) throw malformed(`the signature is not ${signatureBytes} bytes`);
  return body;
}

function readIntegers(body: Buffer): Buffer {
  const reader = new SshReader(body, 'an SSH signature', 'verify.format');
  const r = reader.mpint(COORDINATE_BYTES);
  const s = reader.mpint(COORDINATE_BYTES);
  reader.end();
  return Buffer.concat([r, s]);
}

function malformed(problem: string): AgentError {
  return new AgentError('verify.format', { message: `reading an SSH signature: ${problem}` });
}

function invalid(problem: string): AgentError {
  return new AgentError('usage.invalid', { message: `writing an SSH signature: ${problem}` });
}
