/**
 * Remembers which rule matches, so that the path of a signature costs one look-up. Limits and time are not cached:
 * they are checked with each call. One cache belongs to one compiled policy and ends with it.
 */
import { matchRule, withLimits, type CompiledPolicy, type Decision, type PolicyRequest } from './decide.js';
import type { UsageState } from './usage.js';

/** Entries before the cache starts anew: bounds what a caller with many key names can make us hold. */
const MAX_ENTRIES = 8192;

export class DecisionCache {
  readonly #policy: CompiledPolicy;
  readonly #matches = new Map<string, Decision>();

  constructor(policy: CompiledPolicy) {
    this.#policy = policy;
  }

  /** Same answer as `decide`. */
  decide(request: PolicyRequest, usage: UsageState): Decision {
    return withLimits(this.#match(request), request.nowMs, usage);
  }

  #match(request: PolicyRequest): Decision {
    const { uid, gid, socket, key, kind, blind } = request;
    // NUL can stand in no path, key name or kind that the parsers accept; the last free field is at the end.
    const entry = `${uid} ${gid} ${blind ? 1 : 0} ${key}\0${kind}\0${socket}`;
    const known = this.#matches.get(entry);
    if (known !== undefined) return known;
    const match = matchRule(this.#policy, request);
    if (this.#matches.size >= MAX_ENTRIES) this.#matches.clear();
    this.#matches.set(entry, match);
    return match;
  }
}
