/**
 * All leases and their ends. When a lease ends its leaves are wiped at once; the audit leaf stays for a moment, so that the
 * front can seal the log, and then goes too. A token without a lease loses its host process, because drivers keep PINs.
 */
import type { KeyShelf } from './key-shelf.js';
import type { Lease } from './lease.js';
import type { TokenUnit } from './token-unit.js';
import type { KeeperEvent, LeaseEnd, LeaseStatus } from './wire.js';

/** Time for the sealing checkpoint after a lease ended, milliseconds. */
const GRACE_MS = 500;
/** setTimeout takes no longer waits. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export interface LeaseBookOptions {
  readonly shelf: KeyShelf;
  readonly unitOf: (token: string) => TokenUnit | undefined;
  /** Names of all tokens. */
  readonly tokens: () => Iterable<string>;
  readonly onEvent: (event: KeeperEvent) => void;
  /** Whether a front is there to seal the log. */
  readonly frontReady: () => boolean;
}

export class LeaseBook {
  readonly #options: LeaseBookOptions;
  readonly #leases = new Map<string, { readonly lease: Lease; readonly timer: NodeJS.Timeout }>();
  #sealing: { readonly timer: NodeJS.Timeout; readonly ended: LeaseStatus[]; reason: LeaseEnd } | undefined;

  constructor(options: LeaseBookOptions) {
    this.#options = options;
  }

  all(): readonly LeaseStatus[] {
    return [...this.#leases.values()].map(({ lease }) => lease.status());
  }

  ofToken(token: string): readonly Lease[] {
    return [...this.#leases.values()]
      .map(({ lease }) => lease)
      .filter((lease) => lease.grant.token === token);
  }

  open(lease: Lease): void {
    this.#arm(lease);
    this.#options.shelf.cover(lease);
    this.#options.onEvent({ event: 'lease-opened', lease: lease.status() });
  }

  /** A lease may last longer than a timer can wait: then it is armed again. */
  #arm(lease: Lease): void {
    const leftMs = Math.max(0, lease.grant.expiresAtMs - Date.now());
    const timer = setTimeout(
      () => {
        if (leftMs > LONGEST_TIMER_MS) this.#arm(lease);
        else this.end(lease, 'expired');
      },
      Math.min(leftMs, LONGEST_TIMER_MS),
    );
    timer.unref();
    this.#leases.set(lease.id, { lease, timer });
  }

  /** Ends one lease; the log may be sealed before the audit leaf goes too. */
  end(lease: Lease, reason: LeaseEnd): void {
    const entry = this.#leases.get(lease.id);
    if (entry === undefined) return;
    clearTimeout(entry.timer);
    this.#leases.delete(lease.id);
    const status = lease.status();
    const sealable = this.#options.frontReady() && reason !== 'stopping' && reason !== 'locked';
    this.#options.shelf.uncover(lease, (key) => sealable && key.role === 'audit');
    this.#endTokenIfUnused(lease.grant.token);
    if (!sealable) {
      this.#options.onEvent({ event: 'lease-ended', lease: status, reason });
      return;
    }
    this.#options.onEvent({ event: 'lease-ending', lease: status, reason, graceMs: GRACE_MS });
    this.#sealing ??= {
      timer: setTimeout(() => {
        this.sealed();
      }, GRACE_MS),
      ended: [],
      reason,
    };
    this.#sealing.ended.push(status);
  }

  /** The log is sealed, or the time for it is over. */
  sealed(): void {
    const sealing = this.#sealing;
    if (sealing === undefined) return;
    this.#sealing = undefined;
    clearTimeout(sealing.timer);
    this.#options.shelf.wipeUncovered();
    for (const lease of sealing.ended) {
      this.#options.onEvent({ event: 'lease-ended', lease, reason: sealing.reason });
    }
  }

  /**
   * Ends the leases of one token, or all, and whatever is just being done with the token: an unlock that began before a lock must
   * not outlive it. Returns how many leases ended.
   */
  endAll(reason: LeaseEnd, token?: string): number {
    const ending = [...this.#leases.values()]
      .map(({ lease }) => lease)
      .filter((lease) => token === undefined || lease.grant.token === token);
    for (const lease of ending) this.end(lease, reason);
    for (const name of token === undefined ? this.#options.tokens() : [token]) {
      this.#options.unitOf(name)?.lock();
      this.#options.shelf.forgetHome(name);
    }
    return ending.length;
  }

  /** Behind what is just being done with the token: that may be the unlock that opens the next lease. */
  #endTokenIfUnused(token: string): void {
    void this.#options.unitOf(token)?.section(() => {
      if (this.ofToken(token).length === 0) this.#endToken(token);
      return Promise.resolve();
    });
  }

  #endToken(token: string): void {
    this.#options.unitOf(token)?.end();
    this.#options.shelf.forgetHome(token);
  }
}
