/**
 * Signing and revoking tags, as changes of a draft. A tag lives in the role of who signed it, and in those that everybody pulls from:
 * `targets/releases` first, then `targets`. What moves or goes, moves or goes in all of them: else some readers silently get the old image.
 */
import { AgentError } from '../errors/agent-error.js';
import type { Target, TargetsDocument } from '../formats/notary1/document.js';
import { Draft } from './draft.js';
import { customText } from './file-target.js';
import type { PlanInput } from './publisher.js';
import { RELEASES } from '../formats/notary1/role-name.js';
import { isWithinReach, mayHold, pathsOf, shownPaths, signerRole } from './reach.js';
import { isSameImage } from './releases-rebuild.js';

/** One tag and what it is to be. */
export interface TagChange {
  readonly name: string;
  /** Undefined takes the tag away. */
  readonly target: Target | undefined;
}

export interface TagOptions {
  /** Who signs, `alice`; without a name the repository itself. */
  readonly signer?: string | undefined;
  /** Exactly these roles, instead of those that follow from the signer. */
  readonly roles?: readonly string[] | undefined;
  /** Roles that a person has agreed to leave with the old image. */
  readonly leave: readonly string[];
  /** What the targets are, for words; an image without it. */
  readonly noun?: 'image' | 'file' | undefined;
}

/** Roles that docker pulls from, first one first. */
const PULLED = [RELEASES, 'targets'] as const;

/**
 * Signs or revokes tags.
 * @throws AgentError `notary.missing`, `notary.role`, `notary.paths`, `notary.left-behind`, `notary.threshold`, `usage.invalid` when nobody was named in a repository of several signers
 */
export function planTags(input: PlanInput, changes: readonly TagChange[], options: TagOptions): Draft {
  const { base, keys } = input;
  if (base === undefined) throw new AgentError('notary.missing');
  const draft = new Draft(base);
  for (const change of changes) {
    for (const role of rolesToSign(draft, change, options)) {
      requireUsable(draft, role);
      if (change.target !== undefined) requireHoldable(draft, role, change.name);
      if (needsChange(draft, role, change)) draft.edit(role, (document) => withTag(document, change));
    }
    if (options.roles === undefined) movePulled(draft, change, keys, options);
  }
  return draft;
}

/** Names of all tags that the roles of this caller or of everybody's pulls hold. */
export function tagsOf({ base }: PlanInput, { signer, roles }: TagOptions): readonly string[] {
  if (base === undefined) throw new AgentError('notary.missing');
  const draft = new Draft(base);
  const looked = roles ?? [...PULLED, ...(signer === undefined ? [] : [signerRole(signer)])];
  return [...new Set(looked.flatMap((role) => [...(draft.targetsOf(role)?.targets.keys() ?? [])]))].sort();
}

function rolesToSign(draft: Draft, { target }: TagChange, options: TagOptions): readonly string[] {
  if (options.roles !== undefined) return options.roles;
  const delegations = draft.targetsOf('targets')?.delegations.roles ?? [];
  if (options.signer !== undefined) return [signerRole(options.signer)];
  if (delegations.length === 0) return ['targets'];
  if (target === undefined) return [];
  const names = delegations.flatMap(({ name }) => (name === RELEASES ? [] : [name.replace('targets/', '')]));
  throw new AgentError('usage.invalid', {
    message: `${draft.base?.repository ?? 'the repository'} has several signers: who signs?`,
    hint: `add --as ${names.join(' or --as ')}, or name the roles with --role`,
    details: { signers: names },
  });
}

