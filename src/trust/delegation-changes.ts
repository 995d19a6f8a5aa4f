/** Roles below a role, as data: adding and taking away keys. Pure. */
import type { DelegationRole, TargetsDocument } from '../formats/notary1/document.js';
import { canonicalKeyId, tufKeyId, type NotaryKey } from '../formats/notary1/key.js';
import { bareIdOf } from './collection.js';

/**
 * The role with these keys in addition; made, with a threshold of one, where it is missing.
 * @param paths prefixes of the names it may hold, in addition to those it has; a new role without any may hold all
 */
export function withMembers(
  document: TargetsDocument,
  name: string,
  members: readonly NotaryKey[],
  paths: readonly string[] = [],
): TargetsDocument {
  const { roles, keys } = document.delegations;
  const before: DelegationRole = roles.find((role) => role.name === name) ?? {
    name,
    keyids: [],
    threshold: 1,
    paths: paths.length === 0 ? [''] : [],
  };
  const known = new Set(before.keyids.map((id) => canonicalOf(keys.get(id), id)));
  const unique = new Map(members.map((key) => [canonicalKeyId(key), key]));
  const added = [...unique].flatMap(([id, key]) => (known.has(id) ? [] : [key]));
  const changed = {
    ...before,
    keyids: [...before.keyids, ...added.map(tufKeyId)],
    paths: [...new Set([...before.paths, ...paths])],
  };
  const all = new Map([...keys, ...added.map((key) => [tufKeyId(key), key] as const)]);
  return rebuilt(document, replaced(roles, changed), all);
}

/** The role without these keys, whatever certificates they are wrapped in. */
export function withoutMembers(
  document: TargetsDocument,
  name: string,
  canonicalIds: ReadonlySet<string>,
): TargetsDocument {
  const { roles, keys } = document.delegations;
  const changed = roles.map((role) =>
    role.name === name
      ? { ...role, keyids: role.keyids.filter((id) => !canonicalIds.has(canonicalOf(keys.get(id), id))) }
      : role,
  );
  return rebuilt(document, changed, keys);
}

/** Without the role. */
export function withoutRole(document: TargetsDocument, name: string): TargetsDocument {
  const { roles, keys } = document.delegations;
  return rebuilt(
    document,
    roles.filter((role) => role.name !== name),
    keys,
  );
}

/** Canonical ids of the keys of a role. */
export function memberIds({ delegations }: TargetsDocument, name: string): readonly string[] {
  const role = delegations.roles.find((one) => one.name === name);
  return (role?.keyids ?? []).map((id) => canonicalOf(delegations.keys.get(id), id));
}

function replaced(roles: readonly DelegationRole[], changed: DelegationRole): readonly DelegationRole[] {
  return roles.some(({ name }) => name === changed.name)
    ? roles.map((role) => (role.name === changed.name ? changed : role))
    : [...roles, changed];
}

/** Keys that no role has go. */
function rebuilt(
  document: TargetsDocument,
  roles: readonly DelegationRole[],
  keys: ReadonlyMap<string, NotaryKey>,
): TargetsDocument {
  const used = new Set(roles.flatMap(({ keyids }) => keyids));
  return { ...document, delegations: { roles, keys: new Map([...keys].filter(([id]) => used.has(id))) } };
}

function canonicalOf(key: NotaryKey | undefined, id: string): string {
  return (key === undefined ? undefined : bareIdOf(key)) ?? id;
}
