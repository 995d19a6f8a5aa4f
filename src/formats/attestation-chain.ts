/**
 * Whether a vendor vouches for a key on a card: from the card's word about the key to a root that somebody trusts. Times are not
 * looked at: a key that was born on a card stays one.
 */
import { createHash, X509Certificate } from 'node:crypto';
import { decodePem } from '../encoding/pem.js';
import { AgentError } from '../errors/agent-error.js';
import type { ErrorCode } from '../errors/codes.js';
import { parseAttestation, readCertificate, type Attested } from './piv-attestation.js';

/** Device, two levels of the vendor, root. */
const MAX_LEVELS = 4;
const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** Roots of YubiKeys that exist, by the SHA-256 of the certificate in hex. */
const VENDOR_ROOTS: ReadonlyMap<string, string> = new Map([
  ['63ece914e54dd87915f34033c85af4c0696ba1512f8add66ced738331207b546', 'Yubico PIV Root CA Serial 263751'],
  ['62760c6a6ef91679f454c8902b80fd009825b3f25da90f1fbace2ec6586cd5a8', 'Yubico Attestation Root 1'],
]);

/** A root that vouches for a card. */
export interface VouchingRoot {
  /** SHA-256 of the certificate, hex. */
  readonly sha256: string;
  /** `yubico` for the roots that this release knows; `configured` for any other that the configuration names. */
  readonly vendor: 'yubico' | 'configured';
}

/** What the card says about one key, and about itself; DER. */
export interface AttestationPair {
  readonly key: Buffer;
  readonly device: Buffer;
}

/** What an attestation has to say. */
export interface ExpectedKey {
  readonly spki: Buffer;
  readonly serial: string;
  readonly slot: string;
}

/** Certificates in PEM, one after the other. @throws AgentError `code` (default `config.invalid`) when there is none */
export function parseRoots(
  text: string,
  what: string,
  code: ErrorCode = 'config.invalid',
): readonly X509Certificate[] {
  const blocks = text.match(PEM_BLOCK) ?? [];
  const found = blocks.map((block) => readRoot(decodePem(block, what, code).der, what, code));
  if (found.length > 0) return found;
  throw new AgentError(code, { message: `${what}: there is no certificate in it` });
}

/**
 * The root above a card, through certificates of the vendor in between.
 * @param device DER of the certificate of the key that attests
 * @param known roots, which sign themselves, and certificates in between
 * @throws AgentError `token.attestation`, `token.device`
 */
export function rootOf(device: Buffer, known: readonly X509Certificate[]): VouchingRoot {
  let current = readCertificate(device);
  for (let level = 0; level < MAX_LEVELS; level += 1) {
    const issuer = known.find((candidate) => candidate.ca && isIssuedBy(current, candidate));
    if (issuer === undefined) break;
    if (isIssuedBy(issuer, issuer)) {
      const sha256 = createHash('sha256').update(issuer.raw).digest('hex');
      return { sha256, vendor: VENDOR_ROOTS.has(sha256) ? 'yubico' : 'configured' };
    }
    current = issuer;
  }
  throw unattested('no root that is trusted has certified this card');
}

/**
 * Checks the card's word about a key, and gives back what it says.
 * @throws AgentError `token.attestation`, `token.device`
 */
export function checkAttestation({ key, device }: AttestationPair, expected: ExpectedKey): Attested {
  if (!isIssuedBy(readCertificate(key), readCertificate(device)))
    throw unattested('the certificate of the key is not by the key that attests');
  const attested = parseAttestation(key);
  if (!attested.spki.equals(expected.spki)) throw unattested('it is about another key');
  if (attested.serial !== expected.serial)
    throw unattested(`it is about card ${attested.serial ?? 'without a number'}, not ${expected.serial}`);
  if (attested.slot !== expected.slot) throw unattested('it is about a key in another slot');
  return attested;
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.issuer === issuer.subject && certificate.verify(issuer.publicKey);
}

function readRoot(der: Buffer, what: string, code: ErrorCode): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch (cause) {
    throw new AgentError(code, { message: `${what}: a certificate in it is not valid`, cause });
  }
}

function unattested(problem: string): AgentError {
  return new AgentError('token.attestation', { message: `checking the attestation of the card: ${problem}` });
}
