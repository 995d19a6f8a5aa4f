/** The `keys.*` and `tokens.setup` methods: each a short workflow between keeper, keyring and audit log. */
import { derivedAlgorithm } from '../crypto/derive.js';
import { keyIdOf } from '../crypto/key-id.js';
import { rawFromSpki } from '../crypto/public-key.js';
import { decodeBase64 } from '../encoding/base64.js';
import { AgentError, asAgentError } from '../errors/agent-error.js';
import type { KeyringAnchor, LeafRecord } from '../keys/key-record.js';
import { addHome, addLeaf, nextEpoch, retireAndAdd, revokeLeaf } from '../keys/keyring-change.js';
import { anchorVersion } from '../keys/keyring-check.js';
import { keyNameOf, parseKeyName, withDefaults } from '../keys/key-name.js';
import { isAgentRole, kindsOfRole, isTokenRole, ROOT_ROLE, TARGETS_ROLE } from '../keys/roles.js';
import type { CreateFields, DeriveFields, KeeperCalls } from '../keeper/wire.js';
import type { Params, Result } from '../protocol/methods.js';
import type { AuditTrail } from './audit-trail.js';
import type { KeeperLink } from './keeper-link.js';
import type { KeyBook } from './key-book.js';
import { keyPage } from './key-page.js';
import type { KeyringEditor } from './keyring-editor.js';
import type { Peer } from './peer.js';

/** A slow card takes a minute or two for RSA. Milliseconds. */
const CREATE_MS = 150_000;
/** Two slow tokens, and a touch or two. Milliseconds. */
const SETUP_MS = 180_000;
/** Loading a driver, and a look. Milliseconds. */
const FIND_MS = 30_000;

export interface KeyServiceParts {
  readonly keeper: KeeperLink;
  readonly keys: KeyBook;
  readonly editor: KeyringEditor;
  readonly trail: AuditTrail;
  /** Trust domain of the configuration, for the first keyring. */
  readonly domain: string;
  /** Key ids that a lease covers now. */
  readonly loaded: () => Promise<ReadonlySet<string>>;
}

export class KeyService {
  readonly #parts: KeyServiceParts;

  constructor(parts: KeyServiceParts) {
    this.#parts = parts;
  }

  /** What `setup` would do with a card. @throws AgentError `keyring.exists`, `token.…` */
  async plan(params: Params<'tokens.plan'>): Promise<Result<'tokens.plan'>> {
    const { keeper, keys } = this.#parts;
    if (keys.loaded !== undefined) throw new AgentError('keyring.exists');
    const { plan } = await keeper.call('setup.plan', params);
    return { plan: { ...plan, warnings: [...plan.warnings], refusals: [...plan.refusals] } };
  }

