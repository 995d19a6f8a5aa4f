/** `touchstone key derive`. */
import { requestTimeoutMs, withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { renderKey } from './key-show.js';

/** Derives and records a repository key. */
export async function keyDerive(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const key = invocation.args[0] ?? '';
  const timeoutMs = requestTimeoutMs(context);
  const result = await withAgent(context, (client) => client.call('keys.derive', { key }, { timeoutMs }));
  if (!result.created) context.note('touchstone: the key existed already; the token gave the same one again');
  return { json: result, text: renderKey(result.key) };
}
