/** Roots as this program writes them. Pure. */
import { AgentError } from '../../errors/agent-error.js';
import {
  SPEC_VERSION,
  TOP_ROLES,
  type TopRole,
  type TufRoleKeys,
  type TufRoot,
} from '../../formats/tuf/document.js';
import { spkiOf, tufKeyIdOf, type TufKey } from '../../formats/tuf/key.js';

export interface WantedRole {
  readonly keys: readonly TufKey[];
  readonly threshold: number;
}

export type WantedRoles = Readonly<Record<TopRole, WantedRole>>;

/** A first root, without version and date. @throws AgentError `usage.invalid` for a threshold that cannot be met, or a key that is in two places */
export function firstRoot(wanted: WantedRoles): TufRoot {
  return {
    type: 'root',
    specVersion: SPEC_VERSION,
    version: 0,
    expires: '',
    raw: {},
    consistentSnapshot: true,
    ...rolesOf(wanted),
  };
}

/** The root with other keys or thresholds; everything else stays. @throws AgentError `usage.invalid` */
export function changedRoot(root: TufRoot, change: Partial<WantedRoles>): TufRoot {
  const kept = (role: TopRole): WantedRole => {
    const { keyids, threshold } = root.roles[role];
    return { keys: keyids.flatMap((id) => root.keys.get(id) ?? []), threshold };
  };
  const wanted = Object.fromEntries(TOP_ROLES.map((role) => [role, change[role] ?? kept(role)]));
  return { ...root, consistentSnapshot: true, ...rolesOf(wanted as WantedRoles) };
}

function rolesOf(wanted: WantedRoles): Pick<TufRoot, 'keys' | 'roles'> {
  const keys = new Map<string, TufKey>();
  const entries = TOP_ROLES.map((role): [TopRole, TufRoleKeys] => {
    const { keys: own, threshold } = wanted[role];
    requireSane(role, wanted[role]);
    for (const key of own) keys.set(tufKeyIdOf(key), key);
    return [role, { keyids: own.map(tufKeyIdOf), threshold }];
  });
  requireRootApart(wanted);
  return { keys, roles: Object.fromEntries(entries) as Record<TopRole, TufRoleKeys> };
}

function requireSane(role: string, { keys, threshold }: WantedRole): void {
  const distinct = new Set(keys.map((key) => spkiOf(key).toString('hex'))).size;
  if (distinct !== keys.length) {
    throw new AgentError('usage.invalid', { message: `the keys of ${role}: a key is named twice` });
  }
  if (threshold >= 1 && threshold <= distinct) return;
  throw new AgentError('usage.invalid', {
    message: `the keys of ${role}: ${threshold} of ${distinct} keys can never sign`,
    hint: `name more keys with --key ${role}=KEY, or lower --threshold ${role}=N`,
  });
}

/** What signs every day must not be what decides who signs. */
function requireRootApart(wanted: WantedRoles): void {
  const roots = new Set(wanted.root.keys.map((key) => spkiOf(key).toString('hex')));
  for (const role of TOP_ROLES) {
    if (role === 'root') continue;
    if (wanted[role].keys.some((key) => roots.has(spkiOf(key).toString('hex')))) {
      throw new AgentError('usage.invalid', {
        message: `the keys of ${role}: a root key signs roots and nothing else`,
      });
    }
  }
}
