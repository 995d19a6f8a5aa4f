/**
 * New keys for roles. A leaf is moved to its next epoch by the agent before anything is published, and the root cannot be told in the same
 * moment: when a rotation is interrupted in between, doing it again takes the leaf that is already there.
 */
import { AgentError } from '../errors/agent-error.js';
import { formatKeyName } from '../keys/key-name.js';
import { memberIds, withMembers, withoutMembers } from './delegation-changes.js';
import { Draft, type PublishedState } from './draft.js';
import { requireRootKeys, type InitParts } from './init.js';
import type { Plan, PlanInput } from './publisher.js';
import type { RoleKey } from './role-signer.js';
import { withRole } from './root-changes.js';

export interface RootRotation {
  /** Names of the root keys from now on. */
  readonly rootKeys: readonly string[];
  readonly threshold: number | undefined;
  /** Makes new certificates also where the kept ones are good. */
  readonly renew: boolean;
  readonly certificateDays: number;
}

/** Other root keys, or new certificates for the same ones: signed by the old and by the new. */
export function rootRotationPlan({ server, certificates }: InitParts, rotation: RootRotation): Plan {
  return async ({ base, keys }) => {
    const draft = begin(base);
    const { repository } = server;
    const certified = [];
    for (const key of requireRootKeys(repository, keys, rotation.rootKeys)) {
      certified.push(await certificates.certified(repository, key, rotation.certificateDays, rotation.renew));
    }
    const threshold = rotation.threshold ?? Math.min(draft.root.roles.root.threshold, certified.length);
    draft.setRoot(withRole(draft.root, 'root', { keys: certified, threshold }));
    return draft;
  };
}

/** The leaf of `targets` moves on; what it signed is signed by the new one. */
export function targetsRotationPlan(parts: InitParts): Plan {
  return async (input) => {
    const draft = begin(input.base);
    const { key } = await nextLeaf(parts, input, 'targets', draft.canonicalIdsOf('targets'));
    draft.setRoot(withRole(draft.root, 'targets', { keys: [key], threshold: 1 }));
    draft.edit('targets', (document) => document);
    return draft;
  };
}

/** The snapshot key moves on, where it is or to where it is to be. */
export function snapshotRotationPlan(parts: InitParts, keeper: 'server' | 'client' | undefined): Plan {
  return async (input) => {
    const draft = begin(input.base);
    const ids = draft.canonicalIdsOf('snapshot');
    const isOurs = input.keys.some(
      ({ role, canonicalId }) => role === 'snapshot' && ids.includes(canonicalId),
    );
    const next = keeper ?? (isOurs ? 'client' : 'server');
    const key =
      next === 'server'
        ? await parts.server.rotateServerKey('snapshot')
        : (await nextLeaf(parts, input, 'snapshot', ids)).key;
    draft.setRoot(withRole(draft.root, 'snapshot', { keys: [key], threshold: 1 }));
    return draft;
  };
}

/** The server makes itself a new timestamp key. */
export function timestampRotationPlan({ server }: InitParts): Plan {
  return async ({ base }) => {
    const draft = begin(base);
    const key = await server.rotateServerKey('timestamp');
    draft.setRoot(withRole(draft.root, 'timestamp', { keys: [key], threshold: 1 }));
    return draft;
  };
}

/** The leaf of a delegation moves on, in its own role and in `targets/releases`. @throws AgentError `notary.role` */
export function delegationRotationPlan(parts: InitParts, role: string): Plan {
  return async (input) => {
    const draft = begin(input.base);
    const leaf = await nextLeaf(parts, input, role, draft.canonicalIdsOf(role));
    const name = formatKeyName({ repository: parts.server.repository, role });
    const old = new Set(await parts.signer.retired(name));
    draft.edit('targets', (document) =>
      document.delegations.roles.reduce((changed, { name: one }) => {
        const isHeld = one === role || memberIds(document, one).some((id) => old.has(id));
        return isHeld ? withMembers(withoutMembers(changed, one, old), one, [leaf.key]) : changed;
      }, document),
    );
    if (draft.targetsOf(role) !== undefined) draft.edit(role, (document) => document);
    return draft;
  };
}

function begin(base: PublishedState | undefined): Draft {
  if (base === undefined) throw new AgentError('notary.missing');
  return new Draft(base);
}

/** The leaf that is not yet the role's: the active one after an interrupted rotation, else the next epoch, or the first one of all. */
async function nextLeaf(
  { server, signer }: InitParts,
  { keys }: PlanInput,
  role: string,
  current: readonly string[],
): Promise<RoleKey> {
  const name = formatKeyName({ repository: server.repository, role });
  const active = keys.find((key) => key.name === name);
  if (active === undefined) return signer.derive(name);
  return current.includes(active.canonicalId) ? signer.rotate(name) : active;
}