/** A new signature vouches for all that stands in a role: what nobody vouches for now is not signed by the way. */
function requireUsable(draft: Draft, role: string): void {
  draft.membersOf(role);
  if (draft.isUnreadable(role)) {
    throw new AgentError('notary.document', {
      message: `${role}: what its signers have published cannot be read, and signing it anew would lose every tag in it`,
      hint: `remove who published it: touchstone trust signer remove ${draft.base?.repository ?? 'REPOSITORY'} NAME`,
      details: { role },
    });
  }
  const doubtful = draft.underSigned(role);
  if (doubtful === undefined || draft.targetsOf(role) !== undefined) return;
  throw new AgentError('notary.threshold', {
    message: `${role}: not enough of its keys have signed what stands in it`,
    hint: `look at it with "touchstone trust inspect ${draft.base?.repository ?? ''}"; who vouches for it runs "touchstone trust witness"`,
    details: { role },
  });
}

/** Readers would pass over it without a word. */
function requireHoldable(draft: Draft, role: string, name: string): void {
  if (mayHold(draft, role, name)) return;
  throw new AgentError('notary.paths', {
    message: `signing ${name}: ${role} may hold only names that begin with ${shownPaths(pathsOf(draft, role))}`,
    details: { role, tag: name },
  });
}

function needsChange(draft: Draft, role: string, { name, target }: TagChange): boolean {
  const held = draft.targetsOf(role)?.targets.get(name);
  if (target === undefined) return held !== undefined;
  return !isHeld(held, target);
}

/** Whether a role has all that is to be signed; further hashes and custom data of others do not matter. */
function isHeld(held: Target | undefined, { hashes, length, custom }: Target): boolean {
  if (held === undefined || !isSameImage(held, { hashes, length })) return false;
  if (hashes.sha512 !== undefined && hashes.sha512 !== held.hashes.sha512) return false;
  return custom === undefined || customText(custom) === customText(held.custom);
}

function withTag(document: TargetsDocument, { name, target }: TagChange): TargetsDocument {
  const targets = new Map(document.targets);
  if (target === undefined) targets.delete(name);
  else targets.set(name, target);
  return { ...document, targets };
}

/** The roles that everybody pulls from follow; `targets` gives up what `targets/releases` has. */
function movePulled(draft: Draft, change: TagChange, keys: PlanInput['keys'], options: TagOptions): void {
  const releasing = draft.hasRole(RELEASES) ? RELEASES : 'targets';
  for (const role of PULLED) {
    if (!draft.hasRole(role)) continue;
    requireUsable(draft, role);
    const held = draft.targetsOf(role)?.targets.get(change.name);
    const isReleasing = role === releasing && change.target !== undefined;
    if (held === undefined && !isReleasing) continue;
    if (change.target !== undefined && isHeld(held, change.target)) continue;
    if (isWithinReach(draft, role, keys) && (held !== undefined || mayHold(draft, role, change.name)))
      draft.edit(role, (document) => withTag(document, followed(draft, role, change)));
    else if (held === undefined) noteUnreleased(draft, change, releasing);
    else if (options.leave.includes(role)) draft.note(`${role} keeps the old ${change.name}`);
    else throw leftBehind(role, change, options.noun ?? 'image');
  }
}

function noteUnreleased(draft: Draft, { name, target }: TagChange, role: string): void {
  if (isSameImage(draft.targetsOf('targets')?.targets.get(name), target)) return;
  const why = mayHold(draft, role, name) ? `no key of ${role} is within reach` : `${role} may not hold it`;
  draft.note(`${name} is approved, and not released: ${why}`);
}

/** Two places for one tag are one too many: the next signer might reach only one of them. */
function followed(draft: Draft, role: string, change: TagChange): TagChange {
  const released = draft.targetsOf(RELEASES)?.targets.get(change.name);
  const isReleased = role === 'targets' && isSameImage(released, change.target);
  return isReleased ? { name: change.name, target: undefined } : change;
}

function leftBehind(role: string, { name, target }: TagChange, noun: string): AgentError {
  const done = target === undefined ? 'revoking' : 'moving';
  return new AgentError('notary.left-behind', {
    message: `${done} ${name}: readers would go on taking the old ${noun} from ${role}, and no key of it is within reach`,
    hint: `have somebody who can sign for ${role} do it; or accept that readers get the old ${noun} with --leave ${role}`,
    details: { role, tag: name },
  });
}
