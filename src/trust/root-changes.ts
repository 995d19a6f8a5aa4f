/** Changes of the root: which keys the four roles have. Pure. */
import { AgentError } from '../errors/agent-error.js';
import type { RoleKeys, RootDocument } from '../formats/notary1/document.js';
import { tufKeyId, type NotaryKey } from '../formats/notary1/key.js';
import { BASE_ROLES, type BaseRole } from '../formats/notary1/role-name.js';

/** Keys of a role; those of root with their certificates. */
export interface RoleChoice {
  readonly keys: readonly NotaryKey[];
  readonly threshold: number;
}

/** The root of a new repository. @throws AgentError `usage.invalid` for a threshold that cannot be met */
export function firstRoot(choices: Readonly<Record<BaseRole, RoleChoice>>): RootDocument {
  const empty: RoleKeys = { keyids: [], threshold: 1 };
  const blank: RootDocument = {
    type: 'root',
    version: 0,
    expires: '',
    consistentSnapshot: false,
    keys: new Map(),
    roles: { root: empty, targets: empty, snapshot: empty, timestamp: empty },
  };
  return BASE_ROLES.reduce((root, role) => withRole(root, role, choices[role]), blank);
}

/**
 * The root with other keys for one role. Keys that no role has any more go, but for certificates of root keys: with them the old key can
 * still be recognised by readers that lag behind.
 * @throws AgentError `usage.invalid` for a threshold that cannot be met
 */
export function withRole(root: RootDocument, role: BaseRole, { keys, threshold }: RoleChoice): RootDocument {
  const named = new Map(keys.map((key) => [tufKeyId(key), key]));
  if (threshold < 1 || threshold > named.size) {
    throw new AgentError('usage.invalid', {
      message: `${role}: a threshold of ${threshold} cannot be met with ${named.size} keys`,
    });
  }
  const roles = { ...root.roles, [role]: { keyids: [...named.keys()], threshold } };
  const kept = new Set([...BASE_ROLES.flatMap((one) => roles[one].keyids), ...root.roles.root.keyids]);
  const all = new Map([...root.keys, ...named]);
  return { ...root, roles, keys: new Map([...all].filter(([id]) => kept.has(id))) };
}
