/** The PEM bundle inside an x509 key: leaf first, then intermediates. */
import { X509Certificate } from 'node:crypto';
import { AgentError } from '../../errors/agent-error.js';

const BLOCK = /-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n?/g;

/** @throws AgentError `notary.document` for anything between or around the certificates, and for what is none */
export function splitCertificates(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(BLOCK) ?? [];
  if (blocks.join('') !== pem) throw invalid('there is something beside the certificates');
  return blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw invalid('a certificate cannot be read');
    }
  });
}

/** The common name of a certificate's subject, undefined when it has none or several. */
export function commonNameOf(certificate: X509Certificate): string | undefined {
  const names = certificate.subject.split('\n').filter((line) => line.startsWith('CN='));
  return names.length === 1 ? names[0]?.slice('CN='.length) : undefined;
}

function invalid(problem: string): AgentError {
  return new AgentError('notary.document', { message: `reading a certificate: ${problem}` });
}