  /** @throws AgentError `keyring.exists`, `token.…` */
  setup(params: Params<'tokens.setup'>, peer: Peer): Promise<Result<'tokens.setup'>> {
    const { keeper, keys, domain, editor } = this.#parts;
    return this.#act('setup', peer, async () => {
      if (keys.loaded !== undefined) throw new AgentError('keyring.exists');
      const { backend, ...asked } = params;
      const made = await keeper.call(
        'setup',
        { ...asked, backend: backend ?? 'ec', domain, owner: peer.uid },
        SETUP_MS,
      );
      const { root, derivation, audit, lease } = made;
      const anchor: KeyringAnchor = {
        format: 'touchstone-keyring-anchor',
        version: anchorVersion({
          isOtp: derivation.backend === 'otp',
          isCard: root.card !== undefined || derivation.card !== undefined,
        }),
        domain,
        createdAt: root.createdAt,
        root,
        derivation,
        audit,
      };
      await editor.create(anchor);
      this.#parts.trail.noteAct('setup', peer, {
        token: lease.token,
        root: root.keyId,
        backend: derivation.backend,
        ...(root.card === undefined ? {} : { card: root.card.serial, vendor: root.card.root ?? 'unchecked' }),
      });
      const loaded = await this.#parts.loaded();
      return {
        root: keys.info(root, loaded),
        derivation: keys.info(derivation, loaded),
        audit: keys.info(audit, loaded),
        lease: { ...lease, keys: [...lease.keys], kinds: [...lease.kinds] },
      };
    });
  }

  async list(params: Params<'keys.list'>): Promise<Result<'keys.list'>> {
    const { keys, loaded } = this.#parts;
    const keyring = keys.loaded;
    if (keyring === undefined) return { domain: null, keys: [], next: null };
    const covered = await loaded();
    const { records, next } = keyPage(keyring.list(), params);
    return { domain: keyring.anchor.domain, keys: records.map((record) => keys.info(record, covered)), next };
  }

  async show(name: string): Promise<Result<'keys.show'>> {
    const { keys, loaded } = this.#parts;
    return { key: keys.info(keys.keyring.find(name), await loaded()) };
  }

  /** Derives and records a leaf; a key that exists is returned as it is. @param gone aborted when nobody waits any more */
  derive(name: string, peer: Peer, gone: AbortSignal): Promise<Result<'keys.derive'>> {
    const { keys, editor, loaded } = this.#parts;
    return this.#act('derive', peer, async () => {
      // Its turn may come late, and cost a touch.
      if (gone.aborted) throw new AgentError('limits.cancelled');
      const { keyring } = keys;
      const asked = parseKeyName(name);
      const fields = fieldsOf(asked);
      requireDerivable(fields.role);
      const known = keyring
        .leaves()
        .find(
          (leaf) =>
            isSame(leaf, fields) &&
            (asked.epoch === undefined ? leaf.state === 'active' : leaf.epoch === asked.epoch),
        );
      if (known !== undefined) return { key: keys.info(known, await loaded()), created: false };
      requireFirstEpoch(fields, keyring.leaves());
      const record = await this.#derived(fields);
      await editor.change((records) => addLeaf(records, record));
      this.#parts.trail.noteAct('derive', peer, { key: keyNameOf(record), keyId: record.keyId });
      return { key: keys.info(record, await loaded()), created: true };
    });
  }

  /** Makes a key on a token and records it. @throws AgentError `key.exists`, `token.…` */
  create(params: Params<'keys.create'>, peer: Peer): Promise<Result<'keys.create'>> {
    const { keys, editor, loaded } = this.#parts;
    return editor.exclusive(async () => {
      const fields = namedFields(parseKeyName(params.key));
      requireOwnIndex(fields);
      requireFirstEpoch(fields, keys.keyring.leaves());
      const { token, pin, useLastTry } = params;
      const record = await this.#made(fields, { token, pin, useLastTry });
      await editor.change((records) => addLeaf(records, record));
      this.#parts.trail.noteAct('create', peer, {
        key: keyNameOf(record),
        keyId: record.keyId,
        token: params.token,
      });
      return { key: keys.info(record, await loaded()) };
    });
  }

  /** Records a key of a holder's token; one that is recorded already for this repository is returned as it is. */
  adopt(params: Params<'keys.adopt'>, peer: Peer): Promise<Result<'keys.adopt'>> {
    const { keys, editor, keeper, loaded } = this.#parts;
    return this.#act('adopt', peer, async () => {
      const { anchor } = keys.keyring;
      const { publicKey, token } = params;
      const spki = decodeBase64(publicKey, 'publicKey');
      const fields = namedFields({ ...parseKeyName(params.key), algorithm: rawFromSpki(spki).algorithm });
      requireAdoptable(fields, keyIdOf(spki), anchor);
      requireOwnIndex(fields);
      const { home } = await keeper.call('find', { token, publicKey }, FIND_MS);
      const facts = {
        keyId: keyIdOf(spki),
        publicKey,
        createdAt: now(),
        homes: [home],
        origin: 'token',
      } as const;
      const record: LeafRecord = { usage: 'sign', ...fields, state: 'active', ...facts };
      const known = keys.keyring
        .leaves()
        .find(({ keyId, repository }) => keyId === record.keyId && repository === record.repository);
      if (known !== undefined) {
        // Its token may have been given another label since.
        if (
          !known.homes.some((at) => at.token === home.token && at.id === home.id && at.label === home.label)
        )
          await editor.change((records) => addHome(records, known.keyId, home));
        return { key: keys.info(keys.keyring.find(keyNameOf(known)), await loaded()), adopted: false };
      }
      requireFirstEpoch(fields, keys.keyring.leaves());
      await editor.change((records) => addLeaf(records, record));
      this.#parts.trail.noteAct('adopt', peer, { key: keyNameOf(record), keyId: record.keyId, token });
      return { key: keys.info(record, await loaded()), adopted: true };
    });
  }

  rotate(name: string, peer: Peer): Promise<Result<'keys.rotate'>> {
    const { keys, editor, loaded } = this.#parts;
    return this.#act('rotate', peer, async () => {
      const { keyring } = keys;
      const old = keyring.newest(name);
      if (isAgentRole(old.role)) throw new AgentError('key.usage');
      const epoch = nextEpoch(keyring.records, old);
      const successor = await this.#successor(old, epoch);
      // A revoked key stays revoked; its successor takes the name all the same.
      await editor.change((records) =>
        old.state === 'revoked'
          ? addLeaf(records, successor)
          : retireAndAdd(records, old.keyId, successor, now()),
      );
      this.#parts.trail.noteAct('rotate', peer, {
        key: keyNameOf(successor),
        keyId: successor.keyId,
        retired: old.keyId,
      });
      const covered = await loaded();
      const retired = keys.keyring.byId(old.keyId) ?? old;
      return { key: keys.info(successor, covered), retired: keys.info(retired, covered) };
    });
  }

  revoke(name: string, reason: string, peer: Peer): Promise<Result<'keys.revoke'>> {
    const { keys, editor, loaded } = this.#parts;
    return this.#act('revoke', peer, async () => {
      const leaf = this.#clientLeaf(name);
      await editor.change((records) => revokeLeaf(records, leaf.keyId, { reason, at: now() }));
      this.#parts.trail.noteAct('revoke', peer, { key: keyNameOf(leaf), keyId: leaf.keyId, reason });
      const revoked = keys.keyring.byId(leaf.keyId) ?? leaf;
      return { key: keys.info(revoked, await loaded()) };
    });
  }

  install(params: Params<'keys.install'>, peer: Peer): Promise<Result<'keys.install'>> {
    const { keeper, keys, editor, loaded } = this.#parts;
    return this.#act('install', peer, async () => {
      const leaf = this.#clientLeaf(params.key);
      const { home } = await keeper.call(
        'install',
        { keyId: leaf.keyId, pin: params.pin, useLastTry: params.useLastTry },
        120_000,
      );
      await editor.change((records) => addHome(records, leaf.keyId, home));
      this.#parts.trail.noteAct('install', peer, {
        key: keyNameOf(leaf),
        keyId: leaf.keyId,
        token: home.token,
      });
      const installed = keys.keyring.byId(leaf.keyId) ?? leaf;
      return { key: keys.info(installed, await loaded()) };
    });
  }

  /** One change at a time; one that fails is in the log as well, since it may have cost a try of a PIN. */
  #act<T>(act: string, peer: Peer, work: () => Promise<T>): Promise<T> {
    return this.#parts.editor.exclusive(async () => {
      try {
        return await work();
      } catch (thrown) {
        const error = asAgentError(thrown);
        this.#parts.trail.noteAct(`${act}-refused`, peer, { code: error.code });
        throw error;
      }
    });
  }

  /** Derived keys have derived successors, keys of a token have theirs on the same token. */
  #successor(old: LeafRecord, epoch: number): Promise<LeafRecord> {
    const { repository, role, algorithm, index } = old;
    const [home] = old.homes;
    if (old.origin === 'token' && home !== undefined)
      return this.#made({ repository, role, algorithm, index, epoch }, { token: home.token });
    return this.#derived({ repository, role, algorithm: derivedAlgorithm(algorithm), index, epoch });
  }

  async #made(
    fields: CreateFields,
    where: Omit<KeeperCalls['create']['params'], 'fields'>,
  ): Promise<LeafRecord> {
    const made = await this.#parts.keeper.call('create', { fields, ...where }, CREATE_MS);
    const { keyId, publicKey, home } = made;
    const facts = { keyId, publicKey, createdAt: now(), homes: [home], origin: 'token' } as const;
    return { usage: 'sign', ...fields, state: 'active', ...facts };
  }

  async #derived(fields: DeriveFields): Promise<LeafRecord> {
    const { keyId, publicKey } = await this.#parts.keeper.call('derive', { fields });
    return { usage: 'sign', ...fields, keyId, publicKey, state: 'active', createdAt: now(), homes: [] };
  }

  /** @throws AgentError `key.usage` for keys of the agent itself */
  #clientLeaf(name: string): LeafRecord {
    const record = this.#parts.keys.keyring.find(name);
    if (record.usage !== 'sign' || isAgentRole(record.role)) throw new AgentError('key.usage');
    return record;
  }
}

