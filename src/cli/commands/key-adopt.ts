/** `touchstone key adopt`: a root key that was made elsewhere, on the token of whoever holds it. */
import { createPublicKey } from 'node:crypto';
import { AgentError } from '../../errors/agent-error.js';
import { withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { readInput } from '../input-file.js';
import { renderKey } from './key-show.js';

/** Records the key; the token has to be there, and stays locked. */
export async function keyAdopt(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const { options } = invocation;
  const key = invocation.args[0] ?? '';
  const token = options.requiredText('token');
  const publicKey = spkiOf(await readInput(options.requiredText('public-key')));
  const result = await withAgent(context, (client) => client.call('keys.adopt', { key, token, publicKey }));
  if (!result.adopted) context.note('touchstone: the key is recorded already');
  return { json: result, text: renderKey(result.key) };
}

function spkiOf(pem: Buffer): string {
  try {
    return createPublicKey(pem).export({ format: 'der', type: 'spki' }).toString('base64');
  } catch (cause) {
    throw new AgentError('usage.invalid', { message: 'option --public-key: not a public key in PEM', cause });
  }
}
