/**
 * The certificate that wraps a root key for one repository (a GUN): what clients and servers check of it, and what they do not. Its own
 * signature is not among it: roots made on hardware by the old tools carry invalid ones, and readers take them.
 */
import type { X509Certificate } from 'node:crypto';
import { decodeBase64 } from '../../encoding/base64.js';
import { AgentError } from '../../errors/agent-error.js';
import { commonNameOf, splitCertificates } from './certificate-chain.js';
import type { RootDocument } from './document.js';
import { isCertified, type NotaryKey } from './key.js';

const DAY_MS = 86_400_000;
/** Clients warn from here on. */
const WARNING_MS = 183 * DAY_MS;

export interface RootCertificate {
  readonly leaf: X509Certificate;
  /** The repository, or a prefix of repositories that ends in `*`. */
  readonly commonName: string;
  readonly notAfter: Date;
}

/** The certificate of a root key. @throws AgentError `notary.document` for a bare key, and for bundles that readers refuse */
export function rootCertificateOf(key: NotaryKey): RootCertificate {
  if (!isCertified(key)) throw invalid('a root key comes without its certificate');
  const pem = decodeBase64(key.public, 'reading a root key', 'notary.document').toString('utf8');
  const [leaf, ...rest] = splitCertificates(pem);
  if (leaf === undefined || leaf.ca) throw invalid('the first certificate is not a leaf');
  if (rest.some(({ ca }) => !ca)) throw invalid('more than one certificate is a leaf');
  const commonName = commonNameOf(leaf);
  if (commonName === undefined) throw invalid('the certificate has no single common name');
  return { leaf, commonName, notAfter: new Date(leaf.validTo) };
}

/** Whether a common name covers a repository: the name itself, or a prefix that ends in `*`. */
export function coversRepository(commonName: string, repository: string): boolean {
  if (!commonName.endsWith('*')) return commonName === repository;
  return repository.startsWith(commonName.slice(0, -1));
}

/**
 * The one name that all certificates of a root document carry.
 * @throws AgentError `notary.document` when a root key has no certificate, or when they name different repositories
 */
export function repositoryOfRoot({ keys, roles }: RootDocument): string {
  const names = roles.root.keyids.map((id) => {
    const key = keys.get(id);
    if (key === undefined) throw invalid('a root key is missing or not under its own id');
    return rootCertificateOf(key).commonName;
  });
  const [first, ...others] = new Set(names);
  if (first === undefined || others.length > 0) throw invalid('the root keys do not name one repository');
  return first;
}

/**
 * What a reader checks of a root key at `nowMs`.
 * @returns a warning to show, if any
 * @throws AgentError `notary.pin` for another repository, `notary.expired`, `notary.document`
 */
export function checkRootCertificate(key: NotaryKey, repository: string, nowMs: number): string | undefined {
  const { leaf, commonName, notAfter } = rootCertificateOf(key);
  if (!coversRepository(commonName, repository)) {
    throw new AgentError('notary.pin', {
      message: `the root certificate of ${repository} is made out to another repository`,
      details: { field: 'CN', repository },
    });
  }
  if (Date.parse(leaf.validFrom) > nowMs + DAY_MS) throw invalid('the certificate is not valid yet');
  const leftMs = notAfter.getTime() - nowMs;
  if (leftMs <= 0) {
    throw new AgentError('notary.expired', { message: `the root certificate of ${repository} has expired` });
  }
  if (leftMs >= WARNING_MS) return undefined;
  return `the root certificate of ${repository} expires on ${notAfter.toISOString().slice(0, 10)}`;
}

function invalid(problem: string): AgentError {
  return new AgentError('notary.document', { message: `reading a root certificate: ${problem}` });
}
