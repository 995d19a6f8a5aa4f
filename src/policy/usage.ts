/**
 * How often each rule was used: pure transitions over plain data. Hours are counted in one-minute buckets; a bucket
 * counts until its last second is more than an hour old, so no 60-minute window ever holds more than `per_hour`.
 */
import type { RuleLimits } from './document.js';

export const USAGE_FORMAT = 'touchstone-usage';
export const USAGE_VERSION = 1;

/** [minute since 1970, uses in it], oldest first. */
export type UsageBucket = readonly [minute: number, uses: number];

export interface RuleUsage {
  /** Uses since the rule was first seen with limits. */
  readonly total: number;
  readonly buckets: readonly UsageBucket[];
}

export interface UsageState {
  readonly format: typeof USAGE_FORMAT;
  readonly version: typeof USAGE_VERSION;
  /** By rule id. */
  readonly rules: ReadonlyMap<string, RuleUsage>;
}

/** Uses that a request, or a batch of requests, wants to make of one rule. */
export interface UsageDemand {
  readonly rule: string;
  readonly limits: RuleLimits | undefined;
  readonly uses: number;
}

export type LimitVerdict =
  | { readonly outcome: 'within' }
  | {
      readonly outcome: 'exceeded';
      readonly rule: string;
      readonly reason: string;
      /** Milliseconds since 1970 when the same demand fits again; null when it never will by itself. */
      readonly freesAtMs: number | null;
    };

export type Admission =
  { readonly outcome: 'admitted'; readonly state: UsageState } | (LimitVerdict & { outcome: 'exceeded' });

const MINUTE_MS = 60_000;
const WINDOW_MINUTES = 60;
const WITHIN: LimitVerdict = { outcome: 'within' };
const UNUSED: RuleUsage = { total: 0, buckets: [] };

/** No rule was ever used. */
export function emptyUsage(): UsageState {
  return { format: USAGE_FORMAT, version: USAGE_VERSION, rules: new Map() };
}

/** Whether one demand fits its limits now; changes nothing. */
export function checkLimits(state: UsageState, demand: UsageDemand, nowMs: number): LimitVerdict {
  const { limits, uses, rule } = demand;
  if (limits === undefined) return WITHIN;
  const usage = state.rules.get(rule) ?? UNUSED;
  if (limits.untilMs !== undefined && nowMs >= limits.untilMs) {
    return exceeded(rule, `rule "${rule}" ended at ${new Date(limits.untilMs).toISOString()}`, null);
  }
  if (limits.count !== undefined && usage.total + uses > limits.count) {
    return exceeded(rule, `rule "${rule}" allows ${limits.count} uses in all, ${usage.total} are used`, null);
  }
  if (limits.perHour === undefined) return WITHIN;
  return checkHour(usage, demand, limits.perHour, nowMs);
}

/** Admits all demands or none, and counts them. Demands of the same rule must be one demand with their sum. */
export function admit(state: UsageState, demands: readonly UsageDemand[], nowMs: number): Admission {
  for (const demand of demands) {
    const verdict = checkLimits(state, demand, nowMs);
    if (verdict.outcome === 'exceeded') return verdict;
  }
  const counted = demands.filter((demand) => demand.limits !== undefined);
  return { outcome: 'admitted', state: recordUses(state, counted, nowMs) };
}

/** Counts uses without asking: for replaying what the audit log says was signed since the state was saved. */
export function recordUses(
  state: UsageState,
  uses: readonly Pick<UsageDemand, 'rule' | 'uses'>[],
  atMs: number,
): UsageState {
  if (uses.length === 0) return state;
  const rules = new Map(state.rules);
  for (const use of uses) rules.set(use.rule, addUses(rules.get(use.rule) ?? UNUSED, use.uses, atMs));
  return { ...state, rules };
}

function exceeded(rule: string, reason: string, freesAtMs: number | null): LimitVerdict {
  return { outcome: 'exceeded', rule, reason, freesAtMs };
}

function checkHour(usage: RuleUsage, demand: UsageDemand, perHour: number, nowMs: number): LimitVerdict {
  const oldest = Math.floor(nowMs / MINUTE_MS) - WINDOW_MINUTES;
  const live = usage.buckets.filter(([minute]) => minute >= oldest);
  let used = live.reduce((sum, [, uses]) => sum + uses, 0);
  if (used + demand.uses <= perHour) return WITHIN;
  const reason = `rule "${demand.rule}" allows ${perHour} uses an hour, ${used} are used`;
  if (demand.uses > perHour) return exceeded(demand.rule, `${reason}, ${demand.uses} are asked for`, null);
  for (const [minute, uses] of live) {
    used -= uses;
    if (used + demand.uses <= perHour) {
      const freesAtMs = (minute + WINDOW_MINUTES + 1) * MINUTE_MS;
      return exceeded(
        demand.rule,
        `${reason}; free again at ${new Date(freesAtMs).toISOString()}`,
        freesAtMs,
      );
    }
  }
  return exceeded(demand.rule, reason, null);
}

function addUses(usage: RuleUsage, uses: number, atMs: number): RuleUsage {
  const minute = Math.floor(atMs / MINUTE_MS);
  const live = usage.buckets.filter(([bucket]) => bucket >= minute - WINDOW_MINUTES);
  const at = live.findIndex(([bucket]) => bucket >= minute);
  const found = at === -1 ? undefined : live[at];
  if (found?.[0] === minute) live[at] = [minute, found[1] + uses];
  else live.splice(at === -1 ? live.length : at, 0, [minute, uses]);
  return { total: usage.total + uses, buckets: live };
}
