/** What a YubiKey's attestation of a key says: a certificate over its public half, with extensions of the vendor. */
import { X509Certificate } from 'node:crypto';
import { DerReader, derOid, TAG } from '../encoding/asn1.js';
import { AgentError } from '../errors/agent-error.js';
import { policiesOf, type SlotPolicies } from './piv-policies.js';
import { certificateExtensions } from './x509-extensions.js';

const VENDOR = '1.3.6.1.4.1.41482.3';
const EXTENSIONS = {
  firmware: derOid(`${VENDOR}.3`),
  serial: derOid(`${VENDOR}.7`),
  policies: derOid(`${VENDOR}.8`),
} as const;
const MAX_SERIAL_BYTES = 5;

export interface Attested {
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Buffer;
  readonly policies: SlotPolicies | undefined;
  /** Decimal, as printed on the key. */
  readonly serial: string | undefined;
  /** Such as 5.4.3. */
  readonly firmware: string | undefined;
  /** Two hex digits; the certificate has it in its subject alone. */
  readonly slot: string | undefined;
}

/** @param certificate DER @throws AgentError `token.device` */
export function parseAttestation(certificate: Buffer): Attested {
  const { subject, publicKey } = readCertificate(certificate);
  const extensions = certificateExtensions(certificate, 'certificate of the card', 'token.device');
  const policies = extensions.find(({ oid }) => oid.equals(EXTENSIONS.policies))?.value;
  const serial = extensions.find(({ oid }) => oid.equals(EXTENSIONS.serial))?.value;
  const firmware = extensions.find(({ oid }) => oid.equals(EXTENSIONS.firmware))?.value;
  return {
    spki: publicKey.export({ type: 'spki', format: 'der' }),
    policies: policies === undefined ? undefined : policiesOf(policies),
    serial: serial === undefined ? undefined : serialOf(serial),
    firmware: firmware?.length === 3 ? [...firmware].join('.') : undefined,
    slot: / ([0-9a-f]{2})$/.exec(subject)?.[1],
  };
}

/** DER SubjectPublicKeyInfo of a certificate. @throws AgentError `token.device` */
export function spkiOf(certificate: Buffer): Buffer {
  return readCertificate(certificate).publicKey.export({ type: 'spki', format: 'der' });
}

/** @param bytes DER @throws AgentError `token.device` */
export function readCertificate(bytes: Buffer): X509Certificate {
  try {
    return new X509Certificate(bytes);
  } catch (cause) {
    throw new AgentError('token.device', {
      message: 'reading a certificate of the card: it is not valid',
      cause,
    });
  }
}

/** A DER INTEGER. */
function serialOf(value: Buffer): string {
  const digits = new DerReader(value, 'serial number in an attestation', 'token.device').content(TAG.integer);
  return digits.length > MAX_SERIAL_BYTES || digits.length === 0
    ? ''
    : String(digits.readUIntBE(0, digits.length));
}
