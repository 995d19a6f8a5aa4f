/**
 * SSHSIG (PROTOCOL.sshsig of OpenSSH): the bytes that are signed, which carry the namespace and a hash of the message.
 * The stored form, with key and signature, is in sshsig-armor.ts.
 */
import { SshReader, SshWriter } from '../encoding/ssh-wire.js';
import { AgentError } from '../errors/agent-error.js';
import { SSHSIG_PREFIX, startsWith } from './prefixes.js';
import type { Statement } from './statement.js';
import { unrecognised } from './unrecognised.js';

export type SshsigHash = 'sha256' | 'sha512';

export interface SshsigSignedData {
  /** Printable ASCII without spaces, 1..200 characters: `file`, `git`, ... */
  readonly namespace: string;
  readonly hashAlgorithm: SshsigHash;
  /** Of the message: 32 or 64 bytes. */
  readonly hash: Buffer;
}

const HASH_BYTES: Readonly<Record<SshsigHash, number>> = { sha256: 32, sha512: 64 };
const NAMESPACE = /^[\x21-\x7e]{1,200}$/;

/** True for a namespace that the agent signs for. */
export function isNamespace(text: string): boolean {
  return NAMESPACE.test(text);
}

export function isSshsigHash(text: string): text is SshsigHash {
  return text === 'sha256' || text === 'sha512';
}

/**
 * Reads the signed data: `SSHSIG`, namespace, empty reserved field, hash algorithm, hash of the right length, nothing else.
 * @throws AgentError `statement.unrecognised`.
 */
export function parseSignedData(bytes: Buffer): SshsigSignedData {
  if (!startsWith(bytes, SSHSIG_PREFIX)) throw unrecognised('sshsig', 'they do not begin with SSHSIG');
  const reader = new SshReader(
    bytes.subarray(SSHSIG_PREFIX.length),
    'the bytes as sshsig',
    'statement.unrecognised',
  );
  const namespace = reader.string().toString('latin1');
  if (!isNamespace(namespace)) {
    throw unrecognised('sshsig', 'the namespace is not 1 to 200 printable ASCII characters without spaces');
  }
  if (reader.string().length !== 0) throw unrecognised('sshsig', 'the reserved field is not empty');
  const hashAlgorithm = reader.string().toString('latin1');
  if (!isSshsigHash(hashAlgorithm))
    throw unrecognised('sshsig', 'the hash algorithm is neither sha256 nor sha512');
  const hash = reader.string();
  if (hash.length !== HASH_BYTES[hashAlgorithm]) {
    throw unrecognised(
      'sshsig',
      `the hash is not the ${HASH_BYTES[hashAlgorithm]} bytes of ${hashAlgorithm}`,
    );
  }
  reader.end();
  return { namespace, hashAlgorithm, hash };
}

/**
 * The bytes to sign for a message with this hash.
 * @throws AgentError `usage.invalid` naming the field.
 */
export function buildSignedData(data: SshsigSignedData): Buffer {
  if (!isNamespace(data.namespace)) {
    throw invalid('the namespace is not 1 to 200 printable ASCII characters without spaces');
  }
  if (data.hash.length !== HASH_BYTES[data.hashAlgorithm]) {
    throw invalid(`the hash is not the ${HASH_BYTES[data.hashAlgorithm]} bytes of ${data.hashAlgorithm}`);
  }
  const writer = new SshWriter().raw(SSHSIG_PREFIX).string(data.namespace).string('');
  return writer.string(data.hashAlgorithm).string(data.hash).toBuffer();
}

/** Reads the signed data into facts. */
export function describeSshsig(bytes: Buffer): Statement {
  const { namespace, hashAlgorithm, hash } = parseSignedData(bytes);
  const hex = hash.toString('hex');
  return {
    kind: `sshsig:${namespace}`,
    summary: [`SSH signature, namespace ${namespace.slice(0, 80)}`, `${hashAlgorithm}:${hex.slice(0, 64)}`],
    facts: { namespace, hashAlgorithm, hash: hex },
    blind: false,
  };
}

function invalid(problem: string): AgentError {
  return new AgentError('usage.invalid', { message: `writing an SSH signature: ${problem}` });
}
