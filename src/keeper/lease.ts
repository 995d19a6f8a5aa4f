/** An unlock: which keys, which kinds, how often, until when, for whom. The keeper enforces it on every order. */
import { randomBytes } from 'node:crypto';
import { AgentError } from '../errors/agent-error.js';
import { matchesKind } from '../keys/roles.js';
import type { LeaseStatus } from './wire.js';

export interface LeaseGrant {
  readonly token: string;
  readonly owner: number;
  /** Key ids in hex. */
  readonly keys: ReadonlySet<string>;
  /** Kind globs; empty means every kind that the role of the key allows. */
  readonly kinds: readonly string[];
  readonly uses: number | undefined;
  readonly expiresAtMs: number;
  readonly blind: boolean;
}

type Refusal = 'lease.expired' | 'lease.uses' | 'lease.kind' | 'blind';

export class Lease {
  readonly id = randomBytes(8).toString('hex');
  readonly grant: LeaseGrant;
  #keys: Set<string>;
  #usesLeft: number;
  /** Orders that it paid for and that have not ended. */
  #inWork = 0;
  readonly #kindCache = new Map<string, boolean>();

  constructor(grant: LeaseGrant) {
    this.grant = grant;
    this.#keys = new Set(grant.keys);
    this.#usesLeft = grant.uses ?? Infinity;
  }

  get keys(): ReadonlySet<string> {
    return this.#keys;
  }

  get usesLeft(): number {
    return this.#usesLeft;
  }

  /** A key derived under this lease joins it. */
  cover(keyId: string): void {
    this.#keys.add(keyId);
  }

  /** Whether this lease covers the order; cheap, because every order asks each lease of its key until one does. */
  admits(kind: string, blind: boolean, nowMs: number): boolean {
    return this.#refusal(kind, blind, nowMs) === undefined;
  }

  /** Why this lease does not admit the order, or undefined when it does. */
  refuses(kind: string, blind: boolean, nowMs: number): AgentError | undefined {
    const refusal = this.#refusal(kind, blind, nowMs);
    if (refusal === undefined) return undefined;
    if (refusal !== 'blind') return new AgentError(refusal);
    return new AgentError('lease.kind', {
      message: 'the lease does not allow blind digests',
      hint: 'unlock again with "touchstone unlock --blind" if a rule allows it',
    });
  }

  /** Spends one use; `settle` follows when the order has ended. */
  spend(): void {
    this.#usesLeft -= 1;
    this.#inWork += 1;
  }

  settle(): void {
    this.#inWork -= 1;
  }

  /** No use is left, and the last one has ended: a signature on a token comes later than its order. */
  get isSpent(): boolean {
    return this.#usesLeft <= 0 && this.#inWork === 0;
  }

  status(): LeaseStatus {
    return {
      id: this.id,
      token: this.grant.token,
      owner: this.grant.owner,
      keys: [...this.#keys],
      kinds: this.grant.kinds,
      usesLeft: Number.isFinite(this.#usesLeft) ? this.#usesLeft : null,
      expiresAt: new Date(this.grant.expiresAtMs).toISOString().replace(/\.\d{3}Z$/, 'Z'),
      blind: this.grant.blind,
    };
  }

  #refusal(kind: string, blind: boolean, nowMs: number): Refusal | undefined {
    if (nowMs >= this.grant.expiresAtMs) return 'lease.expired';
    if (this.#usesLeft <= 0) return 'lease.uses';
    if (blind && !this.grant.blind) return 'blind';
    return this.#allowsKind(kind) ? undefined : 'lease.kind';
  }

  #allowsKind(kind: string): boolean {
    if (this.grant.kinds.length === 0) return true;
    let allowed = this.#kindCache.get(kind);
    if (allowed === undefined) {
      allowed = this.grant.kinds.some((glob) => matchesKind(glob, kind));
      this.#kindCache.set(kind, allowed);
    }
    return allowed;
  }
}
