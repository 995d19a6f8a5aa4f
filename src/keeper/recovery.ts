/** From an error that nobody can explain back to a token that works: one rung after the other, each with the deadline of its call. */
import { AgentError, asAgentError } from '../errors/agent-error.js';
import type { ErrorCode } from '../errors/codes.js';

/** Driver, card or host may be in any state after these; after all others it is known what happened. */
const UNEXPLAINED: ReadonlySet<ErrorCode> = new Set([
  'token.device',
  'token.other',
  'token.timeout',
  'token.host-crashed',
  'internal.unexpected',
]);

export function isUnexplained(error: AgentError | undefined): boolean {
  return error !== undefined && UNEXPLAINED.has(error.code);
}

/**
 * The result of the first rung that has one.
 * @param mayGoOn asked before each further rung
 * @throws AgentError the first that is explained, or the last one's
 */
export async function climb<T>(rungs: readonly (() => Promise<T>)[], mayGoOn: () => boolean): Promise<T> {
  let last = new AgentError('internal.unexpected', {
    message: 'recovering a token: there is nothing to try',
  });
  for (const rung of rungs) {
    try {
      return await rung();
    } catch (error) {
      last = asAgentError(error);
      if (!isUnexplained(last) || !mayGoOn()) break;
    }
  }
  throw last;
}
