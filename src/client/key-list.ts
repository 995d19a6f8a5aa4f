/** The keys of an agent, all pages of them. */
import type { KeyInfo, Params, Result } from '../protocol/methods.js';

/** Asks for one page. */
export type KeyPages = (params: Params<'keys.list'>) => Promise<Result<'keys.list'>>;

/** @throws AgentError of the agent */
export async function listKeys(
  page: KeyPages,
  wanted: Omit<Params<'keys.list'>, 'from'>,
): Promise<{ readonly domain: string | null; readonly keys: readonly KeyInfo[] }> {
  const keys: KeyInfo[] = [];
  let { domain, next, keys: found } = await page(wanted);
  keys.push(...found);
  // One that does not move on would never end.
  for (let from = 0; next !== null && next > from;) {
    from = next;
    ({ domain, next, keys: found } = await page({ ...wanted, from }));
    keys.push(...found);
  }
  return { domain, keys };
}
