/** Where a log stands after a line: enough to go on, to fall back to, and to remember beside the log. */
import { EMPTY_HEAD, type AuditEntry, type ChainHead } from '../audit/chain.js';
import { readCheckpoint } from '../audit/checkpoint.js';
import type { RecordedOrder } from '../audit/order-tally.js';

export interface AuditPosition {
  readonly head: ChainHead;
  /** Keeper instance of the last `start` line, and the last order recorded in it. */
  readonly instance: string;
  readonly order: number;
  /** Sequence up to which a checkpoint seals the log. */
  readonly sealed: number;
}

export const EMPTY_POSITION: AuditPosition = { head: EMPTY_HEAD, instance: '', order: 0, sealed: 0 };

/** The position after `entry` was linked as `head`. */
export function advancePosition(before: AuditPosition, head: ChainHead, entry: AuditEntry): AuditPosition {
  switch (entry.type) {
    case 'start':
      return entry.instance === before.instance
        ? { ...before, head }
        : { head, instance: entry.instance, order: 0, sealed: before.sealed };
    case 'sign':
    case 'unreleased':
      return { head, instance: before.instance, order: entry.order, sealed: before.sealed };
    case 'checkpoint': {
      const { seq } = readCheckpoint(entry.dsse).checkpoint;
      // A checkpoint right after what it seals is determined by it, so it seals itself too.
      const sealed = seq === head.seq - 1 ? head.seq : seq;
      return { head, instance: before.instance, order: entry.order, sealed };
    }
    case 'refuse':
    case 'act':
    case 'continue':
      return { ...before, head };
  }
}

/** The order that an entry records, if any: it must never stay without a record. */
export function orderOf(entry: AuditEntry): RecordedOrder | undefined {
  switch (entry.type) {
    case 'sign':
    case 'unreleased':
      return { order: entry.order, keyId: entry.keyId, hash: entry.hash };
    case 'checkpoint': {
      const { keyId, hash } = readCheckpoint(entry.dsse);
      return { order: entry.order, keyId, hash };
    }
    case 'refuse':
    case 'start':
    case 'act':
    case 'continue':
      return undefined;
  }
}
