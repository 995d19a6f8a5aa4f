/**
 * `targets/releases` made anew, for when nothing can be built on what stands there: it is no metadata, nobody of its keys has signed it, or
 * it has the highest version there is. What is lost is a person's decision, so it happens only to the words that the person has seen.
 */
import { AgentError } from '../errors/agent-error.js';
import type { Target } from '../formats/notary1/document.js';
import { RELEASES } from '../formats/notary1/role-name.js';
import { withoutRole } from './delegation-changes.js';
import { EMPTY_TARGETS, type Draft } from './draft.js';
import { publishedVersion } from './standing.js';
import { LAST_VERSION } from './stored-version.js';

/** Whether the person who asks has agreed to exactly this sentence. */
export type Agrees = (consequence: string) => boolean;

type Tags = ReadonlyMap<string, Target>;

const SHOWN_TAGS = 20;

/** What is wrong with `targets/releases`, in words; undefined when it can be built on. */
export function releasesFault(draft: Draft): string | undefined {
  if (!draft.hasRole(RELEASES)) return undefined;
  if (draft.isUnreadable(RELEASES)) return 'cannot be read';
  if (publishedVersion(draft.base, RELEASES) >= LAST_VERSION) return 'has the highest version there is';
  const isDoubtful = draft.targetsOf(RELEASES) === undefined && draft.underSigned(RELEASES) !== undefined;
  return isDoubtful ? 'was not signed by enough of its keys' : undefined;
}

/** What would become of it, in words for the person. Undefined when nothing is wrong. */
export function rebuildConsequence(draft: Draft): string | undefined {
  const fault = releasesFault(draft);
  if (fault === undefined) return undefined;
  const tags = vouchedFor(draft);
  const listed = [...tags].map(([name, { hashes }]) => `${name} sha256:${hashes.sha256}`);
  const more = listed.length > SHOWN_TAGS ? ` and ${listed.length - SHOWN_TAGS} more` : '';
  const words = listed.length === 0 ? 'nothing' : `${listed.slice(0, SHOWN_TAGS).join(', ')}${more}`;
  return canFollow(draft)
    ? `${RELEASES} ${fault}; made anew it releases ${words}, and every other tag in it is lost`
    : `${RELEASES} ${fault}; it goes, targets releases ${words}, and from then on signers approve and only the owner releases`;
}

/**
 * Makes it anew, or lets it go where no higher version can be told. Nothing when nothing is wrong with it.
 * @throws AgentError `notary.rebuild` with the consequence, when the person has not agreed to it
 */
export function rebuildReleases(draft: Draft, agrees: Agrees): void {
  const consequence = rebuildConsequence(draft);
  if (consequence === undefined) return;
  const repository = draft.base?.repository ?? '';
  if (!agrees(consequence)) {
    throw new AgentError('notary.rebuild', {
      message: consequence,
      hint: `if that is meant, add --confirm ${repository}`,
      details: { repository, role: RELEASES },
    });
  }
  const tags = vouchedFor(draft);
  const isKept = canFollow(draft);
  draft.note(consequence);
  if (isKept) draft.edit(RELEASES, () => ({ ...EMPTY_TARGETS, targets: tags }));
  else {
    draft.edit('targets', (document) => ({ ...withoutRole(document, RELEASES), targets: tags }));
    draft.drop(RELEASES);
  }
}

/** A version that cannot be told, or the last one, has no successor. */
function canFollow(draft: Draft): boolean {
  const version = publishedVersion(draft.base, RELEASES);
  return version > 0 && version < LAST_VERSION;
}

/**
 * What somebody still vouches for: what stands in the role where that is verified, what the owner has in `targets`, and what all signers
 * who hold a tag agree about.
 */
function vouchedFor(draft: Draft): Tags {
  const owned = draft.targetsOf('targets')?.targets ?? new Map<string, Target>();
  const verified = draft.targetsOf(RELEASES)?.targets;
  return verified === undefined ? new Map([...agreed(draft), ...owned]) : new Map([...owned, ...verified]);
}

function agreed(draft: Draft): Tags {
  const tags = new Map<string, Target>();
  const disputed = new Set<string>();
  for (const { name: role, paths } of draft.targetsOf('targets')?.delegations.roles ?? []) {
    if (role === RELEASES) continue;
    for (const [tag, target] of draft.targetsOf(role)?.targets ?? []) {
      if (!paths.some((prefix) => tag.startsWith(prefix))) continue;
      const known = tags.get(tag);
      if (known !== undefined && !isSameImage(known, target)) disputed.add(tag);
      else tags.set(tag, target);
    }
  }
  return new Map([...tags].filter(([tag]) => !disputed.has(tag)));
}

/** Whether two targets are the same image; what else was noted beside it does not matter. */
export function isSameImage(one: Target | undefined, other: Target | undefined): boolean {
  return one?.hashes.sha256 === other?.hashes.sha256 && one?.length === other?.length;
}
