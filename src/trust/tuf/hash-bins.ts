/** Succinct hash bins (TAP 15): 2^bits roles of the same keys, and the one that a target is in by the hash of its name. */
import { createHash } from 'node:crypto';
import type { TufSuccinctRoles } from '../../formats/tuf/document.js';

type Bins = Pick<TufSuccinctRoles, 'bitLength' | 'namePrefix'>;

/** Number of the last bin has as many hex digits as all others. */
export function binNames(bins: Bins): readonly string[] {
  return Array.from({ length: 2 ** bins.bitLength }, (_, at) => binName(bins, at));
}

/** The role that a target is in. */
export function binOf(bins: Bins, target: string): string {
  const first = createHash('sha256').update(target, 'utf8').digest().readUInt32BE(0);
  return binName(bins, Math.floor(first / 2 ** (32 - bins.bitLength)));
}

function binName({ bitLength, namePrefix }: Bins, at: number): string {
  const digits = (2 ** bitLength - 1).toString(16).length;
  return `${namePrefix}-${at.toString(16).padStart(digits, '0')}`;
}
