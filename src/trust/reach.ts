/** Which keys one caller signs with: those of the repository itself, and of the one signer that was named. Never every key there is. */
import { printable } from '../encoding/utf8.js';
import { AgentError } from '../errors/agent-error.js';
import { isBaseRole, parentRole, RELEASES } from '../formats/notary1/role-name.js';
import type { Draft } from './draft.js';
import type { RoleKey } from './role-signer.js';

const SHOWN_PATH = 80;
const SIGNER_NAME = /^[a-z0-9][a-z0-9_-]*$/;

/**
 * Role of a signer: `targets/alice` for `alice`.
 * @throws AgentError `usage.invalid` for a name that docker would not take
 */
export function signerRole(name: string): string {
  if (SIGNER_NAME.test(name) && name !== 'releases') return `targets/${name}`;
  throw new AgentError('usage.invalid', {
    message: `the signer ${JSON.stringify(name.slice(0, 80))}: a name has the characters a-z 0-9 _ - and is not "releases"`,
  });
}

/** The keys of the owner's roles and of the roles named. */
export function keysWithin(all: readonly RoleKey[], roles: readonly string[]): readonly RoleKey[] {
  return all.filter(({ role }) => !role.startsWith('targets/') || role === RELEASES || roles.includes(role));
}

/** Whether enough keys for the role are among these. */
export function isWithinReach(draft: Draft, role: string, keys: readonly RoleKey[]): boolean {
  if (!draft.hasRole(role)) return false;
  const ids = draft.canonicalIdsOf(role);
  const own = keys.filter((one) => one.role === role && ids.includes(one.canonicalId));
  return own.length >= draft.membersOf(role).threshold;
}

/** Prefixes of the names that a role may hold, going by what stands directly above it. */
export function pathsOf(draft: Draft, role: string): readonly string[] {
  if (isBaseRole(role)) return [''];
  const above = draft.targetsOf(parentRole(role))?.delegations.roles ?? [];
  return above.find(({ name }) => name === role)?.paths ?? [];
}

/** Whether readers look at a name in this role: it and every role above it may hold such names. */
export function mayHold(draft: Draft, role: string, name: string): boolean {
  if (!pathsOf(draft, role).some((prefix) => name.startsWith(prefix))) return false;
  return isBaseRole(role) || mayHold(draft, parentRole(role), name);
}

/** Prefixes in words. */
export function shownPaths(paths: readonly string[]): string {
  return paths.map((path) => printable(path, SHOWN_PATH)).join(' or ');
}
