/** What the guard of an agent knows, all pages of it. */
import type { Params, Result } from '../protocol/methods.js';

type Entries = Result<'guard.show'>['entries'];

/** Asks for one page. */
export type GuardPages = (params: Params<'guard.show'>) => Promise<Result<'guard.show'>>;

/** @throws AgentError of the agent */
export async function listGuard(
  page: GuardPages,
  wanted: Omit<Params<'guard.show'>, 'from'>,
): Promise<Entries> {
  const all: Entries[number][] = [];
  let { entries, next } = await page(wanted);
  all.push(...entries);
  // One that does not move on would never end.
  for (let from = 0; next !== null && next > from;) {
    from = next;
    ({ entries, next } = await page({ ...wanted, from }));
    all.push(...entries);
  }
  return all;
}
