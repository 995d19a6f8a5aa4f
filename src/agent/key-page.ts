/** A page of the keyring, so that no reply outgrows a frame. */
import type { KeyRecord } from '../keys/key-record.js';
import { LIMITS } from '../protocol/limits.js';
import type { Params } from '../protocol/methods.js';

/**
 * Records that were asked for, from a position on, and the position of the page after it. Records are only ever added at the end and keep
 * their places, so no page misses what the one before it did not have.
 */
export function keyPage(
  records: readonly KeyRecord[],
  params: Params<'keys.list'>,
): { readonly records: readonly KeyRecord[]; readonly next: number | null } {
  const page: KeyRecord[] = [];
  let at = params.from ?? 0;
  for (; at < records.length && page.length < LIMITS.listedKeys; at += 1) {
    const record = records[at];
    if (record !== undefined && isListed(record, params)) page.push(record);
  }
  return { records: page, next: at < records.length ? at : null };
}

function isListed(record: KeyRecord, { all = false, repository, role }: Params<'keys.list'>): boolean {
  if (record.usage !== 'sign') return repository === undefined && role === undefined;
  const isMeant = repository === undefined || record.repository === repository;
  return isMeant && (role === undefined || record.role === role) && (all || record.state === 'active');
}
