/** Every role of a repository in one list: version, date, keys, and which of them signed. */
import type { RoleKeys } from '../formats/notary1/document.js';
import type { NotaryKey, NotaryKeyType } from '../formats/notary1/key.js';
import type { SignedDocument } from '../formats/notary1/reader.js';
import { signersOf } from '../formats/notary1/signature.js';
import { bareIdOf, grantOf, type Collection, type DelegationFault } from './collection.js';

export interface RoleKeyView {
  /** Of the key as the metadata holds it. */
  readonly id: string;
  /** Of the bare public key. */
  readonly canonicalId: string;
  readonly type: NotaryKeyType;
  readonly signed: boolean;
}

export interface RoleView {
  readonly role: string;
  /** Undefined for a delegation that is not published. */
  readonly version: number | undefined;
  readonly expires: string | undefined;
  readonly threshold: number;
  readonly keys: readonly RoleKeyView[];
  /** Of a delegation: prefixes of the tags it may hold. */
  readonly paths: readonly string[] | undefined;
  readonly problem: DelegationFault['problem'] | undefined;
}

/** The four roles of every repository, then delegations depth first, then those that are left out. */
export function roleViews(collection: Collection): readonly RoleView[] {
  const { keys, roles } = collection.root.document;
  const base = (['root', 'targets', 'snapshot', 'timestamp'] as const).map((role) =>
    viewOf(role, roles[role], keys, collection[role]),
  );
  const delegated = [...collection.delegations].map(([role, signed]) =>
    delegationView(collection, role, signed, undefined),
  );
  const faulty = [...collection.faults].map(([role, fault]) =>
    delegationView(collection, role, 'signed' in fault ? fault.signed : undefined, fault.problem),
  );
  return [...base, ...delegated, ...faulty].map((view) =>
    collection.expired.includes(view.role) ? { ...view, problem: 'expired' } : view,
  );
}

function delegationView(
  collection: Collection,
  role: string,
  signed: SignedDocument | undefined,
  problem: RoleView['problem'],
): RoleView {
  const grant = grantOf(collection, role);
  const members = grant?.role ?? { keyids: [], threshold: 1, paths: [] };
  return { ...viewOf(role, members, grant?.keys ?? new Map(), signed), paths: members.paths, problem };
}

function viewOf(
  role: string,
  { keyids, threshold }: RoleKeys,
  keys: ReadonlyMap<string, NotaryKey>,
  signed: SignedDocument | undefined,
): RoleView {
  const signers = signed === undefined ? [] : signersOf(signed.signedBytes, signed.signatures, keyids, keys);
  return {
    role,
    version: signed?.document.version,
    expires: signed?.document.expires,
    threshold,
    keys: keyids.flatMap((id) => {
      const key = keys.get(id);
      if (key === undefined) return [];
      return [{ id, canonicalId: bareIdOf(key) ?? id, type: key.keytype, signed: signers.includes(id) }];
    }),
    paths: undefined,
    problem: undefined,
  };
}
