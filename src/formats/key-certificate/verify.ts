/** Whether a threshold of root keys has signed a certificate. */
import { createHash } from 'node:crypto';
import { ALGORITHMS } from '../../crypto/algorithms.js';
import { keyIdOf } from '../../crypto/key-id.js';
import { Verifier } from '../../crypto/verify.js';
import { ecdsaRawFromDer } from '../../encoding/der.js';
import { pae } from '../../encoding/dsse-pae.js';
import { AgentError } from '../../errors/agent-error.js';
import { decodeEnvelope, type DsseEnvelope, type DsseSignature } from '../dsse.js';
import { KEY_CERTIFICATE_TYPE, parseKeyCertificate, type KeyCertificate } from './document.js';

/** The root keys that certify, and how many of them it takes. */
export interface CertificateRoots {
  /** By key id. */
  readonly keys: ReadonlyMap<string, Verifier>;
  readonly threshold: number;
}

export interface VerifiedCertificate {
  readonly certificate: KeyCertificate;
  /** Lower-case hex SHA-256 of the payload. */
  readonly hash: string;
  /** Ids of the root keys that signed, each once. */
  readonly signers: readonly string[];
}

/** @param keys DER SubjectPublicKeyInfo each. @throws AgentError `usage.invalid` for a key that is none */
export function certificateRoots(keys: readonly Buffer[], threshold: number): CertificateRoots {
  return { keys: new Map(keys.map((spki) => [keyIdOf(spki), new Verifier(spki)])), threshold };
}

/**
 * Reads an envelope and counts the root keys that signed it.
 * @throws AgentError `certificate.invalid` for another document, or fewer good signatures than it takes
 */
export function verifyKeyCertificate(source: string | Buffer, roots: CertificateRoots): VerifiedCertificate {
  const envelope = read(source);
  if (envelope.payloadType !== KEY_CERTIFICATE_TYPE) throw invalid('it is of another payload type');
  const certificate = parseKeyCertificate(envelope.payload);
  const message = pae(envelope.payloadType, envelope.payload);
  const signers = [...roots.keys]
    .filter(([keyId, key]) => envelope.signatures.some((signature) => isBy(keyId, key, message, signature)))
    .map(([keyId]) => keyId);
  if (signers.length < roots.threshold) {
    throw invalid(`${signers.length} of the ${roots.threshold} root signatures that it takes are good`);
  }
  return { certificate, hash: hashOf(envelope), signers };
}

/**
 * A revocation that was verified when it was stored, whoever the roots are now; undefined for anything else.
 * @throws AgentError `certificate.invalid`
 */
export function storedRevocation(source: Buffer): VerifiedCertificate | undefined {
  const envelope = read(source);
  if (envelope.payloadType !== KEY_CERTIFICATE_TYPE) return undefined;
  const certificate = parseKeyCertificate(envelope.payload);
  return certificate.action === 'revoke' ? { certificate, hash: hashOf(envelope), signers: [] } : undefined;
}

/** Lower-case hex SHA-256 of what an envelope says. @throws AgentError `certificate.invalid` when it is none */
export function payloadHash(source: Buffer): string {
  return hashOf(read(source));
}

function hashOf({ payload }: DsseEnvelope): string {
  return createHash('sha256').update(payload).digest('hex');
}

function read(source: string | Buffer): DsseEnvelope {
  try {
    return decodeEnvelope(source);
  } catch (cause) {
    throw new AgentError('certificate.invalid', {
      message: 'reading a key certificate: not a DSSE envelope',
      cause,
    });
  }
}

/** Key ids are hints; one that names another key is passed over. */
function isBy(keyId: string, key: Verifier, message: Buffer, { keyid, sig }: DsseSignature): boolean {
  if (keyid !== undefined && keyid !== keyId) return false;
  try {
    const raw = key.algorithm.startsWith('ecdsa-')
      ? ecdsaRawFromDer(sig, 'certificate.invalid', ALGORITHMS[key.algorithm].signatureBytes / 2)
      : sig;
    return key.verify(message, raw);
  } catch (thrown) {
    if (thrown instanceof AgentError) return false;
    throw thrown;
  }
}

function invalid(problem: string): AgentError {
  return new AgentError('certificate.invalid', { message: `checking a key certificate: ${problem}` });
}
