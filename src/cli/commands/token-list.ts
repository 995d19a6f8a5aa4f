/** `touchstone token list`. */
import { withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { tokenTable } from './agent-status.js';

/** Every token of the configuration; with --watch also what happens to them from now on. */
export async function tokenList(context: CliContext, { options }: Invocation): Promise<CommandResult> {
  if (options.flag('watch')) return (await import('./token-watch.js')).tokenWatch(context);
  const result = await withAgent(context, (client) => client.call('tokens.list', {}));
  const text = result.tokens.length === 0 ? 'no token is configured' : tokenTable(result.tokens);
  return { json: result, text };
}
