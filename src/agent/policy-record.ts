/** Which policy is in force, for the log: rules are named in every line, the text they stood in is named here. */
import type { AuditTrail } from './audit-trail.js';
import type { PolicyFile } from './policy-file.js';

export class PolicyRecord {
  readonly #policy: PolicyFile;
  readonly #trail: AuditTrail;
  #noted = '';

  constructor(policy: PolicyFile, trail: AuditTrail) {
    this.#policy = policy;
    this.#trail = trail;
  }

  /** To be called after each reading of the file: says what it brought, a policy by its digest only when that is another one. */
  note(): void {
    const { digest, policy, problem } = this.#policy;
    if (problem !== undefined) {
      this.#trail.note({ type: 'act', act: 'policy-refused', facts: { code: problem.code } });
    }
    if (digest === this.#noted) return;
    this.#noted = digest;
    const facts = { sha256: digest, rules: policy.rules.length };
    this.#trail.note({ type: 'act', act: 'policy', facts });
  }
}
