/** What the keeper last said of itself: leases as they come and go, everything else as of the last question. */
import type { KeeperStatus, LeaseStatus } from '../keeper/wire.js';
import type { KeeperLink } from './keeper-link.js';

export class KeeperView {
  readonly #keeper: KeeperLink;
  #status: KeeperStatus;

  constructor(keeper: KeeperLink, status: KeeperStatus) {
    this.#keeper = keeper;
    this.#status = status;
  }

  get status(): KeeperStatus {
    return this.#status;
  }

  /** Asks again. */
  async refresh(): Promise<KeeperStatus> {
    this.#status = await this.#keeper.call('status', {});
    return this.#status;
  }

  /** Key ids that a lease covers now. */
  async loaded(): Promise<ReadonlySet<string>> {
    const { leases } = await this.refresh();
    return new Set(leases.flatMap((lease) => lease.keys));
  }

  /** Whether a lease that is known covers the key. */
  covers(keyId: string): boolean {
    return this.#status.leases.some((lease) => lease.keys.includes(keyId));
  }

  track(lease: LeaseStatus): void {
    this.#keep([...this.#status.leases.filter((known) => known.id !== lease.id), lease]);
  }

  drop(lease: LeaseStatus): void {
    this.#keep(this.#status.leases.filter((known) => known.id !== lease.id));
  }

  /** Drops the leases of one token, or all. */
  dropToken(token: string | undefined): void {
    this.#keep(this.#status.leases.filter((lease) => token !== undefined && lease.token !== token));
  }

  #keep(leases: readonly LeaseStatus[]): void {
    this.#status = { ...this.#status, leases };
  }
}
