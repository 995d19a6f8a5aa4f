/** The certificates of repository keys, as `[certificates]` asks for them: verified when they come in, and looked at for each signature. */
import type { CertificatesConfig } from '../config/certificates-document.js';
import { compileGlobs, type GlobMatcher } from '../encoding/glob.js';
import { AgentError, asAgentError } from '../errors/agent-error.js';
import { certificateStanding, type CertificateStanding } from '../formats/key-certificate/standing.js';
import {
  certificateRoots,
  payloadHash,
  storedRevocation,
  verifyKeyCertificate,
  type CertificateRoots,
  type VerifiedCertificate,
} from '../formats/key-certificate/verify.js';
import type { ClientKey } from '../keys/key-record.js';
import type { CertificateFolder, StoredCertificate } from '../state/certificate-folder.js';

/** A certificate that was valid when it was looked at, good until it ends. */
interface Pass {
  readonly record: ClientKey;
  readonly hash: string;
  readonly covers: GlobMatcher;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface CertificateBookOptions {
  readonly config: CertificatesConfig;
  readonly folder: CertificateFolder;
  /** One line for the agent's own log. */
  readonly note: (what: string, facts: Readonly<Record<string, string | number>>) => void;
}

export class CertificateBook {
  readonly #options: CertificateBookOptions;
  readonly #roots: CertificateRoots;
  /** Statements by key id. */
  readonly #statements = new Map<string, VerifiedCertificate[]>();
  readonly #passes = new Map<string, Pass>();
  #problem: AgentError | undefined;

  constructor(options: CertificateBookOptions) {
    this.#options = options;
    const { roots, threshold } = options.config;
    this.#roots = certificateRoots(roots, threshold);
    if (roots.length > 0) this.#load();
  }

  /** Whether keys without a certificate are refused. */
  get required(): boolean {
    return this.#options.config.required;
  }