function fieldsOf(name: ReturnType<typeof parseKeyName>): DeriveFields {
  const fields = namedFields(name);
  return { ...fields, algorithm: derivedAlgorithm(fields.algorithm) };
}

function namedFields(name: ReturnType<typeof parseKeyName>): CreateFields {
  const { repository, role, algorithm, index, epoch = 1 } = withDefaults(name);
  const fields = { repository, role, algorithm, index, epoch };
  if (isAgentRole(fields.role)) {
    throw new AgentError('key.field-invalid', {
      message: `role: "${fields.role}" belongs to the agent itself`,
    });
  }
  kindsOfRole(fields.role);
  return fields;
}

/** Later epochs come from `key rotate`, so that no epoch is skipped by a slip of the finger. */
function requireFirstEpoch(fields: CreateFields, leaves: readonly LeafRecord[]): void {
  const older = leaves.filter((leaf) => isSame(leaf, fields));
  if (older.length > 0) {
    throw new AgentError('key.exists', {
      message: `${fields.repository}#${fields.role} exists in other epochs`,
      hint: `move on with: touchstone key rotate '${fields.repository}#${fields.role}'`,
    });
  }
  if (fields.epoch !== 1) {
    throw new AgentError('key.field-invalid', {
      message: 'epoch: the first epoch of a key is 1',
      details: { field: 'epoch' },
    });
  }
}

