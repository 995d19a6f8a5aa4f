/** Roles below the top level: who delegates what to whom, and which keys of an agent sign for a role. */
import { AgentError } from '../../errors/agent-error.js';
import { TOP_ROLES, type TopRole, type TufRoleKeys, type TufTargets } from '../../formats/tuf/document.js';
import type { TufKey } from '../../formats/tuf/key.js';
import { binNames, binOf } from './hash-bins.js';
import { pathMatches } from './path-pattern.js';

/** Who signs for a role: key ids and threshold, and the keys that the same document holds. */
export interface TufMembers {
  readonly keys: ReadonlyMap<string, TufKey>;
  readonly role: TufRoleKeys;
}

export interface Delegation extends TufMembers {
  readonly name: string;
  /** Prefix of the bins that it is one of. */
  readonly bins?: string | undefined;
}

/** JavaScript moves names that look like numbers to the front, so clients in it would ask roles in another order. */
const ROLE_NAME = /^[a-z][a-z0-9-]{0,54}$/;
/** 16384 roles: as many as the largest repository in use has. */
const MAX_BITS = 14;

/** Everything that a document delegates, in the order in which clients ask. @throws AgentError `tuf.document` for more bins than this release reads */
export function delegationsOf({ delegations }: TufTargets): readonly Delegation[] {
  if (delegations === undefined) return [];
  const { keys, roles = [], succinctRoles } = delegations;
  if (succinctRoles === undefined) return roles.map((role) => ({ name: role.name, keys, role }));
  if (succinctRoles.bitLength > MAX_BITS) {
    throw new AgentError('tuf.document', {
      message: `reading delegations: more than 2^${MAX_BITS} hash bins`,
    });
  }
  const { namePrefix } = succinctRoles;
  return binNames(succinctRoles).map((name) => ({ name, keys, role: succinctRoles, bins: namePrefix }));
}

/** Whether a document delegates a target to a role, as clients decide it. */
export function isDelegatedTo({ delegations }: TufTargets, role: string, target: string): boolean {
  const { roles = [], succinctRoles } = delegations ?? {};
  if (succinctRoles !== undefined) return binOf(succinctRoles, target) === role;
  const named = roles.find(({ name }) => name === role);
  return named?.paths?.some((pattern) => pathMatches(pattern, target)) ?? false;
}

/** Role of the keys that sign for a role: bins share theirs, under the prefix. */
export function keyRoleOf({ name, bins }: Pick<Delegation, 'name' | 'bins'>): string {
  return isTopRole(name) ? name : `targets/${bins ?? name}`;
}

export function isTopRole(name: string): name is TopRole {
  return (TOP_ROLES as readonly string[]).includes(name);
}

/** @throws AgentError `usage.invalid` for a name that some clients or file systems treat in a way of their own */
export function checkRoleName(name: string): string {
  if (ROLE_NAME.test(name) && !isTopRole(name)) return name;
  throw new AgentError('usage.invalid', {
    message: `the role ${JSON.stringify(name.slice(0, 80))}: a name has the characters a-z 0-9 -, begins with a letter, and is none of ${TOP_ROLES.join(', ')}`,
  });
}
