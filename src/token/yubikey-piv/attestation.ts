/** What a card's attestation of a key says: the extensions of the vendor in the certificate. */
import { X509Certificate } from 'node:crypto';
import { contextTag, DerReader, derOid, TAG } from '../../encoding/asn1.js';
import { AgentError } from '../../errors/agent-error.js';
import { policiesOf, type SlotPolicies } from './policies.js';

const POLICIES = derOid('1.3.6.1.4.1.41482.3.8');

export interface Attested {
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Buffer;
  readonly policies: SlotPolicies | undefined;
}

/** @param certificate DER @throws AgentError `token.device` */
export function parseAttestation(certificate: Buffer): Attested {
  const value = extensionOf(certificate, POLICIES);
  return {
    spki: spkiOf(certificate),
    policies: value === undefined ? undefined : policiesOf(value),
  };
}

/** DER SubjectPublicKeyInfo of a certificate. @throws AgentError `token.device` */
export function spkiOf(certificate: Buffer): Buffer {
  try {
    return new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' });
  } catch (cause) {
    throw new AgentError('token.device', {
      message: 'reading a certificate of the card: it is not valid',
      cause,
    });
  }
}

function extensionOf(certificate: Buffer, oid: Buffer): Buffer | undefined {
  const body = new DerReader(certificate, 'certificate of the card', 'token.device')
    .inside(TAG.sequence)
    .inside(TAG.sequence);
  while (body.peek() !== undefined && body.peek() !== contextTag(3)) body.element(body.peek() ?? 0);
  if (body.isAtEnd) return undefined;
  const list = body.inside(contextTag(3)).inside(TAG.sequence);
  while (!list.isAtEnd) {
    const extension = list.inside(TAG.sequence);
    const isWanted = extension.element(TAG.oid).equals(oid);
    if (extension.peek() === TAG.boolean) extension.content(TAG.boolean);
    if (isWanted) return extension.content(TAG.octetString);
  }
  return undefined;
}
