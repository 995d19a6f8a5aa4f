/** The keyring as the front uses it: names to records, what a record may sign, and the answers of `keys.list`. */
import { AgentError } from '../errors/agent-error.js';
import type { ClientKey, KeyRecord, LeafRecord, RepositoryRoot } from '../keys/key-record.js';
import { keyNameOf } from '../keys/key-name.js';
import type { Keyring } from '../keys/keyring.js';
import { isAgentRole, kindsOfRole, maySignBlind, ROOT_ROLE, roleAllows } from '../keys/roles.js';
import type { KeyInfo } from '../protocol/methods.js';
import type { CertificateBook } from './certificate-book.js';

/** A key as the path of a signature needs it. */
export interface SigningKey {
  readonly record: ClientKey;
  /** Canonical name. */
  readonly name: string;
  /** REPOSITORY#ROLE, what policy rules match. */
  readonly policyName: string;
  /** 32 raw bytes as latin1. */
  readonly rawId: string;
}

/** What the derivation key itself computes. */
const DERIVATION_ALGORITHMS = { ec: 'ecdsa-p256', hmac: 'hmac-sha256', otp: 'hmac-sha1' } as const;

/** Names that are remembered: a key URI has any number of spellings, and a caller could send them all. */
const MAX_RESOLVED = 4096;

export class KeyBook {
  readonly #certificates: CertificateBook;
  #keyring: Keyring | undefined;
  #resolved = new Map<string, SigningKey>();

  constructor(certificates: CertificateBook) {
    this.#certificates = certificates;
  }

  /** Takes a new keyring; every answer before is forgotten. */
  load(keyring: Keyring | undefined): void {
    this.#keyring = keyring;
    this.#resolved = new Map();
  }

  /** @throws AgentError `keyring.missing` */
  get keyring(): Keyring {
    if (this.#keyring === undefined) throw new AgentError('keyring.missing');
    return this.#keyring;
  }

  get loaded(): Keyring | undefined {
    return this.#keyring;
  }

  /**
   * The one active key that a client means and may sign with.
   * @throws AgentError `key.unknown`, `key.ambiguous`, `key.retired`, `key.revoked`, `key.usage`
   */
  signingKey(name: string): SigningKey {
    const known = this.#resolved.get(name);
    if (known !== undefined) return known;
    const record = this.keyring.resolve(name);
    if (isAgentRole(record.role)) {
      throw new AgentError('key.usage', {
        message: `${keyNameOf(record)} signs only the agent's own records`,
      });
    }
    const key: SigningKey = {
      record,
      name: keyNameOf(record),
      policyName: `${record.repository}#${record.role}`,
      rawId: Buffer.from(record.keyId, 'hex').toString('latin1'),
    };
    if (this.#resolved.size >= MAX_RESOLVED) this.#resolved.clear();
    this.#resolved.set(name, key);
    return key;
  }

  /** @throws AgentError `statement.kind` when the role of the key does not cover the kind */
  requireKind(key: SigningKey, kind: string): void {
    const { role } = key.record;
    if (kind === 'digest' ? maySignBlind(role) : roleAllows(role, kind)) return;
    throw new AgentError('statement.kind', {
      message: `${key.name} may not sign ${kind}`,
      hint: `role "${role}" signs ${kindsOfRole(role).join(', ')}; choose another key`,
      details: { key: key.name, kind },
    });
  }

  /** @param loaded key ids that a lease covers now */
  info(record: KeyRecord | RepositoryRoot, loaded: ReadonlySet<string>): KeyInfo {
    const base = { name: keyNameOf(record), createdAt: record.createdAt };
    switch (record.usage) {
      case 'derive':
        return {
          ...base,
          usage: 'derive',
          keyId: record.keyId,
          algorithm: DERIVATION_ALGORITHMS[record.backend],
          publicKey: record.publicKey,
          state: 'active',
          backend: record.backend,
          homes: [{ ...record.home }],
          card: record.card,
          kinds: [],
          loaded: false,
        };
      case 'root':
      case 'repository-root':
        return {
          ...base,
          usage: 'root',
          keyId: record.keyId,
          algorithm: record.algorithm,
          publicKey: record.publicKey,
          state: 'active',
          homes: [{ ...record.home }],
          ...(record.usage === 'root' ? { card: record.card } : {}),
          kinds: [...kindsOfRole(ROOT_ROLE)],
          loaded: loaded.has(record.keyId),
        };
      case 'sign':
        return {
          ...base,
          usage: 'sign',
          keyId: record.keyId,
          algorithm: record.algorithm,
          publicKey: record.publicKey,
          state: record.state,
          retiredAt: record.retiredAt,
          revokedAt: record.revokedAt,
          revokedReason: record.revokedReason,
          homes: record.homes.map((home) => ({ ...home })),
          kinds: [...kindsOfRole(record.role)],
          loaded: record.state === 'active' && loaded.has(record.keyId),
          ...this.#certificateOf(record),
        };
    }
  }

  #certificateOf(record: LeafRecord): Pick<KeyInfo, 'certificate'> {
    const standing = isAgentRole(record.role) ? undefined : this.#certificates.standing(record);
    if (standing === undefined) return {};
    if (standing.state === 'missing') return { certificate: { state: 'missing' } };
    const { notBefore, notAfter } = standing.newest.certificate;
    return { certificate: { state: standing.state, hash: standing.newest.hash, notBefore, notAfter } };
  }
}
