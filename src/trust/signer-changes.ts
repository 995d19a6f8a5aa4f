/**
 * Taking a signer in and letting one go. A signer has a role of the own name, `targets/alice`, and releases through `targets/releases`.
 * With the first signer the tags of `targets` move there: a tag that stands in both places is rolled back by the next signer who reaches
 * only one of them. The owner's own leaf is a member of `targets/releases`, so that it never hangs on somebody who leaves.
 */
import { AgentError } from '../errors/agent-error.js';
import { canonicalKeyId, type NotaryKey } from '../formats/notary1/key.js';
import { memberIds, withMembers, withoutMembers, withoutRole } from './delegation-changes.js';
import { Draft } from './draft.js';
import type { PlanInput } from './publisher.js';
import { RELEASES } from '../formats/notary1/role-name.js';
import { isWithinReach, pathsOf, shownPaths, signerRole } from './reach.js';
import { rebuildReleases, releasesFault, type Agrees } from './releases-rebuild.js';
import type { RoleKey } from './role-signer.js';

export interface NewSigner {
  /** `alice` */
  readonly name: string;
  /** Keys that sign as this person. */
  readonly keys: readonly NotaryKey[];
  /** Keys with which the person releases. Those that are not the owner's are listed in both roles, so that they leave with the person. */
  readonly releaseKeys: readonly NotaryKey[];
  /** Prefixes of the names that the person may sign; all without any. Whoever is held to some of them releases nothing. */
  readonly paths?: readonly string[] | undefined;
}

/**
 * Adds a signer, or keys to one.
 * @param owner the owner's leaf for `targets/releases`
 * @throws AgentError `notary.missing`, `usage.invalid`, `notary.rebuild` where `targets/releases` has to be made anew first, `notary.paths`
 *   where somebody would get more than was said
 */
export function planSignerAdd({ base, keys }: PlanInput, signer: NewSigner, owner: RoleKey): Draft {
  if (base === undefined) throw new AgentError('notary.missing');
  const draft = new Draft(base);
  const role = signerRole(signer.name);
  const { paths = [] } = signer;
  requireSamePaths(draft, role, paths);
  if (paths.length > 0) {
    draft.edit('targets', (document) => withMembers(document, role, signer.keys, paths));
    noteHeldToPaths(draft, signer.name, role);
    return draft;
  }
  const foreign = signer.releaseKeys.filter((key) => canonicalKeyId(key) !== owner.canonicalId);
  draft.edit('targets', (document) => {
    const named = withMembers(document, role, [...signer.keys, ...foreign]);
    return withMembers(named, RELEASES, [owner.key, ...signer.releaseKeys]);
  });
  requireSoundReleases(draft);
  gatherReleases(draft, [...keys, owner]);
  return draft;
}

export interface LeavingSigner {
  /** `alice` */
  readonly name: string;
  /** The owner's leaf for `targets/releases`. */
  readonly owner: RoleKey;
  /** Whether what the signer has broken in `targets/releases` may be made anew. */
  readonly agrees: Agrees;
}

/**
 * Removes a signer: the role, its keys in `targets/releases`, and the signature that those keys may have left there.
 * @throws AgentError `notary.missing`, `notary.role`, `notary.rebuild`
 */
export function planSignerRemove({ base, keys }: PlanInput, { name, owner, agrees }: LeavingSigner): Draft {
  if (base === undefined) throw new AgentError('notary.missing');
  const draft = new Draft(base);
  const role = signerRole(name);
  draft.membersOf(role);
  const targets = base.targets.document;
  const others = targets.delegations.roles.filter((one) => one.name !== role && one.name !== RELEASES);
  const staying = new Set(others.flatMap((one) => memberIds(targets, one.name)));
  const leaving = new Set(memberIds(targets, role).filter((id) => !staying.has(id)));
  const approved = draft.targetsOf(role)?.targets ?? new Map<string, never>();
  draft.edit('targets', (document) => {
    const without = withoutMembers(withoutRole(document, role), RELEASES, leaving);
    return draft.hasRole(RELEASES) ? withMembers(without, RELEASES, [owner.key]) : without;
  });
  draft.drop(role);
  rebuildReleases(draft, agrees);
  if (draft.hasRole(RELEASES)) gatherReleases(draft, [...keys, owner]);
  noteStillReleased(draft, name, [...approved.keys()]);
  return draft;
}

/** A role with paths is not widened by the way, nor one without them narrowed: what stands in it was signed as it is. */
function requireSamePaths(draft: Draft, role: string, paths: readonly string[]): void {
  if (!draft.hasRole(role)) return;
  const before = pathsOf(draft, role);
  const isWide = before.includes('');
  if (isWide === (paths.length === 0)) return;
  const repository = draft.base?.repository ?? 'REPOSITORY';
  const name = role.replace('targets/', '');
  throw new AgentError('notary.paths', {
    message: isWide
      ? `${role} is there already, and may hold every name`
      : `${role} is there already, and may hold only names that begin with ${shownPaths(before)}`,
    hint: isWide
      ? `remove the signer first: touchstone trust signer remove ${name} ${repository}`
      : 'name a --path; or remove the signer first, and add them for all names',
    details: { role, paths: before },
  });
}

function noteHeldToPaths(draft: Draft, name: string, role: string): void {
  const paths = shownPaths(pathsOf(draft, role));
  draft.note(
    `${name} signs only names that begin with ${paths}, and releases nothing: pulls take what others release`,
  );
  draft.note(
    `docker refuses other names of ${name} with "no valid signing keys for delegation roles", notary with "Could not add all targets"`,
  );
}

/** Taking somebody in is not the moment to give up what stands there. */
function requireSoundReleases(draft: Draft): void {
  const fault = releasesFault(draft);
  if (fault === undefined) return;
  const repository = draft.base?.repository ?? 'REPOSITORY';
  throw new AgentError('notary.rebuild', {
    message: `${RELEASES} ${fault}: nobody can be taken in before that is put right`,
    hint: `see what would become of it: touchstone trust heal ${repository}`,
    details: { repository, role: RELEASES },
  });
}

/** Signs `targets/releases` anew with everything that is released, and leaves nothing of it in `targets`. */
function gatherReleases(draft: Draft, keys: readonly RoleKey[]): void {
  if (!isWithinReach(draft, RELEASES, keys)) {
    throw new AgentError('notary.keys', { message: `${RELEASES}: more than one of its keys has to sign` });
  }
  const inTargets = draft.targetsOf('targets')?.targets ?? new Map<string, never>();
  draft.edit(RELEASES, (document) => ({
    ...document,
    targets: new Map([...inTargets, ...document.targets]),
  }));
  if (inTargets.size === 0) return;
  draft.edit('targets', (document) => ({ ...document, targets: new Map() }));
  draft.note(`tags of targets stand in ${RELEASES} now`);
}

function noteStillReleased(draft: Draft, name: string, tags: readonly string[]): void {
  const released = draft.targetsOf(RELEASES)?.targets;
  const still = tags.filter((tag) => released?.has(tag) === true);
  if (still.length > 0) draft.note(`still released, and no longer signed by ${name}: ${still.join(', ')}`);
}
