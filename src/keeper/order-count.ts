/**
 * The keeper's own count of what it signed: a number and a running hash that every audit checkpoint must repeat, so that
 * a front that omits a record is visible to an outsider. Orders whose record the front has not acknowledged are remembered, so
 * that the next front can log them as never released.
 */
import { firstOrderHash } from '../audit/order-hash.js';
import { nativeShims } from '../platform/native-shims.js';
import type { OrderCount, PendingOrder } from './wire.js';

const HASH_BYTES = 32;
const NUMBER_OFFSET = 32;
const KEY_ID_OFFSET = 40;
const STATE_BYTES = 72;

interface Counted extends PendingOrder {
  readonly runningHash: string;
}

export class OrderLedger {
  /** Running hash, order number and the key id of the current order, laid out as the native shim expects. */
  readonly state = Buffer.alloc(STATE_BYTES);
  #pending: Counted[] = [];
  #acknowledged: OrderCount;

  constructor(instance: Uint8Array) {
    firstOrderHash(instance).copy(this.state, 0);
    this.#acknowledged = this.current();
  }

  /** Sets the key of the order about to be counted. @param keyId 32 raw bytes as latin1 */
  prepare(keyId: string): void {
    this.state.write(keyId, KEY_ID_OFFSET, HASH_BYTES, 'latin1');
  }

  /** Counts an order that was not signed by `leafSignCounted`, after `prepare`. @param messageHash 32 bytes */
  advance(messageHash: Buffer): void {
    nativeShims().orderAdvance(messageHash, this.state);
  }

  /** Remembers the order just counted until the front acknowledges it. @param messageHash 32 bytes */
  remember(messageHash: Buffer): void {
    this.#pending.push({
      order: this.number,
      keyId: this.state.toString('hex', KEY_ID_OFFSET, STATE_BYTES),
      messageHash: messageHash.toString('hex'),
      runningHash: this.state.toString('hex', 0, HASH_BYTES),
    });
  }

  get number(): number {
    return Number(this.state.readBigUInt64BE(NUMBER_OFFSET));
  }

  current(): OrderCount {
    return { count: this.number, hash: this.state.toString('hex', 0, HASH_BYTES) };
  }

  /** The front has written the records of all orders up to `order`. */
  acknowledge(order: number): void {
    let drop = 0;
    for (const entry of this.#pending) {
      if (entry.order > order) break;
      this.#acknowledged = { count: entry.order, hash: entry.runningHash };
      drop += 1;
    }
    if (drop > 0) this.#pending = this.#pending.slice(drop);
  }

  pending(): readonly PendingOrder[] {
    return this.#pending.map(({ order, keyId, messageHash }) => ({ order, keyId, messageHash }));
  }

  /** True when `claim` is this ledger's state after some order that is recent enough to be remembered. */
  confirms(claim: OrderCount): boolean {
    if (matches(claim, this.current()) || matches(claim, this.#acknowledged)) return true;
    const entry = this.#pending.find((pending) => pending.order === claim.count);
    return entry !== undefined && entry.runningHash === claim.hash;
  }
}

function matches(a: OrderCount, b: OrderCount): boolean {
  return a.count === b.count && a.hash === b.hash;
}
