/** `touchstone lock`. */
import { withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { counted } from '../table.js';

/** Ends leases and token sessions; all, or of one token. */
export async function lock(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const token = invocation.options.text('token');
  const result = await withAgent(context, (client) =>
    client.call('lock', token === undefined ? {} : { token }),
  );
  return { json: result, text: `locked: ${counted(result.locked, 'lease')} ended` };
}
