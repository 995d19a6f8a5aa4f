/** A folder may be an old copy, or one that somebody turned back: what the agent has seen published has to be in it. */
import { AgentError } from '../../errors/agent-error.js';
import type { PublishedLists } from './published.js';
import { contentHash, type SignedFile } from './signed-file.js';
import type { GuardedRole } from './signer.js';
import type { TufState } from './state.js';

const TOP_ROLES: ReadonlySet<string> = new Set(['root', 'targets', 'snapshot', 'timestamp']);

/** @throws AgentError `tuf.rollback` naming the role and both versions */
export function requireNoStepBack(
  state: TufState | undefined,
  lists: PublishedLists | undefined,
  guarded: ReadonlyMap<string, GuardedRole>,
): void {
  const newest = new Map<string, SignedFile>();
  const delegated = new Set<string>();
  for (const { keyRole, newest: file } of state?.roles.values() ?? []) {
    delegated.add(keyRole);
    const known = newest.get(keyRole);
    if (file !== undefined && file.document.version > (known?.document.version ?? 0))
      newest.set(keyRole, file);
  }
  for (const file of [state?.root, lists?.snapshot, lists?.timestamp]) {
    if (file !== undefined) newest.set(file.role, file);
  }
  for (const [role, { published }] of guarded) {
    if (published === undefined) continue;
    // A delegation that is gone was taken out by a document that is compared here, or by one that the snapshot names.
    if (state !== undefined && !TOP_ROLES.has(role) && !delegated.has(role)) continue;
    const file = newest.get(role);
    const version = file?.document.version ?? 0;
    // A list that lost its signatures to a new root is made anew, with a version of its own.
    if (file === undefined && (role === 'snapshot' || role === 'timestamp')) continue;
    if (version < published.version) throw stepBack(role, version, published.version);
    if (file !== undefined && version === published.version && contentHash(file) !== published.sha256) {
      throw new AgentError('tuf.rollback', {
        message: `reading the folder: ${role} ${version} is not the ${role} ${version} that was published`,
      });
    }
  }
}

function stepBack(role: string, version: number, published: number): AgentError {
  const there = version === 0 ? `there is no ${role}` : `the newest ${role} is version ${version}`;
  return new AgentError('tuf.rollback', {
    message: `reading the folder: ${there}, and version ${published} was published`,
    details: { role, version, published },
  });
}
