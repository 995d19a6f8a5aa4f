/** A collection on its way to its next publish: what readers see now, and the documents that will change. Versions and expiry come later. */
import { AgentError, invariant } from '../errors/agent-error.js';
import type { RoleKeys, RootDocument, TargetsDocument } from '../formats/notary1/document.js';
import { canonicalKeyId, type NotaryKey } from '../formats/notary1/key.js';
import type { SignedDocument } from '../formats/notary1/reader.js';
import { isBaseRole, parentRole } from '../formats/notary1/role-name.js';
import type { Collection } from './collection.js';

/** What is published: the part of a verified collection that the next publish builds on. */
export type PublishedState = Pick<
  Collection,
  'repository' | 'root' | 'timestamp' | 'snapshot' | 'targets' | 'delegations' | 'faults'
>;

/** Keys of one role with what they are. */
export interface RoleMembers extends RoleKeys {
  readonly keys: ReadonlyMap<string, NotaryKey>;
}

/** Targets that nobody has signed yet. */
export const EMPTY_TARGETS: TargetsDocument = {
  type: 'targets',
  version: 0,
  expires: '',
  targets: new Map(),
  delegations: { keys: new Map(), roles: [] },
};

export class Draft {
  readonly base: PublishedState | undefined;
  #root: RootDocument | undefined;
  #givenRoot: SignedDocument<RootDocument> | undefined;
  readonly #edited = new Map<string, TargetsDocument>();
  readonly #dropped = new Set<string>();
  readonly #notes: string[] = [];

  /** @param base undefined for a collection that is not there yet */
  constructor(base: PublishedState | undefined) {
    this.base = base;
  }

  /** Sentences for the person who publishes. */
  get notes(): readonly string[] {
    return this.#notes;
  }

  /** The root as it will be. */
  get root(): RootDocument {
    const root = this.#root ?? this.base?.root.document;
    invariant(root !== undefined, 'a new collection without a root');
    return root;
  }

  /** The root, if this publish changes it. */
  get changedRoot(): RootDocument | undefined {
    return this.#root;
  }

  /** The root as it was signed elsewhere, if this publish brings such a one. */
  get givenRoot(): SignedDocument<RootDocument> | undefined {
    return this.#givenRoot;
  }

  /** Targets and delegations that this publish signs, parents first. */
  get changedTargets(): ReadonlyMap<string, TargetsDocument> {
    return new Map([...this.#edited].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Delegations that are no more. */
  get dropped(): ReadonlySet<string> {
    return this.#dropped;
  }

  get isEmpty(): boolean {
    return this.#root === undefined && this.#edited.size === 0;
  }

  note(sentence: string): void {
    this.#notes.push(sentence);
  }

  setRoot(root: RootDocument): void {
    this.#root = root;
  }

  /** Publishes this root as it is. */
  giveRoot(root: SignedDocument<RootDocument>): void {
    this.#root = root.document;
    this.#givenRoot = root;
  }

  /** Targets of a role as they will be; undefined when nobody has ever signed any. */
  targetsOf(role: string): TargetsDocument | undefined {
    if (this.#dropped.has(role)) return undefined;
    return this.#edited.get(role) ?? this.#published(role);
  }

  /** Changes the targets of a role, or signs them anew when the change changes nothing. */
  edit(role: string, change: (document: TargetsDocument) => TargetsDocument): void {
    this.#edited.set(role, change(this.targetsOf(role) ?? EMPTY_TARGETS));
  }

  /** Forgets a delegation and everything below it. */
  drop(role: string): void {
    for (const known of [role, ...(this.base?.delegations.keys() ?? []), ...this.#edited.keys()]) {
      if (known !== role && !known.startsWith(`${role}/`)) continue;
      this.#edited.delete(known);
      this.#dropped.add(known);
    }
  }

  /**
   * What stands in a role that not enough of its keys have signed. Nobody vouches for it until somebody signs it again.
   */
  underSigned(role: string): TargetsDocument | undefined {
    const fault = this.base?.faults.get(role);
    return fault?.problem === 'under-signed' ? fault.signed.document : undefined;
  }

  /** Whether something stands in the role that is no metadata: it may only be dropped. */
  isUnreadable(role: string): boolean {
    return !this.#dropped.has(role) && this.base?.faults.get(role)?.problem === 'unreadable';
  }

  /** Whether the role is named by its parent. */
  hasRole(role: string): boolean {
    if (isBaseRole(role)) return true;
    return this.targetsOf(parentRole(role))?.delegations.roles.some(({ name }) => name === role) ?? false;
  }

  /** Who signs for a role. @throws AgentError `notary.role` when there is no such role */
  membersOf(role: string): RoleMembers {
    if (isBaseRole(role)) return { ...this.root.roles[role], keys: this.root.keys };
    const parent = this.targetsOf(parentRole(role));
    const named = parent?.delegations.roles.find(({ name }) => name === role);
    if (parent === undefined || named === undefined) {
      throw new AgentError('notary.role', { message: `there is no role ${role} in this repository` });
    }
    return { keyids: named.keyids, threshold: named.threshold, keys: parent.delegations.keys };
  }

  /** Canonical ids of those keys. @throws AgentError `notary.role` */
  canonicalIdsOf(role: string): readonly string[] {
    const { keyids, keys } = this.membersOf(role);
    return keyids.flatMap((id) => {
      const key = keys.get(id);
      return key === undefined ? [] : [canonicalKeyId(key)];
    });
  }

  /** An expired document was signed by whom it should be: its content counts, for whoever renews it. */
  #published(role: string): TargetsDocument | undefined {
    if (role === 'targets') return this.base?.targets.document;
    const fault = this.base?.faults.get(role);
    const expired = fault?.problem === 'expired' ? fault.signed.document : undefined;
    return this.base?.delegations.get(role)?.document ?? expired;
  }
}
