/** The keyring in memory: an immutable view of what the root and the audit leaf vouch for. */
import { AgentError } from '../errors/agent-error.js';
import { findLeaf, findNewestLeaf, requireActive, resolveLeaf } from './key-lookup.js';
import { formatKeyName, parseKeyName, type KeyName } from './key-name.js';
import type {
  ClientKey,
  KeyRecord,
  KeyringAnchor,
  KeyringRecords,
  LeafRecord,
  RepositoryRoot,
  TokenHome,
} from './key-record.js';
import { parseKeyUri, type KeyUri } from './key-uri.js';
import { isAgentRole, ROOT_ROLE } from './roles.js';

/** DSSE payload types of the two parts of the keyring file. */
export const ANCHOR_TYPE = 'application/vnd.touchstone.keyring-anchor+json';
export const RECORDS_TYPE = 'application/vnd.touchstone.keyring-records+json';

export class Keyring {
  readonly anchor: KeyringAnchor;
  readonly records: KeyringRecords;
  readonly #byId: ReadonlyMap<string, KeyRecord>;
  /** Names of leaves that were resolved before. Bounded: a record has few spellings, and only successes are kept. */
  readonly #resolved = new Map<string, LeafRecord>();

  constructor(anchor: KeyringAnchor, records: KeyringRecords) {
    this.anchor = anchor;
    this.records = records;
    this.#byId = new Map(
      this.list().flatMap((record) => (record.keyId === undefined ? [] : [[record.keyId, record]])),
    );
  }

  /** Trust domain of every derivation context. */
  get domain(): string {
    return this.anchor.domain;
  }

  /** Root, derivation key, audit leaf, then the leaves in order of creation. */
  list(): readonly KeyRecord[] {
    return [this.anchor.root, this.anchor.derivation, ...this.leaves()];
  }

  /** Every leaf, the agent's own audit leaf first. */
  leaves(): readonly LeafRecord[] {
    return [this.anchor.audit, ...this.records.leaves];
  }

  /** @param keyId lower-case hex. */
  byId(keyId: string): KeyRecord | undefined {
    return this.#byId.get(keyId);
  }

  /**
   * The active key that a name or key URI means, for signing by a client. `REPOSITORY#root` is a key that was made for it on a
   * token, else the keyring's own root used for that repository; `REPOSITORY#root:0` is always the latter.
   * @throws AgentError `key.name-invalid`, `key.uri-invalid`, `usage.pin-in-uri`, `key.unknown`, `key.ambiguous`,
   * `key.retired`, `key.revoked`, and `key.usage` for the root without a repository, derivation key and the agent's own leaves.
   */
  resolve(nameOrUri: string): ClientKey {
    const known = this.#resolved.get(nameOrUri);
    if (known !== undefined) return known;
    const key = this.#resolve(nameOrUri);
    if (key.usage === 'sign' && !isUri(nameOrUri)) this.#resolved.set(nameOrUri, key);
    return key;
  }

  /**
   * The record that a name or key URI means, whatever its usage; retired and revoked ones by their epoch.
   * @throws AgentError as `resolve`, without `key.usage`.
   */
  find(nameOrUri: string): KeyRecord | RepositoryRoot {
    if (isUri(nameOrUri)) return this.#atHome(nameOrUri);
    const { root, derivation } = this.anchor;
    const name = parseKeyName(nameOrUri);
    const plain = formatKeyName(name);
    if (plain === root.name) return root;
    if (plain === derivation.name) return derivation;
    return this.#meansRoot(name) ? this.#rootOf(name) : findLeaf(name, this.leaves());
  }

  /**
   * Like `find`, for rotation: the newest epoch when a revocation left no active one.
   * @throws AgentError `key.usage` for root and derivation key, and as `find`
   */
  newest(nameOrUri: string): LeafRecord {
    const name = isUri(nameOrUri) ? undefined : parseKeyName(nameOrUri);
    const { root, derivation } = this.anchor;
    const anchored =
      name === undefined ||
      this.#meansRoot(name) ||
      [root.name, derivation.name].some((own) => own === formatKeyName(name));
    const record = anchored ? this.find(nameOrUri) : findNewestLeaf(name, this.leaves());
    if (record.usage !== 'sign') throw new AgentError('key.usage');
    return record;
  }

  /** Without an index the root is meant only as long as nothing else has the name; made keys count from 1. */
  #meansRoot({ repository, role, index }: KeyName): boolean {
    if (role !== ROOT_ROLE) return false;
    if (index !== undefined) return index === 0;
    return !this.records.leaves.some((leaf) => leaf.role === ROOT_ROLE && leaf.repository === repository);
  }

  #rootOf(name: KeyName): RepositoryRoot {
    const { root } = this.anchor;
    const { repository, epoch = 1, algorithm = root.algorithm } = name;
    if (epoch !== 1 || algorithm !== root.algorithm) {
      throw new AgentError('key.unknown', { message: `there is no key ${formatKeyName(name)}` });
    }
    const plain = formatKeyName({ repository, role: ROOT_ROLE });
    return { ...root, usage: 'repository-root', name: plain, repository, role: ROOT_ROLE };
  }

  #resolve(nameOrUri: string): ClientKey {
    const record = this.find(nameOrUri);
    if (record.usage === 'repository-root') return record;
    if (record.usage === 'root') {
      throw new AgentError('key.usage', {
        message: `${nameOrUri} signs for clients only as the root of a repository`,
        hint: 'name the repository: REPOSITORY#root',
      });
    }
    if (record.usage !== 'sign' || isAgentRole(record.role)) {
      throw new AgentError('key.usage', { message: `${nameOrUri} does not sign for clients` });
    }
    if (isUri(nameOrUri)) requireActive(record);
    return isUri(nameOrUri) ? record : resolveLeaf(parseKeyName(nameOrUri), this.leaves());
  }

  #atHome(text: string): KeyRecord {
    const uri = parseKeyUri(text);
    if (uri.object === undefined && uri.id === undefined) {
      throw new AgentError('key.uri-invalid', {
        message: 'reading a key URI: object or id is needed to name a key',
      });
    }
    const matches = this.list().filter((record) => homesOf(record).some((home) => livesAt(home, uri)));
    const [only, ...others] = matches;
    if (only === undefined) throw new AgentError('key.unknown');
    if (others.length > 0) throw new AgentError('key.ambiguous', { details: { matches: matches.length } });
    return only;
  }
}

function isUri(text: string): boolean {
  return text.startsWith('pkcs11:');
}

function homesOf(record: KeyRecord): readonly TokenHome[] {
  return record.usage === 'sign' ? record.homes : [record.home];
}

/** Everything the URI says must be what the home says; what the home does not record cannot match. */
function livesAt(home: TokenHome, uri: KeyUri): boolean {
  const { object, id, type, vendor, ...wanted } = uri;
  if (type !== undefined && type !== 'private') return false;
  if (vendor !== undefined || (object ?? home.label) !== home.label || (id ?? home.id) !== home.id)
    return false;
  const token = parseKeyUri(home.token);
  return Object.entries(wanted).every(([field, value]) => value === token[field as keyof typeof wanted]);
}
