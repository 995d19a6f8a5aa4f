/**
 * One publish in a folder: documents are signed, written, listed by a snapshot and that by a timestamp. Until the last file is in its place
 * readers get what they got before; whatever was written until then the next publish goes on from.
 */
import { AgentError } from '../../errors/agent-error.js';
import type { TufRoot, TufTargets } from '../../formats/tuf/document.js';
import { requirePortable } from '../../formats/tuf/linter.js';
import { CLIENT_LIMITS, TIMESTAMP_FILE, versionedFile, type TufFolder } from './folder.js';
import { requireNoStepBack } from './guard-check.js';
import { ListMaker, type ListsWanted } from './lists.js';
import {
  emptyTargets,
  expiryOf,
  openSignatures,
  pendingBytes,
  renewed,
  rootMembers,
  signatureState,
  withSignatures,
  type Pending,
} from './pending.js';
import type { TufPins } from './pins.js';
import { readTufRoot } from '../../formats/tuf/reader.js';
import { readPublished } from './published.js';
import { delegationsOf, keyRoleOf } from './roles.js';
import { newestRoot } from './root-walk.js';
import type { TufDays } from './settings.js';
import { contentHash, type SignedFile } from './signed-file.js';
import type { HeldKey, TufSigner } from './signer.js';
import { stagedDocuments } from './staging.js';
import { loadState, type Candidate, type RoleState, type TufState } from './state.js';
import { VersionCounter } from './version-counter.js';
import { readView } from './view.js';
import { worldToCome } from './world.js';

export interface TufPublisherParts {
  readonly folder: TufFolder;
  readonly repository: string;
  readonly signer: TufSigner;
  readonly pins: TufPins;
  readonly days: TufDays;
}

/** What shall be different. Versions and dates come here. */
export interface TufChange {
  readonly root?: TufRoot | undefined;
  readonly targets?: ReadonlyMap<string, TufTargets> | undefined;
  /** Lists that are renewed although nothing in them changes. */
  readonly renew?: ListsWanted | undefined;
}

export interface TufVersion {
  readonly role: string;
  readonly version: number;
  readonly expires: string;
}

/** A version that lacks signatures, or a list whose key is elsewhere. */
export interface TufWaiting {
  readonly role: string;
  readonly version: number | null;
  readonly good: number;
  readonly threshold: number;
  /** To be carried to whoever signs next. */
  readonly file: string | null;
}

export interface TufReport {
  /** Empty when there was nothing to do. */
  readonly published: readonly TufVersion[];
  readonly waiting: readonly TufWaiting[];
}

export class TufPublisher {
  readonly #parts: TufPublisherParts;
  readonly #state: TufState | undefined;
  #held: readonly HeldKey[];
  readonly #versions: VersionCounter;
  readonly #nowMs = Date.now();

  private constructor(
    parts: TufPublisherParts,
    state: TufState | undefined,
    held: readonly HeldKey[],
    versions: VersionCounter,
  ) {
    this.#parts = parts;
    this.#state = state;
    this.#held = held;
    this.#versions = versions;
  }

  /**
   * Reads the folder from the root that is trusted here, and compares it with what the agent has seen.
   * @throws AgentError `tuf.pin`, `tuf.rollback`, `tuf.threshold`, of the agent
   */
  static async open(parts: TufPublisherParts): Promise<TufPublisher> {
    const { folder, repository, signer, pins } = parts;
    const trusted = pins.load(repository);
    if (trusted === undefined && folder.hasRoot) throw notPinned(repository);
    const root = trusted === undefined || !folder.hasRoot ? undefined : newestRoot(folder, trusted);
    const state = root === undefined ? undefined : loadState(folder, root);
    const [held, guarded] = await Promise.all([signer.keysOf(repository), signer.guarded(repository)]);
    const lists = root === undefined ? undefined : readPublished(folder, root);
    requireNoStepBack(state, lists, guarded);
    if (root !== undefined) pins.save(repository, root.bytes);
    const publisher = new TufPublisher(parts, state, held, new VersionCounter(state, lists, guarded));
    await publisher.#noteSeen();
    return publisher;
  }

  /** Undefined before the first root is published. */
  get state(): TufState | undefined {
    return this.#state;
  }

  /** Keys within reach. */
  get held(): readonly HeldKey[] {
    return this.#held;
  }

