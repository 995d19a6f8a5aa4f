/** `touchstone key revoke`. */
import { withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { renderKey } from './key-show.js';

/** Marks a key as revoked, with the reason in the keyring and in the audit log. */
export async function keyRevoke(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const key = invocation.args[0] ?? '';
  const reason = invocation.options.requiredText('reason');
  const result = await withAgent(context, (client) => client.call('keys.revoke', { key, reason }));
  return { json: result, text: renderKey(result.key) };
}
