/** The extensions of a certificate, one by one: what Node does not tell. */
import { contextTag, DerReader, TAG } from '../encoding/asn1.js';
import type { ErrorCode } from '../errors/codes.js';

export interface CertificateExtension {
  /** DER, tag and length included. */
  readonly oid: Buffer;
  /** Whoever does not know it must not use the certificate. */
  readonly isCritical: boolean;
  /** Inside of the OCTET STRING. */
  readonly value: Buffer;
}

/** @param certificate DER @param what named in errors @throws AgentError `code` */
export function certificateExtensions(
  certificate: Buffer,
  what: string,
  code: ErrorCode,
): readonly CertificateExtension[] {
  const body = new DerReader(certificate, what, code).inside(TAG.sequence).inside(TAG.sequence);
  while (body.peek() !== undefined && body.peek() !== contextTag(3)) body.element(body.peek() ?? 0);
  if (body.isAtEnd) return [];
  const list = body.inside(contextTag(3)).inside(TAG.sequence);
  const found: CertificateExtension[] = [];
  while (!list.isAtEnd) {
    const extension = list.inside(TAG.sequence);
    const oid = extension.element(TAG.oid);
    const isCritical = extension.peek() === TAG.boolean && extension.content(TAG.boolean)[0] !== 0;
    found.push({ oid, isCritical, value: extension.content(TAG.octetString) });
  }
  return found;
}
