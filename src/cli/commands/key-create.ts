/** `touchstone key create`: a key that is made on a token and never leaves it. */
import type { AgentClient } from '../../client/client.js';
import { sealPin } from '../../client/unlock.js';
import { KEY_ALGORITHMS } from '../../crypto/algorithms.js';
import { AgentError } from '../../errors/agent-error.js';
import { formatKeyName, parseKeyName } from '../../keys/key-name.js';
import type { Result } from '../../protocol/methods.js';
import { withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import type { OptionValues } from '../option-values.js';
import { pinSource } from '../pin.js';
import { renderKey } from './key-show.js';
import { enterPin } from './unlock.js';

/** RSA on a slow card. Milliseconds. */
const CREATE_MS = 120_000;

/** Creates a key; asks for the PIN when the token is not unlocked. */
export async function keyCreate(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const { options } = invocation;
  const key = nameOf(invocation.args[0] ?? '', options);
  const token = options.requiredText('token');
  const result = await withAgent(context, async (client) => {
    const params = { key, token };
    const limits = { timeoutMs: context.flags.timeoutMs ?? CREATE_MS };
    if (await isUnlocked(client, token)) return client.call('keys.create', params, limits);
    return createWithPin(context, client, options, params);
  });
  return { json: result, text: renderKey(result.key) };
}

function createWithPin(
  context: CliContext,
  client: AgentClient,
  options: OptionValues,
  params: { readonly key: string; readonly token: string },
): Promise<Result<'keys.create'>> {
  const source = pinSource(context, options);
  const useLastTry = options.text('use-last-try');
  return enterPin(
    context,
    () => source.interactive,
    async () => {
      const { pin } = await sealPin(client, params.token, source.read);
      const all = { ...params, pin, ...(useLastTry === undefined ? {} : { useLastTry }) };
      return client.call('keys.create', all, { timeoutMs: context.flags.timeoutMs ?? CREATE_MS });
    },
  );
}

async function isUnlocked(client: AgentClient, token: string): Promise<boolean> {
  const { tokens } = await client.call('tokens.list', {});
  return tokens.some(({ name, state }) => name === token && state === 'unlocked');
}

/** --algorithm is the same as writing ~ALGORITHM; it may not say something else. */
function nameOf(text: string, options: OptionValues): string {
  const name = parseKeyName(text);
  const algorithm = options.choice('algorithm', KEY_ALGORITHMS) ?? name.algorithm;
  if (name.algorithm !== undefined && name.algorithm !== algorithm) {
    throw new AgentError('usage.invalid', { message: 'option --algorithm: the name says another algorithm' });
  }
  return formatKeyName({ ...name, ...(algorithm === undefined ? {} : { algorithm }) });
}