  /**
   * @returns hash of the certificate that covers it; undefined for roots that certify, and where none is required
   * @throws AgentError `certificate.…`
   */
  require(record: ClientKey, kind: string): string | undefined {
    if (!this.required || this.#roots.keys.has(record.keyId)) return undefined;
    if (this.#problem !== undefined) throw this.#problem;
    const known = this.#passes.get(record.keyId);
    const now = this.#options.folder.nowMs();
    const isGood = known?.record === record && now >= known.notBeforeMs && now <= known.notAfterMs;
    const pass = isGood ? known : this.#check(record, now);
    if (pass.covers(kind)) return pass.hash;
    throw new AgentError('certificate.kind', {
      message: `the certificate of ${nameOf(record)} does not name ${kind}`,
      details: { certificate: pass.hash, kind },
    });
  }

  /** What the certificates of a key come to now; undefined where it needs none. */
  standing(record: ClientKey): CertificateStanding | undefined {
    if (this.#roots.keys.size === 0 || this.#roots.keys.has(record.keyId)) return undefined;
    return this.#standing(record, this.#options.folder.nowMs());
  }

  /** Statements about a key, in the order in which they came; those of every key when none is named. */
  list(keyId?: string): readonly VerifiedCertificate[] {
    return keyId === undefined ? [...this.#statements.values()].flat() : (this.#statements.get(keyId) ?? []);
  }

  /**
   * Takes a new statement; one that is known already is no change.
   * @throws AgentError `certificate.invalid`, `certificate.order`, `certificate.older`, `state.write`
   */
  add(envelope: Buffer): { readonly statement: VerifiedCertificate; readonly added: boolean } {
    if (this.#roots.keys.size === 0) {
      throw new AgentError('certificate.invalid', {
        message: 'checking a key certificate: the configuration names no roots',
        hint: 'name them in touchstone.toml: [certificates] roots and threshold; then restart the agent',
      });
    }
    if (this.#problem !== undefined) throw this.#problem;
    const statement = verifyKeyCertificate(envelope, this.#roots);
    const { keyId, previous, action } = statement.certificate;
    const known = this.list(keyId);
    if (known.some(({ hash }) => hash === statement.hash)) return { statement, added: false };
    // A revocation is never too early: it holds wherever it stands.
    if (action === 'certify' && previous !== (known.at(-1)?.hash ?? null)) throw outOfOrder(known);
    this.#options.folder.add(statement.hash, envelope);
    this.#take(statement);
    this.#passes.delete(keyId);
    return { statement, added: true };
  }

  #load(): void {
    try {
      const stored = this.#options.folder.load();
      for (const each of stored) requireWhole(each);
      const verified = stored.flatMap(({ envelope }) => this.#verified(envelope));
      for (const statement of inOrder(verified)) this.#take(statement);
    } catch (thrown) {
      this.#problem = asAgentError(thrown);
      this.#options.note('certificates not in force', { reason: this.#problem.message });
    }
  }

  /** After a change of the roots, certificates of those before are nothing any more; their revocations stay. */
  #verified(envelope: Buffer): readonly VerifiedCertificate[] {
    try {
      return [verifyKeyCertificate(envelope, this.#roots)];
    } catch (thrown) {
      const revocation = revocationIn(envelope);
      if (revocation !== undefined) return [revocation];
      this.#options.note('certificate passed over', { reason: asAgentError(thrown).message });
      return [];
    }
  }

  #take(statement: VerifiedCertificate): void {
    const { keyId } = statement.certificate;
    this.#statements.set(keyId, [...this.list(keyId), statement]);
  }

  #standing(record: ClientKey, now: number): CertificateStanding {
    return certificateStanding(
      this.list(record.keyId).filter((statement) => isAbout(statement, record)),
      now,
    );
  }

  #check(record: ClientKey, now: number): Pass {
    this.#passes.delete(record.keyId);
    const standing = this.#standing(record, now);
    if (standing.state !== 'valid') {
      // What has expired stays so, also after a restart with another clock.
      if (standing.state === 'expired') this.#options.folder.remember();
      throw refusal(record, standing);
    }
    const { certificate, hash } = standing.newest;
    const pass: Pass = {
      record,
      hash,
      covers: compileGlobs(certificate.kinds),
      notBeforeMs: Date.parse(certificate.notBefore),
      notAfterMs: Date.parse(certificate.notAfter),
    };
    this.#passes.set(record.keyId, pass);
    return pass;
  }
}

/** A revocation that cannot be read any more must not count as none. @throws AgentError `state.damaged` */
function requireWhole({ hash, envelope, path }: StoredCertificate): void {
  if (hashIn(envelope) === hash) return;
  throw new AgentError('state.damaged', {
    message: `${path}: it is not the statement that its name is the hash of`,
    details: { path },
  });
}

function hashIn(envelope: Buffer): string | undefined {
  try {
    return payloadHash(envelope);
  } catch {
    return undefined;
  }
}

function revocationIn(envelope: Buffer): VerifiedCertificate | undefined {
  try {
    return storedRevocation(envelope);
  } catch {
    return undefined;
  }
}

/** A key of one repository is not certified for another by having the same bits; its revocation is about the bits. */
function isAbout({ certificate }: VerifiedCertificate, record: ClientKey): boolean {
  if (certificate.action === 'revoke') return true;
  const epoch = record.usage === 'sign' ? record.epoch : 1;
  return (
    certificate.repository === record.repository &&
    certificate.role === record.role &&
    certificate.epoch === epoch
  );
}

/** Files have no order; the chain has. What belongs to none comes last and stays a fork. */
function inOrder(statements: readonly VerifiedCertificate[]): readonly VerifiedCertificate[] {
  const left = new Set(statements);
  const ordered: VerifiedCertificate[] = [];
  const known = new Set<string | null>([null]);
  for (let before = -1; before !== ordered.length;) {
    before = ordered.length;
    for (const statement of left) {
      if (!known.has(statement.certificate.previous)) continue;
      ordered.push(statement);
      known.add(statement.hash);
      left.delete(statement);
    }
  }
  return [...ordered, ...left];
}

type Refused = Exclude<CertificateStanding, { readonly state: 'valid' }>;

function refusal(record: ClientKey, standing: Refused): AgentError {
  const name = nameOf(record);
  const details = { keyId: record.keyId };
  switch (standing.state) {
    case 'missing':
      return new AgentError('certificate.missing', { message: `${name} has no certificate`, details });
    case 'revoked':
      return new AgentError('certificate.revoked', {
        message: `the certificate of ${name} was taken back`,
        details: { ...details, certificate: standing.newest.hash },
      });
    case 'forked':
      return new AgentError('certificate.order', {
        message: `the certificates of ${name} do not follow one another`,
        details,
      });
    case 'expired':
    case 'not-yet': {
      const { notBefore, notAfter } = standing.newest.certificate;
      return new AgentError('certificate.time', {
        message: `the certificate of ${name} is valid from ${notBefore} to ${notAfter}`,
        details: { ...details, certificate: standing.newest.hash, notBefore, notAfter },
      });
    }
  }
}

function outOfOrder(known: readonly VerifiedCertificate[]): AgentError {
  const newest = known.at(-1)?.hash;
  const wanted =
    newest === undefined ? 'it should be the first one' : `it should follow ${newest.slice(0, 16)}`;
  return new AgentError('certificate.order', { message: `adding a key certificate: ${wanted}` });
}

function nameOf({ repository, role }: ClientKey): string {
  return `${repository}#${role}`;
}
