/** From a root that is trusted to the newest one: every step carries the old threshold and its own. */
import { AgentError } from '../../errors/agent-error.js';
import type { TufEnvelope, TufRoot } from './document.js';
import { isExpired } from './expiry.js';
import { countSignatures } from './verify.js';

/** Steps that clients take in one update. */
const MAX_STEPS = 256;

/**
 * The last root of a chain. What lies in between may have expired: an expired root is cured by its successor.
 * @param trusted pinned by whoever calls; it has to carry its own threshold all the same
 * @param next its successors, one version after the other
 * @param now where given, the last root must not have expired by then
 * @throws AgentError `tuf.version`, `tuf.threshold`, `tuf.expired`, `tuf.document`
 */
export function walkRoots(
  trusted: TufEnvelope<TufRoot>,
  next: readonly TufEnvelope<TufRoot>[],
  now?: Date,
): TufEnvelope<TufRoot> {
  requireSignedBy(trusted, trusted.signed);
  if (next.length > MAX_STEPS) {
    throw new AgentError('tuf.version', {
      message: `walking the roots: clients take ${MAX_STEPS} steps at most`,
    });
  }
  const last = next.reduce((current, following) => step(current, following), trusted);
  if (now !== undefined && isExpired(last.signed, now)) {
    const { version, expires } = last.signed;
    throw new AgentError('tuf.expired', {
      message: `walking the roots: root ${version} expired at ${expires}`,
    });
  }
  return last;
}

function step(current: TufEnvelope<TufRoot>, following: TufEnvelope<TufRoot>): TufEnvelope<TufRoot> {
  const [from, to] = [current.signed.version, following.signed.version];
  if (to !== from + 1) {
    throw new AgentError('tuf.version', {
      message: `walking the roots: root ${to} does not follow root ${from}`,
    });
  }
  requireSignedBy(following, current.signed);
  requireSignedBy(following, following.signed);
  return following;
}

function requireSignedBy(root: TufEnvelope<TufRoot>, { keys, roles, version }: TufRoot): void {
  const { good, threshold, isMet } = countSignatures(root, keys, roles.root);
  if (isMet) return;
  throw new AgentError('tuf.threshold', {
    message: `walking the roots: root ${root.signed.version} has ${good.length} of the ${threshold} signatures that root ${version} asks for`,
    details: { version: root.signed.version, by: version },
  });
}
