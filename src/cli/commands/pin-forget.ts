/** `touchstone pin forget`: takes the PIN of a token out of the keychain; the token need not be there. */
import { LIMITS } from '../../protocol/limits.js';
import { withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';

/** Forgets the PIN of one token. */
export async function pinForget(context: CliContext, { options }: Invocation): Promise<CommandResult> {
  const token = options.text('token');
  const forgotten = await withAgent(context, (client) =>
    client.call('pin.forget', token === undefined ? {} : { token }, {
      timeoutMs: context.flags.timeoutMs ?? LIMITS.maxDeadlineMs,
    }),
  );
  const name = `token "${forgotten.token}"`;
  const text = forgotten.forgotten
    ? `the PIN of ${name} is out of the keychain`
    : `the keychain held no PIN of ${name}`;
  return { json: forgotten, text };
}
