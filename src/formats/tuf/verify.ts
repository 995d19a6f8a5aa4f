/** Whether the keys that a role names have signed a document: who did, who did not, and who tried. */
import { constants, verify, type KeyObject } from 'node:crypto';
import type { KeyAlgorithm } from '../../crypto/algorithms.js';
import { ecdsaDerFromRaw } from '../../encoding/der.js';
import { AgentError } from '../../errors/agent-error.js';
import type { TufEnvelope, TufRoleKeys } from './document.js';
import { publicKeyOf, type TufKey, type TufScheme } from './key.js';
import { requireDistinct } from './reader.js';
import { signedBytes } from './writer.js';

const HEX = /^(?:[0-9a-fA-F]{2})+$/;

/** Key ids of the role, in its order; each of them is in one of the lists. */
export interface SignatureCount {
  /** Signed, and counted. */
  readonly good: readonly string[];
  /** There is a signature, but it is not one of this key over this document. */
  readonly bad: readonly string[];
  /** No signature yet, or an empty one. */
  readonly missing: readonly string[];
  /** Signed, but the same public key was counted under another id. */
  readonly repeated: readonly string[];
  readonly threshold: number;
  readonly isMet: boolean;
}

/**
 * Counts each public key once, whatever ids it goes by. Signatures of keys that the role does not name are passed over.
 * @throws AgentError `tuf.document` when a key id signed twice
 */
export function countSignatures(
  { signed, signatures }: Pick<TufEnvelope, 'signed' | 'signatures'>,
  keys: ReadonlyMap<string, TufKey>,
  role: TufRoleKeys,
): SignatureCount {
  requireDistinct(signatures);
  const message = signedBytes(signed);
  const found = new Map(signatures.map(({ keyid, sig }) => [keyid, sig]));
  const lists = {
    good: [] as string[],
    bad: [] as string[],
    missing: [] as string[],
    repeated: [] as string[],
  };
  const counted = new Set<string>();
  for (const keyid of new Set(role.keyids)) {
    const sig = found.get(keyid) ?? '';
    const key = keys.get(keyid);
    const signer = sig === '' || key === undefined ? undefined : signerOf(key, sig, message);
    if (sig === '') lists.missing.push(keyid);
    else if (signer === undefined) lists.bad.push(keyid);
    else (counted.has(signer) ? lists.repeated : lists.good).push(keyid);
    if (signer !== undefined) counted.add(signer);
  }
  return { ...lists, threshold: role.threshold, isMet: lists.good.length >= role.threshold };
}

/** Whether `sig`, hex, is one of the key over `message`; false for keys that this release does not know. */
export function isTufSignature(key: TufKey, sig: string, message: Uint8Array): boolean {
  return signerOf(key, sig, message) !== undefined;
}

/**
 * Hex of a signature as TUF writes it: DER for ECDSA, as it is for the others.
 * @param raw r||s for ECDSA
 * @throws AgentError `verify.format` for r||s of another length
 */
export function tufSignature(algorithm: KeyAlgorithm, raw: Uint8Array): string {
  const isEcdsa = algorithm === 'ecdsa-p256' || algorithm === 'ecdsa-p384';
  return (isEcdsa ? ecdsaDerFromRaw(raw) : Buffer.from(raw)).toString('hex');
}

/** Hex SubjectPublicKeyInfo of the key when the signature is its own. */
function signerOf(tufKey: TufKey, sig: string, message: Uint8Array): string | undefined {
  if (!HEX.test(sig)) return undefined;
  try {
    const { key, scheme, spki } = publicKeyOf(tufKey);
    return isVerified(key, scheme, Buffer.from(sig, 'hex'), message) ? spki.toString('hex') : undefined;
  } catch (thrown) {
    if (thrown instanceof AgentError) return undefined;
    throw thrown;
  }
}

function isVerified(key: KeyObject, scheme: TufScheme, sig: Buffer, message: Uint8Array): boolean {
  switch (scheme) {
    case 'ecdsa-p256':
      return verify('sha256', message, { key, dsaEncoding: 'der' }, sig);
    case 'ecdsa-p384':
      return verify('sha384', message, { key, dsaEncoding: 'der' }, sig);
    case 'ed25519':
      return verify(null, message, key, sig);
    case 'rsa-pss-sha256': {
      // Writers use 32 bytes of salt or as many as fit; every client takes both.
      const [padding, saltLength] = [constants.RSA_PKCS1_PSS_PADDING, constants.RSA_PSS_SALTLEN_AUTO];
      return verify('sha256', message, { key, padding, saltLength }, sig);
    }
  }
}
