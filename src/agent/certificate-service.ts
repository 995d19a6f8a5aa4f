/** The `certificates.*` methods. */
import { decodeBase64 } from '../encoding/base64.js';
import { asAgentError } from '../errors/agent-error.js';
import type { VerifiedCertificate } from '../formats/key-certificate/verify.js';
import type { Params, Result } from '../protocol/methods.js';
import type { AuditTrail } from './audit-trail.js';
import type { CertificateBook } from './certificate-book.js';
import type { KeyBook } from './key-book.js';
import type { Peer } from './peer.js';

/** Each is up to 5 KiB of a reply. */
const PAGE = 32;

export interface CertificateServiceParts {
  readonly keys: KeyBook;
  readonly certificates: CertificateBook;
  readonly trail: AuditTrail;
}

export class CertificateService {
  readonly #parts: CertificateServiceParts;

  constructor(parts: CertificateServiceParts) {
    this.#parts = parts;
  }

  /** @throws AgentError `certificate.…`, `audit.write` */
  add({ envelope }: Params<'certificates.add'>, peer: Peer): Result<'certificates.add'> {
    const { certificates, trail } = this.#parts;
    trail.requireWritable();
    try {
      const { statement, added } = certificates.add(decodeBase64(envelope, 'envelope'));
      const { action, repository, role, epoch, keyId } = statement.certificate;
      const facts = { action, key: `${repository}#${role}@${epoch}`, keyId, certificate: statement.hash };
      if (added) trail.noteAct('certificate', peer, facts);
      return { certificate: shown(statement), added };
    } catch (thrown) {
      const error = asAgentError(thrown);
      trail.noteAct('certificate-refused', peer, { code: error.code });
      throw error;
    }
  }

  list({ key, from = 0 }: Params<'certificates.list'>): Result<'certificates.list'> {
    const { certificates, keys } = this.#parts;
    const keyId = key === undefined ? undefined : keys.keyring.find(key).keyId;
    const all = key !== undefined && keyId === undefined ? [] : certificates.list(keyId);
    const end = from + PAGE;
    return {
      required: certificates.required,
      certificates: all.slice(from, end).map(shown),
      next: end < all.length ? end : null,
    };
  }
}

function shown({
  certificate,
  hash,
  signers,
}: VerifiedCertificate): Result<'certificates.add'>['certificate'] {
  const { action, repository, role, epoch, keyId, kinds, notBefore, notAfter, previous } = certificate;
  const facts = { action, repository, role, epoch, keyId, notBefore, notAfter, previous };
  return { ...facts, kinds: [...kinds], hash, signers: [...signers] };
}
