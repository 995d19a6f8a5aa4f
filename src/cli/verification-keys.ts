/** Whose signature is good enough: a public key file, or the keyring of this machine. Never the agent: verification works offline. */
import { join } from 'node:path';
import type { KeyAlgorithm, RsaScheme } from '../crypto/algorithms.js';
import { keyIdOf } from '../crypto/key-id.js';
import { importPublicKey, rawFromSpki } from '../crypto/public-key.js';
import { verifySignature } from '../crypto/verify.js';
import { decodePem } from '../encoding/pem.js';
import { AgentError, asAgentError } from '../errors/agent-error.js';
import { spkiFromSshLine } from '../formats/ssh-public-key.js';
import { formatKeyName, parseKeyName } from '../keys/key-name.js';
import type { KeyRecord, LeafRecord, RepositoryRoot } from '../keys/key-record.js';
import type { Keyring } from '../keys/keyring.js';
import { verifyKeyring } from '../keys/keyring-file.js';
import type { CliContext } from './context.js';
import { readTextFile } from './input-file.js';
import type { OptionValues } from './option-values.js';
import { placesOf } from './places.js';
import { rawSignature } from './raw-signature.js';

export interface VerificationKey {
  /** Name in the keyring, or the file. */
  readonly name: string;
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Buffer;
  readonly keyId: string;
}

/**
 * The keys of --key or --key-file; at least one. Retired keys still verify what they signed, revoked ones nothing.
 * @throws AgentError usage.invalid, verify.format, key.unknown, key.revoked, keyring.missing, keyring.signature
 */
export async function verificationKeys(
  context: CliContext,
  options: OptionValues,
): Promise<readonly VerificationKey[]> {
  const name = options.text('key');
  const file = options.text('key-file');
  if (name !== undefined && file !== undefined) {
    throw new AgentError('usage.invalid', { message: 'options --key and --key-file: only one can be used' });
  }
  if (file !== undefined) return keysOfFile(file);
  if (name !== undefined) return keysOfKeyring(await loadKeyring(context), name);
  throw new AgentError('usage.invalid', {
    message: 'no key was named',
    hint: 'give --key NAME from the keyring, or --key-file FILE',
  });
}

/** The key that verifies `message`, if any; `scheme` is for RSA keys alone. */
export function findSigner(
  keys: readonly VerificationKey[],
  message: Uint8Array,
  signatureOf: (algorithm: KeyAlgorithm) => Uint8Array,
  scheme?: RsaScheme,
): VerificationKey | undefined {
  return keys.find(({ spki }) => {
    const { algorithm } = rawFromSpki(spki);
    try {
      return verifySignature(spki, algorithm, message, signatureOf(algorithm), scheme);
    } catch (thrown) {
      // Not even a signature of this algorithm: another key may still fit.
      if (asAgentError(thrown).code === 'verify.format') return false;
      throw thrown;
    }
  });
}

/** Names the key of --key or --key-file that signed a message; signatures as stored outside, DER for ECDSA. */
export async function signerFinder(
  context: CliContext,
  options: OptionValues,
): Promise<(message: Uint8Array, stored: Uint8Array) => string | undefined> {
  const keys = await verificationKeys(context, options);
  return (message, stored) => findSigner(keys, message, (algorithm) => rawSignature(algorithm, stored))?.name;
}

/**
 * The verified keyring of this machine.
 * @throws AgentError keyring.missing, keyring.signature, state.damaged, state.version
 */
export async function loadKeyring(context: CliContext): Promise<Keyring> {
  const file = join((await placesOf(context)).stateDir, 'keyring.json');
  let text: string;
  try {
    text = readTextFile(file);
  } catch (thrown) {
    const { cause } = asAgentError(thrown);
    if ((cause as NodeJS.ErrnoException | undefined)?.code !== 'ENOENT') throw thrown;
    throw new AgentError('keyring.missing', {
      message: `there is no keyring in ${file}`,
      hint: 'make one with "touchstone token setup", or verify with --key-file',
    });
  }
  return verifyKeyring(text).keyring;
}

/** Keys of a PEM file, an OpenSSH key file or an allowed-signers file. @throws AgentError usage.file, verify.format */
export function keysOfFile(file: string): readonly VerificationKey[] {
  const text = readTextFile(file);
  const spkis = text.includes('-----BEGIN') ? [pemKey(text, file)] : sshKeys(text, file);
  return spkis.map((spki) => ({ name: file, spki, keyId: keyIdOf(spki) }));
}

function pemKey(text: string, file: string): Buffer {
  const { label, der } = decodePem(text, file, 'verify.format');
  if (label !== 'PUBLIC KEY') {
    throw new AgentError('verify.format', {
      message: `reading ${file}: a PUBLIC KEY block is needed, not ${label}`,
      hint: 'see "touchstone key export"',
    });
  }
  try {
    importPublicKey(der);
  } catch (cause) {
    throw new AgentError('verify.format', {
      message: `reading ${file}: ${asAgentError(cause).message}`,
      cause,
    });
  }
  return der;
}

function sshKeys(text: string, file: string): readonly Buffer[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  if (lines.length === 0)
    throw new AgentError('verify.format', { message: `reading ${file}: it holds no key` });
  return lines.map(spkiFromSshLine);
}

function keysOfKeyring(keyring: Keyring, name: string): readonly VerificationKey[] {
  const wanted = name.startsWith('pkcs11:') ? undefined : parseKeyName(name);
  const leaves = wanted === undefined ? [] : keyring.leaves().filter((leaf) => isMeant(leaf, wanted));
  // No leaf of that name: the keyring's own look-up gives root, the key at a URI, or the right error.
  const records: readonly (KeyRecord | RepositoryRoot)[] =
    leaves.length === 0 ? [keyring.find(name)] : leaves;
  const usable = records.filter((record) => record.usage !== 'sign' || record.state !== 'revoked');
  if (usable.length === 0)
    throw new AgentError('key.revoked', { message: `verifying with ${name}: it is revoked` });
  return usable.map((record) => {
    if (record.publicKey === undefined) {
      throw new AgentError('key.usage', { message: `verifying with ${name}: it has no public key` });
    }
    const spki = Buffer.from(record.publicKey, 'base64');
    return { name: record.usage === 'sign' ? fullName(record) : record.name, spki, keyId: keyIdOf(spki) };
  });
}

function isMeant(leaf: LeafRecord, wanted: ReturnType<typeof parseKeyName>): boolean {
  return (
    leaf.repository === wanted.repository &&
    leaf.role === wanted.role &&
    leaf.epoch === (wanted.epoch ?? leaf.epoch) &&
    leaf.algorithm === (wanted.algorithm ?? leaf.algorithm) &&
    leaf.index === (wanted.index ?? leaf.index)
  );
}

function fullName(leaf: LeafRecord): string {
  const { repository, role, epoch, algorithm, index } = leaf;
  return formatKeyName({ repository, role, epoch, algorithm, index });
}