/** @throws AgentError `key.field-invalid`: index 0 of a root is the keyring's own */
function requireOwnIndex({ repository, role, index }: CreateFields): void {
  if (role !== ROOT_ROLE || index > 0) return;
  throw new AgentError('key.field-invalid', {
    message: 'index: the first root that is made for a repository has index 1; 0 is the root of the keyring',
    hint: `name it ${repository}#${ROOT_ROLE}:1`,
    details: { field: 'index' },
  });
}

/** @throws AgentError `key.usage`: only roots and targets are adopted, and none that derives or that signs the keyring */
function requireAdoptable({ role }: CreateFields, keyId: string, anchor: KeyringAnchor): void {
  const why =
    role !== ROOT_ROLE && role !== TARGETS_ROLE
      ? 'only keys of root and targets are adopted'
      : keyId === anchor.derivation.keyId
        ? 'it is the derivation key, which signs nothing'
        : keyId === anchor.root.keyId
          ? 'it is the root of this keyring, and signs as REPOSITORY#root already'
          : undefined;
  if (why !== undefined) throw new AgentError('key.usage', { message: `adopting a key: ${why}` });
}

function isSame(leaf: LeafRecord, fields: CreateFields): boolean {
  return (
    leaf.repository === fields.repository &&
    leaf.role === fields.role &&
    leaf.algorithm === fields.algorithm &&
    leaf.index === fields.index
  );
}

function now(): string {
  return new Date().toISOString().replace(/\.\d{3}Z$/, 'Z');
}

function requireDerivable(role: string): void {
  if (!isTokenRole(role)) return;
  throw new AgentError('key.usage', {
    message: `keys with the role ${role} are not derived: they live on a token`,
    hint: 'make it there: touchstone key create NAME --token TOKEN',
  });
}
