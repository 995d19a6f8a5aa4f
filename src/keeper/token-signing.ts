/** What a token is asked to sign for an order, and the proof that it did. */
import { createHash } from 'node:crypto';
import { ALGORITHMS, type KeyAlgorithm, type RsaScheme } from '../crypto/algorithms.js';
import { digestInfo } from '../crypto/rsa-digest.js';
import { digestForKey, schemeFacts, type Verifier } from '../crypto/verify.js';
import type { SignMechanism } from '../tokenhost/messages.js';

export interface TokenTask {
  readonly algorithm: KeyAlgorithm;
  readonly scheme: RsaScheme | undefined;
  readonly blind: boolean;
  /** A digest when it is blind. */
  readonly message: Buffer;
}

/** Mechanism and its input; P-256 has a call of its own at the token host. */
export function tokenInput(task: TokenTask): { readonly mechanism: SignMechanism; readonly data: Buffer } {
  const { algorithm, scheme, blind, message } = task;
  if (algorithm === 'rsa-3072') {
    const { hash, isPss } = schemeFacts(scheme);
    const digest = blind ? message : createHash(hash).update(message).digest();
    return isPss
      ? { mechanism: `rsa-pss-${hash}`, data: Buffer.from(digest) }
      : { mechanism: 'rsa-pkcs1', data: digestInfo(hash, digest) };
  }
  const { hash } = ALGORITHMS[algorithm];
  if (hash === null) return { mechanism: 'eddsa', data: Buffer.from(message) };
  const digest = blind
    ? (digestForKey(algorithm, message) ?? message)
    : createHash(hash).update(message).digest();
  return { mechanism: 'ecdsa', data: Buffer.from(digest) };
}

/** The 32 bytes that stand for the message in the count and in the audit log: its SHA-256, or a SHA-256 that came as it is. */
export function countedHash({ blind, message }: Pick<TokenTask, 'blind' | 'message'>): Buffer {
  return blind && message.length === 32
    ? Buffer.from(message)
    : createHash('sha256').update(message).digest();
}

/** Whether what the token gave is the signature that was asked for. */
export function isSignatureOf(task: TokenTask, verifier: Verifier, signature: Buffer): boolean {
  const { blind, message, scheme } = task;
  return blind
    ? verifier.verifyDigest(message, signature, scheme)
    : verifier.verify(message, signature, scheme);
}
