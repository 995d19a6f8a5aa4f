/** `touchstone key adopt`: a root key that was made elsewhere, on the token of whoever holds it. */
import { withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { publicKeyFile } from '../public-key-file.js';
import { renderKey } from './key-show.js';

/** Records the key; the token has to be there, and stays locked. */
export async function keyAdopt(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const { options } = invocation;
  const key = invocation.args[0] ?? '';
  const token = options.requiredText('token');
  const publicKey = await publicKeyFile(options.requiredText('public-key'));
  const result = await withAgent(context, (client) => client.call('keys.adopt', { key, token, publicKey }));
  if (!result.adopted) context.note('touchstone: the key is recorded already');
  return { json: result, text: renderKey(result.key) };
}
