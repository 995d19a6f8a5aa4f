/** A page of what is guarded, so that no reply outgrows a frame. */
import { LIMITS } from '../protocol/limits.js';
import type { Params } from '../protocol/methods.js';
import type { GuardEntry } from '../state/guard-entry.js';

/**
 * Entries that were asked for, from a position on, and the position of the page after it. Entries are only ever added at the end, so no
 * page misses what the one before it did not have.
 */
export function guardPage(
  entries: readonly GuardEntry[],
  { repository, role, from = 0 }: Params<'guard.show'>,
): { readonly entries: readonly GuardEntry[]; readonly next: number | null } {
  const page: GuardEntry[] = [];
  let at = from;
  for (; at < entries.length && page.length < LIMITS.listedKeys; at += 1) {
    const entry = entries[at];
    const isMeant =
      (repository === undefined || entry?.repository === repository) &&
      (role === undefined || entry?.role === role);
    if (entry !== undefined && isMeant) page.push(entry);
  }
  return { entries: page, next: at < entries.length ? at : null };
}
