/** SSHSIG as it is stored and sent (PROTOCOL.sshsig of OpenSSH, section 2): version 1, key, namespace, hash, signature, armored. */
import { rawFromSpki, sshPublicKeyBlob } from '../crypto/public-key.js';
import { decodeBase64, encodeBase64 } from '../encoding/base64.js';
import { SshReader, SshWriter } from '../encoding/ssh-wire.js';
import { AgentError } from '../errors/agent-error.js';
import { SSHSIG_PREFIX, startsWith } from './prefixes.js';
import { spkiFromSshBlob } from './ssh-public-key.js';
import { readSshSignature, writeSshSignature, type SshRsaHash } from './ssh-signature.js';
import { isNamespace, isSshsigHash, type SshsigHash } from './sshsig.js';

const BEGIN = '-----BEGIN SSH SIGNATURE-----';
const END = '-----END SSH SIGNATURE-----';
const COLUMNS = 70;
const VERSION = 1;

export interface SshSignature {
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Buffer;
  readonly namespace: string;
  readonly hashAlgorithm: SshsigHash;
  /** r||s for ECDSA, else as the algorithm gives it. */
  readonly signature: Buffer;
  /** RSA alone: hash of the signature itself, SHA-512 when left out. */
  readonly rsaHash?: SshRsaHash | undefined;
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
    .string(writeSshSignature({ ...signature, algorithm: rawFromSpki(signature.spki).algorithm }))
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
  const { signature, rsaHash } = readSshSignature(reader.string(), rawFromSpki(spki).algorithm);
  reader.end();
  return { spki, namespace, hashAlgorithm, signature, rsaHash };
}

function malformed(problem: string): AgentError {
  return new AgentError('verify.format', { message: `reading an SSH signature: ${problem}` });
}

function invalid(problem: string): AgentError {
  return new AgentError('usage.invalid', { message: `writing an SSH signature: ${problem}` });
}
