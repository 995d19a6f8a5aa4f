/**
 * How often rules with limits were used. The log is the truth: the file is a snapshot with a sequence, and what was signed after
 * it is counted again from the log at start, so a kill at any moment forgets no use.
 */
import { AgentError } from '../errors/agent-error.js';
import { admit, type UsageDemand, type UsageState } from '../policy/usage.js';
import { saveUsage } from '../state/usage-file.js';

export class UsageBook {
  readonly #path: string;
  #state: UsageState;
  #changed = false;

  /** @param path usage.json */
  constructor(path: string, state: UsageState) {
    this.#path = path;
    this.#state = state;
  }

  get state(): UsageState {
    return this.#state;
  }

  /** @throws AgentError `policy.limit`; nothing is counted then */
  spend(demands: readonly UsageDemand[], nowMs: number): void {
    if (demands.length === 0) return;
    const admission = admit(this.#state, demands, nowMs);
    if (admission.outcome === 'exceeded') {
      throw new AgentError('policy.limit', {
        message: admission.reason,
        details: {
          rule: admission.rule,
          freesAt: admission.freesAtMs === null ? null : new Date(admission.freesAtMs).toISOString(),
        },
      });
    }
    this.#state = admission.state;
    this.#changed = true;
  }

  /** Saves the counters as of audit line `sequence`. @throws AgentError `state.write` */
  save(sequence: number): void {
    if (!this.#changed) return;
    saveUsage(this.#path, this.#state, sequence);
    this.#changed = false;
  }
}
