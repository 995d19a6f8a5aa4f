/** Where a log stands after a line: enough to go on, to fall back to, and to remember beside the log. */
import { EMPTY_HEAD, type ChainHead } from '../audit/chain.js';
import { readCheckpoint } from '../audit/checkpoint.js';
import type { AuditEntry } from '../audit/chain.js';

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
