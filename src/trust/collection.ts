/** The verified view of one repository: everything in here has passed every check of a reader. */
import type {
  DelegationRole,
  RootDocument,
  SnapshotDocument,
  Target,
  TargetsDocument,
  TimestampDocument,
} from '../formats/notary1/document.js';
import { canonicalKeyId, type NotaryKey } from '../formats/notary1/key.js';
import type { SignedDocument } from '../formats/notary1/reader.js';
import { parentRole } from '../formats/notary1/role-name.js';
import { signersOf } from '../formats/notary1/signature.js';

/** Why a delegation is left out, and its targets with it. */
export type DelegationFault =
  | { readonly problem: 'expired' | 'under-signed'; readonly signed: SignedDocument<TargetsDocument> }
  /** What its signers have published is no metadata, or too much of it; its version, where the file has one. */
  | { readonly problem: 'unreadable'; readonly version: number | undefined }
  /** Delegated, but nothing of it is in the snapshot. */
  | { readonly problem: 'not-published' };

export interface Collection {
  readonly repository: string;
  readonly root: SignedDocument<RootDocument>;
  readonly timestamp: SignedDocument<TimestampDocument>;
  readonly snapshot: SignedDocument<SnapshotDocument>;
  readonly targets: SignedDocument<TargetsDocument>;
  /** Depth first, as readers search. */
  readonly delegations: ReadonlyMap<string, SignedDocument<TargetsDocument>>;
  readonly faults: ReadonlyMap<string, DelegationFault>;
  /** Roles past their date; empty unless that was tolerated. */
  readonly expired: readonly string[];
  /** Why the first root was believed: `first-use` or the pin. */
  readonly anchor: string;
  /** Lines for people. */
  readonly warnings: readonly string[];
}

/** The document of `targets` or of a delegation; undefined when it is not part of the view. */
export function targetsOf(collection: Collection, role: string): SignedDocument<TargetsDocument> | undefined {
  return role === 'targets' ? collection.targets : collection.delegations.get(role);
}

/** What a parent grants to a delegation: its keys, threshold, and the paths that are left of its own. */
export interface Grant {
  readonly role: DelegationRole;
  readonly keys: ReadonlyMap<string, NotaryKey>;
}

/** The grant for a delegation, undefined when nobody in the view delegates to it. */
export function grantOf(collection: Collection, name: string): Grant | undefined {
  const parent = parentRole(name);
  const document = targetsOf(collection, parent)?.document;
  if (document === undefined) return undefined;
  const paths = parent === 'targets' ? [''] : (grantOf(collection, parent)?.role.paths ?? []);
  return grantsIn(document, parent, paths).find(({ role }) => role.name === name);
}

/** Grants of one document, without those that are not directly below it; of two for one name the first counts. */
export function grantsIn(
  { delegations }: TargetsDocument,
  parent: string,
  parentPaths: readonly string[],
): readonly Grant[] {
  const names = new Set<string>();
  return delegations.roles.flatMap((role) => {
    if (parentRole(role.name) !== parent || names.has(role.name)) return [];
    names.add(role.name);
    const paths = role.paths.filter((path) => parentPaths.some((prefix) => path.startsWith(prefix)));
    return [{ role: { ...role, paths }, keys: delegations.keys }];
  });
}

/** Targets of a role that readers see: a delegation's only below its paths. */
export function visibleTargets(collection: Collection, role: string): ReadonlyMap<string, Target> {
  const document = targetsOf(collection, role)?.document;
  if (document === undefined) return new Map();
  if (role === 'targets') return document.targets;
  const paths = grantOf(collection, role)?.role.paths ?? [];
  return new Map([...document.targets].filter(([name]) => paths.some((prefix) => name.startsWith(prefix))));
}

/** Canonical ids of the keys that signed the document of `targets` or of a delegation. */
export function signersOfRole(collection: Collection, role: string): readonly string[] {
  const signed = targetsOf(collection, role);
  if (signed === undefined) return [];
  const { document: root } = collection.root;
  const grant =
    role === 'targets' ? { role: root.roles.targets, keys: root.keys } : grantOf(collection, role);
  if (grant === undefined) return [];
  const ids = signersOf(signed.signedBytes, signed.signatures, grant.role.keyids, grant.keys);
  return ids.flatMap((id) => {
    const key = grant.keys.get(id);
    return key === undefined ? [] : [canonicalKeyId(key)];
  });
}

/** Canonical id of a key, undefined for one that cannot be read: it signs nothing, and hides nothing else. */
export function bareIdOf(key: NotaryKey): string | undefined {
  try {
    return canonicalKeyId(key);
  } catch {
    return undefined;
  }
}
