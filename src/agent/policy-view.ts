/** What the policy in force says about keys and callers, without asking for a signature. */
import type { LeafRecord } from '../keys/key-record.js';
import { maySignBlind } from '../keys/roles.js';
import { explain } from '../policy/decide.js';
import type { Params, Result } from '../protocol/methods.js';
import type { KeyBook } from './key-book.js';
import type { Peer } from './peer.js';
import type { PolicyFile } from './policy-file.js';
import type { UsageBook } from './usage-book.js';

export interface PolicyViewParts {
  readonly keys: KeyBook;
  readonly policy: PolicyFile;
  readonly usage: UsageBook;
}

export class PolicyView {
  readonly #parts: PolicyViewParts;

  constructor(parts: PolicyViewParts) {
    this.#parts = parts;
  }

  /** The decision for a request, with the rules that led to it. */
  explain({ key, kind, uid }: Params<'policy.explain'>, peer: Peer): Result<'policy.explain'> {
    const { policy, usage } = this.#parts;
    const explanation = explain(
      policy.policy,
      {
        uid: uid ?? peer.uid,
        gid: peer.gid,
        socket: peer.socket,
        key: this.#policyName(key),
        kind,
        blind: kind === 'digest',
        nowMs: Date.now(),
      },
      usage.state,
    );
    const { decision, reason, trace } = explanation;
    return {
      outcome: decision.outcome,
      rule: decision.rule,
      reason,
      trace: trace.map((entry) => ({ ...entry })),
    };
  }

  /** Active keys that a rule lets this caller sign bare digests with; a limit that is used up hides none. */
  blindKeys(peer: Peer): readonly LeafRecord[] {
    const { keys, policy, usage } = this.#parts;
    const { uid, gid, socket } = peer;
    const nowMs = Date.now();
    return (keys.loaded?.leaves() ?? []).filter((leaf) => {
      if (leaf.state !== 'active' || !maySignBlind(leaf.role)) return false;
      const key = `${leaf.repository}#${leaf.role}`;
      const request = { uid, gid, socket, key, kind: 'digest', blind: true, nowMs };
      const decision = policy.cache.decide(request, usage.state);
      return decision.outcome === 'allow' || decision.code === 'policy.limit';
    });
  }

  /** A key that does not exist yet is explained by the name as given. */
  #policyName(key: string): string {
    const { keys } = this.#parts;
    if (keys.loaded === undefined) return key;
    try {
      const { repository, role } = keys.keyring.resolve(key);
      return `${repository}#${role}`;
    } catch {
      return key;
    }
  }
}
