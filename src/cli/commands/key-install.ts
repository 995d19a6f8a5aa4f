/** `touchstone key install`: the one way a leaf gets into another token. The PIN is the receiving token's. */
import { sealPin } from '../../client/unlock.js';
import { requestTimeoutMs, withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { pinSource } from '../pin.js';
import { renderKey } from './key-show.js';
import { enterPin } from './unlock.js';

/** Installs a key as a non-extractable object. */
export async function keyInstall(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const { options } = invocation;
  const key = invocation.args[0] ?? '';
  const token = options.requiredText('token');
  const useLastTry = options.text('use-last-try');
  const source = pinSource(context, options);
  const result = await withAgent(context, (client) =>
    enterPin(
      context,
      () => source.interactive,
      async () => {
        const { pin } = await sealPin(client, token, source.read);
        const params = { key, pin, ...(useLastTry === undefined ? {} : { useLastTry }) };
        return client.call('keys.install', params, { timeoutMs: requestTimeoutMs(context) });
      },
    ),
  );
  return { json: result, text: renderKey(result.key) };
}
