/** `touchstone pin store`: says what it costs, wants a typed word, tries the PIN once and has it put into the keychain. */
import { sealPin } from '../../client/unlock.js';
import { AgentError } from '../../errors/agent-error.js';
import { LIMITS } from '../../protocol/limits.js';
import { withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import type { OptionValues } from '../option-values.js';
import { pinSource } from '../pin.js';
import { readTypedLine } from '../typed-line.js';
import { enterPin } from './unlock.js';

const WORD = 'store';

const COST = `With its PIN in the keychain a token unlocks without you:
  - whatever runs as you while you are logged in can read the PIN, or run "touchstone unlock"
  - of two things that a thief needed, token and PIN, one is left: the token; a touch, where its keys want one, stays
  - a backup or copy of the keychain holds the PIN too
The PIN is tried once now, and stored when the token takes it. "touchstone pin forget" takes it out again.`;

/** Stores the PIN of one token. */
export async function pinStore(context: CliContext, { options }: Invocation): Promise<CommandResult> {
  const source = pinSource(context, options);
  const useLastTry = options.text('use-last-try');
  await confirm(context, options);
  const stored = await withAgent(context, (client) =>
    enterPin(
      context,
      () => source.interactive,
      async () => {
        const { pin } = await sealPin(client, options.text('token'), source.read);
        const params = useLastTry === undefined ? { pin } : { pin, useLastTry };
        return client.call('pin.store', params, {
          timeoutMs: context.flags.timeoutMs ?? LIMITS.maxDeadlineMs,
        });
      },
    ),
  );
  return {
    json: stored,
    text: `the PIN of token "${stored.token}" (serial ${stored.serial}) is in the keychain`,
  };
}

async function confirm(context: CliContext, options: OptionValues): Promise<void> {
  context.warn(COST);
  const hint = `add --confirm ${WORD} if you mean it`;
  const typed = options.text('confirm') ?? (await readTypedLine(`Type ${WORD} to go on: `, hint));
  if (typed === WORD) return;
  throw new AgentError('usage.invalid', {
    message: `storing the PIN: "${WORD}" was not what was typed, so nothing was stored`,
    hint,
  });
}
