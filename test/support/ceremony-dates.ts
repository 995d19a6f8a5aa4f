/** Dates of ceremonies that are played in tests: they lie around the real day, because transcripts take the real time. */

const DAY_MS = 86_400_000;

/** @param days from now, negative for earlier. @returns `YYYY-MM-DD` */
export function dayFromNow(days: number): string {
  return new Date(Date.now() + days * DAY_MS).toISOString().slice(0, 10);
}

/** Said in the room to be the day: tomorrow, so that midnight makes no difference. */
export const TODAY = dayFromNow(1);
export const CREATED = `${dayFromNow(-1)}T12:00:00Z`;
/** A year after it was made. */
export const EXPIRES = `${dayFromNow(364)}T00:00:00Z`;
