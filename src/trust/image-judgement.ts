/** Whether an image may run: what is signed under its name, and what the team rule makes of it. Pure. */
import { signedTags, type SignedTag } from './approvals.js';
import type { Collection } from './collection.js';
import { decideByTeams, type TeamDecision } from './team-decision.js';
import type { TeamPolicy } from './team-policy.js';

export interface ImageQuestion {
  /** `latest` when there is neither tag nor digest. */
  readonly tag?: string | undefined;
  /** `sha256:` and hex. Without a tag, any tag with this digest will do. */
  readonly digest?: string | undefined;
  readonly environment: string;
}

export type ImageJudgement =
  | { readonly outcome: 'unsigned'; readonly reason: string }
  /** The digest to run, and by which tag it was found. */
  | {
      readonly outcome: 'allowed' | 'denied';
      readonly signed: SignedTag;
      readonly reason: string;
      /** Undefined without a policy. */
      readonly decision: TeamDecision | undefined;
    };

/** @param policy without one every tag counts that a trusted pull finds */
export function judgeImage(
  collection: Collection,
  question: ImageQuestion,
  policy: TeamPolicy | undefined,
): ImageJudgement {
  const { digest, environment } = question;
  const tag = question.tag ?? (digest === undefined ? 'latest' : undefined);
  const tags = signedTags(collection);
  const named = tags.filter((one) => tag === undefined || one.tag === tag);
  const candidates = named.filter((one) => digest === undefined || one.digest === digest);
  const judged = candidates.map((one) => judgeTag(collection.repository, one, environment, policy));
  const best = judged.find(({ outcome }) => outcome === 'allowed') ?? judged[0];
  if (best !== undefined) return best;
  if (named[0] !== undefined && tag !== undefined) {
    return { outcome: 'unsigned', reason: `what is signed as ${tag} is ${named[0].digest}` };
  }
  return {
    outcome: 'unsigned',
    reason: `nothing is signed as ${tag ?? digest ?? ''}${elsewhere(collection, tag)}`,
  };
}

function judgeTag(
  repository: string,
  signed: SignedTag,
  environment: string,
  policy: TeamPolicy | undefined,
): Extract<ImageJudgement, { signed: SignedTag }> {
  if (policy === undefined) {
    return { outcome: 'allowed', signed, reason: `signed in ${signed.from}`, decision: undefined };
  }
  const decision = decideByTeams(policy, { environment, repository, approvals: signed.approvals });
  const { allowed } = decision;
  const reason = allowed ? decision.reason : `${decision.reason}${strayed(signed, decision)}`;
  return { outcome: allowed ? 'allowed' : 'denied', signed, reason, decision };
}

/** A missing team may have signed what the tag was before. */
function strayed({ others }: SignedTag, { missing }: TeamDecision): string {
  if (missing.length === 0 || others.length === 0) return '';
  const shown = others.map(({ role, digest }) => `${role} holds ${digest.slice(0, 19)}…`);
  return `; under the same tag ${shown.join(', ')}`;
}

/** Signers may hold a tag that nobody released. */
function elsewhere(collection: Collection, tag: string | undefined): string {
  if (tag === undefined) return '';
  const roles = [...collection.delegations].filter(([, { document }]) => document.targets.has(tag));
  return roles.length === 0
    ? ''
    : `; only ${roles.map(([role]) => role).join(', ')} holds it, which no pull looks at`;
}
