/** The parts of a certificate that PKCS#11 shows as attributes, as they stand in its DER (RFC 5280 section 4.1). */
import { AgentError } from '../../errors/agent-error.js';

export interface CertificateNames {
  /** DER of the INTEGER. */
  readonly serialNumber: Buffer;
  /** DER of the Name. */
  readonly issuer: Buffer;
  readonly subject: Buffer;
}

const VERSION = 0xa0;

/**
 * @param der one certificate
 * @throws AgentError `usage.invalid`
 */
export function certificateNames(der: Buffer): CertificateNames {
  const certificate = inside(der, 0);
  const fields = inside(der, certificate.begin);
  const starts: number[] = [];
  let at = fields.begin;
  if (der[at] === VERSION) at = elementEnd(der, at);
  // serialNumber, signature, issuer, validity, subject
  for (let field = 0; field < 5; field += 1) {
    starts.push(at);
    at = elementEnd(der, at);
  }
  const part = (index: number): Buffer => {
    const begin = starts[index] ?? 0;
    return der.subarray(begin, elementEnd(der, begin));
  };
  return { serialNumber: part(0), issuer: part(2), subject: part(4) };
}

interface Span {
  readonly begin: number;
  readonly end: number;
}

/** Content of the element at `at`. */
function inside(der: Buffer, at: number): Span {
  const first = der[at + 1] ?? 0xff;
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  const begin = at + 2 + lengthBytes;
  if (lengthBytes > 3 || begin > der.length) throw invalid();
  const length = lengthBytes === 0 ? first : der.readUIntBE(at + 2, lengthBytes);
  if (begin + length > der.length) throw invalid();
  return { begin, end: begin + length };
}

function elementEnd(der: Buffer, at: number): number {
  return inside(der, at).end;
}

function invalid(): AgentError {
  return new AgentError('usage.invalid', { message: 'reading a certificate: it ends early' });
}