  /** What waits for signatures. */
  staged(): readonly Pending[] {
    return stagedDocuments(this.#parts.folder, this.#state);
  }

  /** Keeps a version that others have to sign, or that the next publish takes along. @throws AgentError `state.write` */
  stage(pending: Pending): void {
    this.#stage(pending);
  }

  /** Signs a change and publishes it, together with what is ready besides. @throws AgentError `tuf.waiting`, `tuf.keys`, of the agent */
  async publish(change: TufChange): Promise<TufReport> {
    // Whoever planned the change may have derived keys for it.
    this.#held = await this.#parts.signer.keysOf(this.#parts.repository);
    const waiting = this.staged();
    const roles = [...(change.root === undefined ? [] : ['root']), ...(change.targets?.keys() ?? [])];
    const open = waiting.find(({ role }) => roles.includes(role));
    if (open !== undefined) throw isWaiting(open);
    const { folder } = this.#parts;
    const root = change.root === undefined ? [] : [this.#pendingRoot(change.root)];
    // The version of a root can be given once: its bytes are on disk before anybody signs them.
    for (const one of root) folder.stage('root', one.document.version, this.#bytes(one));
    this.#pinFirst(root);
    const targets = [...(change.targets ?? [])].map(([role, one]) => this.#pendingTargets(role, one));
    const signed = await this.#sign([...root, ...targets, ...this.#newRoles(change, waiting)]);
    return this.#settle([...waiting, ...signed], change.renew);
  }

  /** Signs what is staged, all of it or one role, and publishes what is complete then. @throws AgentError `tuf.keys` when no key within reach can add anything */
  async signStaged(documents: readonly Pending[]): Promise<TufReport> {
    const others = this.staged().filter(({ role }) => !documents.some((one) => one.role === role));
    this.#requireOwnFirst(documents);
    const signed = await this.#sign(documents);
    for (const one of signed) this.#parts.folder.stage(one.role, one.document.version, this.#bytes(one));
    this.#pinFirst(signed);
    return this.#settle([...others, ...signed], undefined);
  }

  /** Publishes what can be, and stages the rest. */
  async #settle(pending: readonly Pending[], renew: ListsWanted | undefined): Promise<TufReport> {
    const { folder, repository, pins } = this.#parts;
    const documents = [...pending];
    const make = async (roles: readonly RoleState[]): Promise<readonly Candidate[]> => {
      const made = await this.#sign(
        roles.map((one) => this.#carriedOver(one)),
        { partial: true },
      );
      documents.push(...made);
      return made.map((one) => this.#candidate(one));
    };
    const candidates = documents.map((one) => this.#candidate(one));
    const world = await worldToCome(folder, this.#state, candidates, make);
    const ready = world === undefined ? [] : [...world.state.roles.values()].filter(({ isNew }) => isNew);
    const done = new Set([
      ...ready.map(({ name }) => name),
      ...(world?.newRoot === undefined ? [] : ['root']),
    ]);
    const waiting = documents.filter(({ role }) => !done.has(role)).map((one) => this.#stage(one));
    if (world === undefined) return { published: [], waiting };
    const published: TufVersion[] = [];
    const write = (file: string, one: SignedFile): void => {
      folder.write(file, one.bytes);
      const { version, expires } = one.document;
      published.push({ role: one.role, version, expires });
    };
    // Delegated roles before those that name them.
    for (const { name, newest } of ready.reverse()) {
      if (newest !== undefined) write(versionedFile(name, newest.document.version), newest);
    }
    const lists = new ListMaker({
      ...this.#parts,
      nowMs: this.#nowMs,
      versions: this.#versions,
      held: this.#held,
    });
    const { snapshot, timestamp, missing } = await lists.make(world, this.#state, renew);
    if (snapshot !== undefined) write(versionedFile('snapshot', snapshot.document.version), snapshot);
    const { newRoot } = world;
    if (newRoot !== undefined) write(versionedFile('root', newRoot.document.version), newRoot);
    // With this file readers see all of it.
    if (timestamp !== undefined) write(TIMESTAMP_FILE, timestamp);
    // After it is there: what is trusted has to be in the folder.
    if (newRoot !== undefined) pins.save(repository, newRoot.bytes);
    for (const { role, version } of folder.staged()) if (done.has(role)) folder.unstage(role, version);
    await this.#noteSeen();
    return { published, waiting: [...waiting, ...missing] };
  }

  #pendingRoot(root: TufRoot): Pending {
    const before = this.#state?.root.document;
    const version = (before?.version ?? 0) + 1;
    const document = renewed(root, version, expiryOf('root', this.#parts.days, this.#nowMs));
    requirePortable(document, before);
    return {
      role: 'root',
      keyRole: 'root',
      document,
      signatures: [],
      members: rootMembers(document, before),
    };
  }

  #pendingTargets(role: string, document: TufTargets): Pending {
    const known = this.#state?.roles.get(role);
    if (known === undefined)
      throw new AgentError('tuf.role', { message: `there is no role ${role} in this repository` });
    const next = this.#nextOf(known, document);
    requirePortable(next.document, known.newest?.document);
    return next;
  }

  /** A role begins empty, also where documents of an earlier role of its name lie in the folder. */
  #newRoles({ targets }: TufChange, waiting: readonly Pending[]): readonly Pending[] {
    const known = new Set([...(this.#state?.roles.keys() ?? []), ...waiting.map(({ role }) => role)]);
    return [...(targets?.values() ?? [])].flatMap(delegationsOf).flatMap((one) => {
      if (known.has(one.name)) return [];
      known.add(one.name);
      return [this.#nextOf({ ...one, keyRole: keyRoleOf(one) }, emptyTargets())];
    });
  }

  /** The content that a role had under other keys, or none: for a role that is new, or has new keys. */
  #carriedOver(role: RoleState): Pending {
    return this.#nextOf(role, this.#state?.roles.get(role.name)?.newest?.document ?? emptyTargets());
  }

  #nextOf(
    { name, keyRole, keys, role }: Pick<RoleState, 'name' | 'keyRole' | 'keys' | 'role'>,
    document: TufTargets,
  ): Pending {
    const version = this.#versions.next(keyRole);
    const expires = expiryOf('targets', this.#parts.days, this.#nowMs);
    return {
      role: name,
      keyRole,
      document: renewed(document, version, expires),
      signatures: [],
      members: [{ keys, role }],
    };
  }

  /** With every signature that the keys within reach can add. */
  async #sign(documents: readonly Pending[], { partial = false } = {}): Promise<readonly Pending[]> {
    const open = documents.map((document) => ({
      document,
      signatures: openSignatures(document, this.#held),
    }));
    const idle = open.find(
      ({ document, signatures }) => signatures.length === 0 && !signatureState(document).isMet,
    );
    if (idle !== undefined && !partial && open.every(({ signatures }) => signatures.length === 0)) {
      throw noKeys(idle.document);
    }
    const orders = open.flatMap(({ signatures }) => signatures.map(({ order }) => order));
    const made = (await this.#parts.signer.sign(orders)).values();
    return open.map(({ document, signatures }) =>
      withSignatures(
        document,
        signatures.map(({ keyid }) => ({ keyid, sig: made.next().value ?? '' })),
      ),
    );
  }

  #stage(pending: Pending): TufWaiting {
    const { role, document } = pending;
    const file = this.#parts.folder.stage(role, document.version, this.#bytes(pending));
    const { good, threshold } = signatureState(pending);
    return { role, version: document.version, good, threshold, file };
  }

  #candidate(pending: Pending): Candidate {
    return { role: pending.role, version: pending.document.version, bytes: this.#bytes(pending) };
  }

  #bytes(pending: Pending): Buffer {
    const bytes = pendingBytes(pending);
    const limit = CLIENT_LIMITS[pending.document.type];
    if (bytes.length <= limit) return bytes;
    throw new AgentError('tuf.document', {
      message: `writing ${pending.role}: it would have ${bytes.length} bytes, and clients read at most ${limit}`,
      hint: 'spread its targets over hash bins: touchstone tuf delegate FOLDER bins --bins 8',
    });
  }

  /** Whoever begins or signs a first root trusts it. */
  #pinFirst(documents: readonly Pending[]): void {
    const { pins, repository } = this.#parts;
    const first = documents.find(({ role }) => role === 'root');
    if (first !== undefined && this.#state === undefined) pins.save(repository, this.#bytes(first));
  }

  /** A first root that waits has to be the one that was begun here, where it was. */
  #requireOwnFirst(documents: readonly Pending[]): void {
    const { pins, repository } = this.#parts;
    const first = documents.find(({ role }) => role === 'root');
    const trusted = this.#state === undefined ? pins.load(repository) : undefined;
    if (first === undefined || trusted === undefined) return;
    if (contentHash(first) === contentHash({ document: readTufRoot(trusted).signed })) return;
    throw new AgentError('tuf.pin', {
      message: `signing root ${first.document.version}: it is not the root that was begun on this machine`,
    });
  }

  /** Reads the folder as a client, and tells the agent which of its versions a client gets. */
  async #noteSeen(): Promise<void> {
    const { folder, repository, signer, pins } = this.#parts;
    const trusted = pins.load(repository);
    if (trusted === undefined || !folder.hasRoot) return;
    const view = readView(folder, trusted);
    const guarded = await signer.guarded(repository);
    for (const { keyRole, file } of view.files) {
      const signed = guarded.get(keyRole)?.signed;
      if (signed?.version !== file.document.version) continue;
      if (signed.sha256 === contentHash(file)) await signer.notePublished(repository, keyRole, signed);
    }
  }
}

function notPinned(repository: string): AgentError {
  return new AgentError('tuf.pin', {
    message: `opening ${repository}: no root of it is trusted on this machine yet`,
    hint: 'get a root from its keyholders, compare its hash with them, and name it once with --root FILE',
  });
}

function isWaiting({ role, document }: Pending): AgentError {
  return new AgentError('tuf.waiting', {
    message: `changing ${role}: version ${document.version} of it waits for signatures`,
  });
}

function noKeys(pending: Pending): AgentError {
  const { role, keyRole, document } = pending;
  const { good, threshold } = signatureState(pending);
  return new AgentError('tuf.keys', {
    message: `signing ${role} ${document.version}: ${good} of ${threshold} signatures are there, and none of its keys is within reach`,
    hint: `the agent would need one of its keys, of the role "${keyRole}"; see "touchstone key list"`,
    details: { role, keyRole },
  });
}
