/** Delegations that come, change and go. Pure. */
import { AgentError } from '../../errors/agent-error.js';
import type { TufDelegatedRole, TufDelegations, TufTargets } from '../../formats/tuf/document.js';
import { tufKeyIdOf, type TufKey } from '../../formats/tuf/key.js';
import { checkPathPattern } from './path-pattern.js';
import { checkRoleName } from './roles.js';
import type { TufState } from './state.js';
import { documentOf } from './target-changes.js';

export interface WantedDelegation {
  readonly name: string;
  /** Empty to keep those it has. */
  readonly keys: readonly TufKey[];
  /** Undefined to keep what it is; 1 for a new role. */
  readonly threshold: number | undefined;
  /** Empty to keep those it has. */
  readonly paths: readonly string[];
  /** Undefined to keep what it is; false for a new role. */
  readonly terminating: boolean | undefined;
}

export interface WantedBins {
  readonly prefix: string;
  /** 1 to 14. */
  readonly bits: number;
  readonly keys: readonly TufKey[];
  readonly threshold: number;
}

/**
 * The delegating document with a role that is new, or changed.
 * @throws AgentError `usage.invalid` for a name, a pattern or a threshold that does not do, `tuf.role`
 */
export function withDelegation(state: TufState, from: string, wanted: WantedDelegation): TufTargets {
  const { document } = documentOf(state, from);
  const { name, keys, threshold, paths, terminating } = wanted;
  checkRoleName(name);
  const { roles, known } = namedRoles(document, from);
  const before = roles.find((role) => role.name === name);
  if (before === undefined) requireFree(state, name);
  for (const pattern of paths) checkPathPattern(pattern);
  const role: TufDelegatedRole = {
    ...before,
    name,
    keyids: keys.length === 0 ? (before?.keyids ?? []) : keys.map(tufKeyIdOf),
    threshold: threshold ?? before?.threshold ?? 1,
    paths: paths.length === 0 ? (before?.paths ?? []) : paths,
    terminating: terminating ?? before?.terminating ?? false,
  };
  requireSane(role);
  if (role.paths?.length === 0 && role.pathHashPrefixes === undefined) {
    throw new AgentError('usage.invalid', {
      message: `delegating to ${name}: at least one --path is needed`,
      hint: 'write for example --path "releases/*"',
    });
  }
  const all = before === undefined ? [...roles, role] : roles.map((one) => (one === before ? role : one));
  return { ...document, delegations: pruned({ keys: withKeys(known, keys), roles: all }) };
}

/** The delegating document with hash bins below it. @throws AgentError `usage.invalid`, `tuf.role` */
export function withBins(state: TufState, from: string, wanted: WantedBins): TufTargets {
  const { document } = documentOf(state, from);
  const { prefix, bits, keys, threshold } = wanted;
  checkRoleName(prefix);
  const { delegations } = document;
  if (delegations?.succinctRoles !== undefined || (delegations?.roles?.length ?? 0) > 0) {
    throw new AgentError('usage.invalid', {
      message: `making hash bins: ${from} delegates already, and clients read one kind of delegation in a document`,
      hint: 'delegate a path to a role of its own, and make the bins below that one with --from',
    });
  }
  for (const name of state.roles.keys()) if (name.startsWith(`${prefix}-`)) requireFree(state, name);
  const succinctRoles = { keyids: keys.map(tufKeyIdOf), threshold, bitLength: bits, namePrefix: prefix };
  requireSane({ ...succinctRoles, name: prefix });
  return { ...document, delegations: { keys: withKeys(new Map(), keys), succinctRoles } };
}

/** The delegating document without a role. @throws AgentError `tuf.role` */
export function withoutDelegation(state: TufState, from: string, name: string): TufTargets {
  const { document } = documentOf(state, from);
  const { delegations } = document;
  if (delegations?.succinctRoles?.namePrefix === name)
    return { ...document, delegations: { keys: new Map(), roles: [] } };
  const roles = delegations?.roles ?? [];
  const left = roles.filter((role) => role.name !== name);
  if (left.length === roles.length) {
    throw new AgentError('tuf.role', { message: `removing ${name}: ${from} does not delegate to it` });
  }
  return { ...document, delegations: pruned({ keys: delegations?.keys ?? new Map(), roles: left }) };
}

function namedRoles(
  { delegations }: TufTargets,
  from: string,
): { roles: readonly TufDelegatedRole[]; known: ReadonlyMap<string, TufKey> } {
  if (delegations?.succinctRoles !== undefined) {
    throw new AgentError('usage.invalid', {
      message: `delegating from ${from}: it has hash bins, and clients read one kind of delegation in a document`,
    });
  }
  return { roles: delegations?.roles ?? [], known: delegations?.keys ?? new Map<string, TufKey>() };
}

/** Metadata files are named by role, so a name belongs to one role in the whole repository. */
function requireFree({ roles }: TufState, name: string): void {
  if (!roles.has(name)) return;
  throw new AgentError('usage.invalid', {
    message: `delegating to ${name}: a role of this name is delegated to from ${roles.get(name)?.delegator ?? 'root'}`,
  });
}

function requireSane({
  name,
  keyids,
  threshold,
}: Pick<TufDelegatedRole, 'name' | 'keyids' | 'threshold'>): void {
  if (new Set(keyids).size !== keyids.length) {
    throw new AgentError('usage.invalid', { message: `delegating to ${name}: a key is named twice` });
  }
  if (threshold >= 1 && threshold <= keyids.length) return;
  throw new AgentError('usage.invalid', {
    message: `delegating to ${name}: ${threshold} of ${keyids.length} keys can never sign`,
  });
}

function withKeys(known: ReadonlyMap<string, TufKey>, keys: readonly TufKey[]): ReadonlyMap<string, TufKey> {
  return new Map([...known, ...keys.map((key) => [tufKeyIdOf(key), key] as const)]);
}

/** Without keys that no role names. */
function pruned({ keys, roles = [] }: TufDelegations): TufDelegations {
  const used = new Set(roles.flatMap(({ keyids }) => keyids));
  return { keys: new Map([...keys].filter(([id]) => used.has(id))), roles };
}
