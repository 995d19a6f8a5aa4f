/** Signing again what stands there: because it is about to expire, has expired, or lacks signatures. */
import { AgentError } from '../errors/agent-error.js';
import { canonicalKeyId, type NotaryKey } from '../formats/notary1/key.js';
import { RELEASES } from '../formats/notary1/role-name.js';
import { rootCertificateOf } from '../formats/notary1/root-certificate.js';
import { Draft, type PublishedState } from './draft.js';
import type { InitParts } from './init.js';
import type { Plan, PlanInput } from './publisher.js';
import { isWithinReach } from './reach.js';
import { rebuildConsequence, rebuildReleases, type Agrees } from './releases-rebuild.js';
import { withRole } from './root-changes.js';
import { publishedVersion } from './standing.js';
import { LAST_VERSION } from './stored-version.js';

const SHOWN_TAGS = 20;

/**
 * Signs roles anew, with what is in them. What too few keys have signed is adopted: the person who asks vouches for it.
 * @throws AgentError `notary.missing`, `notary.role`
 */
export function planWitness({ base }: PlanInput, roles: readonly string[]): Draft {
  if (base === undefined) throw new AgentError('notary.missing');
  const draft = new Draft(base);
  for (const role of roles) {
    if (role !== 'targets' && !role.startsWith('targets/')) {
      throw new AgentError('usage.invalid', {
        message: `${role}: targets and the roles below it are witnessed`,
      });
    }
    draft.membersOf(role);
    const doubtful = draft.targetsOf(role) === undefined ? draft.underSigned(role) : undefined;
    if (doubtful === undefined) draft.edit(role, (document) => document);
    else {
      draft.edit(role, () => doubtful);
      const tags = [...doubtful.targets].map(([name, { hashes }]) => `${name} sha256:${hashes.sha256}`);
      const more = tags.length > SHOWN_TAGS ? ` and ${tags.length - SHOWN_TAGS} more` : '';
      draft.note(`${role} vouches for ${tags.slice(0, SHOWN_TAGS).join(', ')}${more}`);
    }
  }
  return draft;
}

export interface Healing {
  /** Whatever expires before it is renewed, milliseconds since 1970. */
  readonly untilMs: number;
  /** Whether `targets/releases` may be made anew where nothing can be built on it. */
  readonly agrees: Agrees;
}

/**
 * Signs anew whatever is due and within reach, and makes anew what is broken where the person agrees; says what it left.
 * @throws AgentError `notary.missing`
 */
export function planHeal({ base, keys }: PlanInput, { untilMs, agrees }: Healing): Draft {
  if (base === undefined) throw new AgentError('notary.missing');
  const draft = new Draft(base);
  const due = rolesDue(base, untilMs);
  for (const role of due) {
    // Every publish brings a snapshot of ours; the server renews its own.
    if (role === 'timestamp') continue;
    const signed = role === 'snapshot' ? 'targets' : role;
    if (publishedVersion(base, signed) >= LAST_VERSION)
      draft.note(`${role} expires, and has no higher version left`);
    else if (!isWithinReach(draft, signed, keys))
      draft.note(`${role} expires, and no key of ${signed} is within reach`);
    else if (signed === 'root') draft.setRoot(draft.root);
    else draft.edit(signed, (document) => document);
  }
  healReleases(draft, agrees);
  return draft;
}

function healReleases(draft: Draft, agrees: Agrees): void {
  const consequence = rebuildConsequence(draft);
  if (consequence === undefined) return;
  if (agrees(consequence)) {
    rebuildReleases(draft, agrees);
    return;
  }
  const repository = draft.base?.repository ?? 'REPOSITORY';
  if (draft.underSigned(RELEASES) !== undefined)
    draft.note(`who vouches for what stands in it: touchstone trust witness ${repository} ${RELEASES}`);
  draft.note(`not done: ${consequence}; if that is meant, add --confirm ${repository}`);
}

/**
 * As `planHeal`, with new certificates for those root keys whose old ones are due.
 * @param certificateDays how long the new ones are valid
 */
export function healPlan(
  { server, certificates }: InitParts,
  healing: Healing,
  certificateDays: number,
): Plan {
  return async (input) => {
    const draft = planHeal(input, healing);
    const { keyids, threshold, keys } = draft.membersOf('root');
    const renewed: NotaryKey[] = [];
    let isRenewed = false;
    for (const id of keyids) {
      const key = keys.get(id);
      if (key === undefined) continue;
      const holder = input.keys.find((one) => one.role === 'root' && one.canonicalId === canonicalKeyId(key));
      const isDue = holder !== undefined && rootCertificateOf(key).notAfter.getTime() <= healing.untilMs;
      isRenewed ||= isDue;
      renewed.push(
        isDue ? await certificates.certified(server.repository, holder, certificateDays, true) : key,
      );
    }
    if (isRenewed) draft.setRoot(withRole(draft.root, 'root', { keys: renewed, threshold }));
    return draft;
  };
}

function rolesDue(base: PublishedState, untilMs: number): readonly string[] {
  const expired = [...base.faults].flatMap(([role, fault]) => (fault.problem === 'expired' ? [role] : []));
  const all = [
    ['root', base.root.document] as const,
    ['targets', base.targets.document] as const,
    ['snapshot', base.snapshot.document] as const,
    ...[...base.delegations].map(([role, { document }]) => [role, document] as const),
  ];
  const due = all.filter(([, { expires }]) => Date.parse(expires) <= untilMs).map(([role]) => role);
  return [...new Set([...due, ...expired])];
}
