/** `touchstone key rotate`. */
import { requestTimeoutMs, withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { renderKey } from './key-show.js';

/** Derives the next epoch and retires the one before. */
export async function keyRotate(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const key = invocation.args[0] ?? '';
  const timeoutMs = requestTimeoutMs(context);
  const result = await withAgent(context, (client) => client.call('keys.rotate', { key }, { timeoutMs }));
  context.note(`touchstone: ${result.retired.name} is ${result.retired.state}`);
  return { json: result, text: renderKey(result.key) };
}
