/** The orders that the lines of a log account for: follows start, sign, unreleased and checkpoint lines in file order. */
import { fromHex, toHex } from '../encoding/hex.js';
import { firstOrderHash, nextOrderHash } from './order-hash.js';

export interface TallyState {
  /** Hex, 16 bytes; empty before the first `start` line. */
  readonly instance: string;
  readonly count: number;
  /** Hex running hash after `count` orders; empty when a gap has made it unknowable. */
  readonly hash: string;
}

export const EMPTY_TALLY: TallyState = { instance: '', count: 0, hash: '' };

export interface TallyStep {
  readonly state: TallyState;
  readonly problem?: string | undefined;
}

/** One order that a line records. */
export interface RecordedOrder {
  readonly order: number;
  /** Hex, 32 bytes. */
  readonly keyId: string;
  /** Hex SHA-256 of the signed bytes. */
  readonly hash: string;
}

/** A tally at the beginning of a keeper instance. @param instance hex, 16 bytes */
export function beginTally(instance: string): TallyState {
  const first = firstOrderHash(fromHex(instance, 'instance', 'audit.broken'));
  return { instance, count: 0, hash: toHex(first) };
}

/** Counts one recorded order; names orders without a record, and orders recorded twice. */
export function tallyOrder(state: TallyState, recorded: RecordedOrder): TallyStep {
  if (state.instance === '')
    return { state, problem: `order ${recorded.order} stands before any start line` };
  if (recorded.order <= state.count) {
    return { state, problem: `order ${recorded.order} is recorded twice or out of order` };
  }
  if (recorded.order > state.count + 1) {
    return {
      state: { instance: state.instance, count: recorded.order, hash: '' },
      problem: missingOrders(state.count + 1, recorded.order - 1),
    };
  }
  const hash = state.hash === '' ? '' : advance(state.hash, recorded);
  return { state: { instance: state.instance, count: recorded.order, hash } };
}

/** "order 5 has no record", or "orders 5 to 7 have no record". */
export function missingOrders(first: number, last: number): string {
  return first === last ? `order ${first} has no record` : `orders ${first} to ${last} have no record`;
}

function advance(hash: string, recorded: RecordedOrder): string {
  const keyId = fromHex(recorded.keyId, 'keyId', 'audit.broken');
  const message = fromHex(recorded.hash, 'hash', 'audit.broken');
  return toHex(nextOrderHash(fromHex(hash, 'ordersHash'), recorded.order, keyId, message));
}
