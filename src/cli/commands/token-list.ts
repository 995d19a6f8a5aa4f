/** `touchstone token list`. */
import { withAgent } from '../agent-session.js';
import type { CommandResult } from '../command.js';
import type { CliContext } from '../context.js';
import { tokenTable } from './agent-status.js';

/** Every token of the configuration. */
export async function tokenList(context: CliContext): Promise<CommandResult> {
  const result = await withAgent(context, (client) => client.call('tokens.list', {}));
  const text = result.tokens.length === 0 ? 'no token is configured' : tokenTable(result.tokens);
  return { json: result, text };
}
