/** `touchstone unlock`: a PIN for a lease. Every entry is one attempt at the token; nothing is tried twice by itself. */
import { unlockToken, type LeaseRequest } from '../../client/unlock.js';
import { AgentError, asAgentError } from '../../errors/agent-error.js';
import { LIMITS } from '../../protocol/limits.js';
import type { Result } from '../../protocol/methods.js';
import { withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import type { OptionValues } from '../option-values.js';
import { pinSource } from '../pin.js';
import { promptPlace } from '../prompt-place.js';
import { renderError } from '../error-text.js';
import { counted } from '../table.js';

/** Entries a person gets before the command gives up. */
const MAX_ENTRIES = 3;

/** After these a person may type again; everything else ends the command. */
const ASK_AGAIN = new Set<string>(['token.pin-incorrect', 'token.pin-known-wrong', 'token.pin-format']);

/** Unlocks one token. */
export async function unlock(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const { options } = invocation;
  const lease = leaseRequest(options);
  const source = pinSource(context, options);
  const waitSeconds = waitOption(options);
  // The agent lets a person try again by itself.
  let isAsking = false;
  const mayRepeat = (): boolean => source.interactive && !isAsking;
  const result = await withAgent(context, (client) =>
    enterPin(context, mayRepeat, () =>
      unlockToken(client, {
        token: options.text('token'),
        waitSeconds,
        readPin: source.read,
        lease,
        place: source.interactive && !options.flag('enter-pin') ? promptPlace(context.env) : undefined,
        onAsking: (how) => {
          isAsking = true;
          context.note(
            `touchstone: ${how === 'keychain' ? 'the agent takes the PIN from the keychain' : `the agent asks for the PIN (${how})`}`,
          );
        },
        timeoutMs: context.flags.timeoutMs ?? LIMITS.maxDeadlineMs,
      }),
    ),
  );
  return { json: result, text: renderUnlock(result) };
}

/** Repeats one PIN entry for a person who mistyped. */
export async function enterPin<T>(
  context: CliContext,
  mayRepeat: () => boolean,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let entry = 1; ; entry += 1) {
    try {
      return await attempt();
    } catch (thrown) {
      const error: AgentError = asAgentError(thrown);
      if (!mayRepeat() || entry === MAX_ENTRIES || !ASK_AGAIN.has(error.code)) throw error;
      context.warn(renderError(error, context.flags).trimEnd());
    }
  }
}

function waitOption(options: OptionValues): number | undefined {
  const seconds = options.seconds('wait');
  if (seconds === undefined || seconds * 1000 <= LIMITS.waitMs) return seconds;
  throw new AgentError('usage.invalid', {
    message: `option --wait: at most ${LIMITS.waitMs / 1000} seconds`,
  });
}

function leaseRequest(options: OptionValues): LeaseRequest {
  const keys = options.list('key');
  const kinds = options.list('kind');
  const uses = options.integer('uses', { min: 1, max: 2 ** 48 });
  const seconds = options.seconds('for');
  const useLastTry = options.text('use-last-try');
  return {
    ...(keys.length === 0 ? {} : { keys: [...keys] }),
    ...(kinds.length === 0 ? {} : { kinds: [...kinds] }),
    ...(uses === undefined ? {} : { uses }),
    ...(seconds === undefined ? {} : { seconds }),
    ...(options.flag('blind') ? { blind: true } : {}),
    ...(useLastTry === undefined ? {} : { useLastTry }),
  };
}

function renderUnlock({ lease, loaded }: Result<'unlock.finish'>): string {
  const uses = lease.usesLeft === null ? '' : `, for ${lease.usesLeft} signatures`;
  return `token "${lease.token}" unlocked: ${counted(loaded, 'key')} loaded until ${lease.expiresAt}${uses}`;
}
