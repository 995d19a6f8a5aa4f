/**
 * Whether an authority stands above a certificate, by the rules that the stock client has from Go: dates, signatures, the CA flag, path
 * lengths, name constraints, critical extensions that nobody knows, and extended key usage, where whoever limits it has to name server
 * authentication, whatever that has to do with images.
 */
import type { X509Certificate } from 'node:crypto';
import { DerReader, derOid, TAG } from '../encoding/asn1.js';
import { certificateExtensions } from '../formats/x509-extensions.js';
import { areKnown, permits, readAlternativeNames, readNameConstraints } from './name-constraints.js';

const BASIC_CONSTRAINTS = derOid('2.5.29.19');
const NAME_CONSTRAINTS = derOid('2.5.29.30');
const ALTERNATIVE_NAMES = derOid('2.5.29.17');
/** Key identifiers and usage, policies, where to ask for revocation: the stock client reads them, and makes nothing of them here. */
const KNOWN = [14, 15, 19, 31, 32, 35, 37].map((last) => derOid(`2.5.29.${last}`));
const EXTENDED_KEY_USAGE = derOid('2.5.29.37');
const USAGES = [derOid('1.3.6.1.5.5.7.3.1'), derOid('2.5.29.37.0')];
const WHAT = 'reading a certificate';
const CODE = 'notary.document';
/** Longer chains are nobody's. */
const MAX_CHAIN = 8;

/**
 * Whether `leaf` was issued by one of the authorities, directly or over certificates of the bundle.
 * @throws AgentError `notary.document` for a certificate whose extensions cannot be read
 */
export function isIssuedBy(
  leaf: X509Certificate,
  between: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
  nowMs: number,
): boolean {
  const leadsUp = (certificate: X509Certificate, intermediates: number): boolean => {
    if (intermediates >= MAX_CHAIN) return false;
    const isAbove = (issuer: X509Certificate): boolean =>
      mayIssue(issuer, intermediates, nowMs) && allowsNames(issuer, leaf) && issued(certificate, issuer);
    return (
      authorities.some(isAbove) ||
      between.some((issuer) => isAbove(issuer) && leadsUp(issuer, intermediates + 1))
    );
  };
  return isUnderstood(leaf) && isForServers(leaf) && leadsUp(leaf, 0);
}

/** @param intermediates between the leaf and this one */
function mayIssue(issuer: X509Certificate, intermediates: number, nowMs: number): boolean {
  const isInForce = Date.parse(issuer.validFrom) <= nowMs && nowMs < Date.parse(issuer.validTo);
  const isLongEnough = intermediates <= pathLengthOf(issuer);
  return issuer.ca && isInForce && isLongEnough && isUnderstood(issuer) && isForServers(issuer);
}

/** Whoever does not know what is critical must not go on. */
function isUnderstood({ raw }: X509Certificate): boolean {
  return certificateExtensions(raw, WHAT, CODE).every(({ oid, isCritical, value }) => {
    if (!isCritical || KNOWN.some((one) => one.equals(oid))) return true;
    if (oid.equals(ALTERNATIVE_NAMES)) return readAlternativeNames(value).some((name) => areKnown([name]));
    if (!oid.equals(NAME_CONSTRAINTS)) return false;
    const { permitted, excluded } = readNameConstraints(value);
    return areKnown(permitted) && areKnown(excluded);
  });
}

/** Constraints are about the names of the leaf, and those of whoever makes them. */
function allowsNames(issuer: X509Certificate, leaf: X509Certificate): boolean {
  const value = extensionOf(issuer, NAME_CONSTRAINTS);
  if (value === undefined) return true;
  const constraints = readNameConstraints(value);
  return [leaf, issuer].every((certificate) => {
    const names = extensionOf(certificate, ALTERNATIVE_NAMES);
    return names === undefined || permits(constraints, readAlternativeNames(names));
  });
}

function issued(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** How many intermediates may stand below it; without a limit Infinity. */
function pathLengthOf(certificate: X509Certificate): number {
  const value = extensionOf(certificate, BASIC_CONSTRAINTS);
  if (value === undefined) return Number.POSITIVE_INFINITY;
  const constraints = new DerReader(value, WHAT, CODE).inside(TAG.sequence);
  if (constraints.peek() === TAG.boolean) constraints.content(TAG.boolean);
  if (constraints.isAtEnd) return Number.POSITIVE_INFINITY;
  const [length = 0, ...more] = constraints.content(TAG.integer);
  return more.length > 0 ? Number.POSITIVE_INFINITY : length;
}

function isForServers(certificate: X509Certificate): boolean {
  const value = extensionOf(certificate, EXTENDED_KEY_USAGE);
  if (value === undefined) return true;
  const usages = new DerReader(value, WHAT, CODE).inside(TAG.sequence);
  while (!usages.isAtEnd) {
    const usage = usages.element(TAG.oid);
    if (USAGES.some((one) => one.equals(usage))) return true;
  }
  return false;
}

function extensionOf({ raw }: X509Certificate, wanted: Buffer): Buffer | undefined {
  return certificateExtensions(raw, WHAT, CODE).find(({ oid }) => oid.equals(wanted))?.value;
}
