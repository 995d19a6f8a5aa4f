/** `touchstone git-key`: the line that git's gpg.ssh.defaultKeyCommand wants. */
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { gitKeyOf } from '../git/ssh-key.js';

/** Without the prefix git takes an ECDSA key for the name of a file. */
export async function gitKey(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const key = await gitKeyOf(context, invocation.options.text('key'));
  const text = `key::${key.line}`;
  return { json: { key: key.name, keyId: key.keyId, signingKey: text }, text };
}
