/**
 * The decision: may this caller have these bytes signed with this key? Pure and total: first matching rule wins, no
 * match is a denial, and what cannot be established counts against the caller. Limits never change which rule
 * matches; they are checked on top of a matching rule, so that matches can be cached.
 */
import { compileGlobs, type GlobMatcher } from '../encoding/glob.js';
import type { PolicyDocument, PolicyRule, RuleLimits } from './document.js';
import { checkLimits, type UsageState } from './usage.js';

/** Who asks for what. The peer facts come from the kernel, the kind from the bytes themselves. */
export interface PolicyRequest {
  readonly uid: number;
  readonly gid: number;
  /** Absolute path of the socket the caller reached. */
  readonly socket: string;
  /** Canonical name of the key: REPOSITORY#ROLE. */
  readonly key: string;
  readonly kind: string;
  /** The agent cannot read what it signs. */
  readonly blind: boolean;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

export type DenyCode = 'policy.denied' | 'policy.limit' | 'policy.consent-unavailable';

export type Decision =
  | { readonly outcome: 'allow'; readonly rule: string; readonly limits: RuleLimits | undefined }
  | {
      readonly outcome: 'deny';
      readonly rule: string | null;
      readonly reason: string;
      readonly code: DenyCode;
    };

export interface PolicyOwner {
  /** The agent's own uid: what `uid = "owner"` and a rule without `who` mean. */
  readonly ownerUid: number;
}

/** A policy made ready for decisions. */
export interface CompiledPolicy {
  readonly document: PolicyDocument;
  readonly rules: readonly CompiledRule[];
}

interface CompiledRule {
  readonly rule: PolicyRule;
  readonly uids: readonly number[] | undefined;
  readonly gids: readonly number[] | undefined;
  readonly socket: string | undefined;
  readonly kinds: GlobMatcher;
  readonly keys: GlobMatcher;
  readonly decision: Decision;
}

/** One line of an explanation: whether a rule applied, and the first condition that decided it. */
export interface TraceEntry {
  readonly rule: string;
  readonly matched: boolean;
  readonly why: string;
}

export interface Explanation {
  readonly decision: Decision;
  readonly reason: string;
  readonly trace: readonly TraceEntry[];
}

const NO_RULE: Decision = {
  outcome: 'deny',
  rule: null,
  reason: 'no rule of the policy allows this',
  code: 'policy.denied',
};

/** Compiles globs and resolves `owner`; the result never changes. */
export function compilePolicy(document: PolicyDocument, owner: PolicyOwner): CompiledPolicy {
  return { document, rules: document.rules.map((rule) => compileRule(rule, owner.ownerUid)) };
}

/** The whole decision, limits of the matching rule included (one signature). */
export function decide(policy: CompiledPolicy, request: PolicyRequest, usage: UsageState): Decision {
  return withLimits(matchRule(policy, request), request.nowMs, usage);
}

/** The decision without limits: depends on nothing but the policy and the request, not on time. */
export function matchRule(policy: CompiledPolicy, request: PolicyRequest): Decision {
  for (const compiled of policy.rules) {
    if (mismatch(compiled, request) === undefined) return compiled.decision;
  }
  return NO_RULE;
}

/** The same decision with the story of how it came about, rule by rule up to the one that matched. */
export function explain(policy: CompiledPolicy, request: PolicyRequest, usage: UsageState): Explanation {
  const trace: TraceEntry[] = [];
  let matched: Decision = NO_RULE;
  for (const compiled of policy.rules) {
    const why = mismatch(compiled, request);
    trace.push({ rule: compiled.rule.id, matched: why === undefined, why: why ?? 'every condition holds' });
    if (why === undefined) {
      matched = compiled.decision;
      break;
    }
  }
  const decision = withLimits(matched, request.nowMs, usage);
  const reason = decision.outcome === 'allow' ? `rule "${decision.rule}" allows it` : decision.reason;
  return { decision, reason, trace };
}

/**
 * Whether the policy names this caller at all: some rule that allows something has it as `who`. Callers that no rule
 * names need not be let in.
 */
export function namesCaller(
  policy: CompiledPolicy,
  caller: Pick<PolicyRequest, 'uid' | 'gid' | 'socket'>,
): boolean {
  return policy.rules.some(
    (compiled) => compiled.decision.outcome === 'allow' && callerMismatch(compiled, caller) === undefined,
  );
}

/** Checks the limits of a match, for one signature, against what was used. */
export function withLimits(matched: Decision, nowMs: number, usage: UsageState): Decision {
  if (matched.outcome === 'deny' || matched.limits === undefined) return matched;
  const verdict = checkLimits(usage, { rule: matched.rule, limits: matched.limits, uses: 1 }, nowMs);
  if (verdict.outcome === 'within') return matched;
  return { outcome: 'deny', rule: matched.rule, reason: verdict.reason, code: 'policy.limit' };
}

function compileRule(rule: PolicyRule, ownerUid: number): CompiledRule {
  const named = rule.who?.uid ?? (rule.who === undefined ? (['owner'] as const) : undefined);
  return {
    rule,
    uids: named?.map((uid) => (uid === 'owner' ? ownerUid : uid)),
    gids: rule.who?.gid,
    socket: rule.who?.socket,
    kinds: compileGlobs(rule.kinds),
    keys: compileGlobs(rule.keys),
    decision: decisionOf(rule),
  };
}

function decisionOf(rule: PolicyRule): Decision {
  if (rule.effect === 'deny') {
    return { outcome: 'deny', rule: rule.id, reason: `rule "${rule.id}" denies it`, code: 'policy.denied' };
  }
  const missing = unavailableConditions(rule);
  if (missing.length === 0) return { outcome: 'allow', rule: rule.id, limits: rule.limits };
  return {
    outcome: 'deny',
    rule: rule.id,
    reason: `rule "${rule.id}" needs ${missing.join(', ')}, which this agent cannot obtain`,
    code: 'policy.consent-unavailable',
  };
}

/** Conditions of a rule that this release knows but cannot meet; such a rule matches and denies. */
export function unavailableConditions(rule: PolicyRule): readonly string[] {
  const missing: string[] = [];
  if (rule.who?.grant !== undefined) missing.push('who.grant');
  if (rule.who?.runner !== undefined) missing.push('who.runner');
  if (rule.confirm) missing.push('confirm');
  if (rule.touch) missing.push('touch');
  if (rule.approvals !== undefined) missing.push('approvals');
  if (rule.evidence !== undefined) missing.push('evidence');
  return missing;
}

/** The first condition that does not hold, or undefined when the rule matches. */
function mismatch(compiled: CompiledRule, request: PolicyRequest): string | undefined {
  const caller = callerMismatch(compiled, request);
  if (caller !== undefined) return caller;
  if (!compiled.kinds(request.kind)) return 'kinds do not cover this kind';
  if (!compiled.keys(request.key)) return 'keys do not cover this key';
  if (request.blind && compiled.rule.effect === 'allow' && !compiled.rule.blind) {
    return 'the rule does not say blind = true';
  }
  return undefined;
}

function callerMismatch(
  compiled: CompiledRule,
  caller: Pick<PolicyRequest, 'uid' | 'gid' | 'socket'>,
): string | undefined {
  if (compiled.uids?.includes(caller.uid) === false) return `who.uid does not name uid ${caller.uid}`;
  if (compiled.gids?.includes(caller.gid) === false) return `who.gid does not name gid ${caller.gid}`;
  if (compiled.socket !== undefined && compiled.socket !== caller.socket)
    return 'who.socket is another socket';
  return undefined;
}
