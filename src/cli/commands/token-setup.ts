/** `touchstone token setup`: root and derivation key are made on the token; nothing of them ever leaves it. */
import { sealPin } from '../../client/unlock.js';
import { LIMITS } from '../../protocol/limits.js';
import type { Result } from '../../protocol/methods.js';
import { withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { pinSource } from '../pin.js';
import { renderFields } from '../table.js';
import { enterPin } from './unlock.js';

const BACKENDS = ['ec', 'hmac'] as const;

/** Sets one token up. A blank embedded token is initialised with the PIN that is entered. */
export async function tokenSetup(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const { options } = invocation;
  const backend = options.choice('backend', BACKENDS);
  const seconds = options.seconds('for');
  const useLastTry = options.text('use-last-try');
  const token = options.text('token');
  const source = pinSource(context, options);
  const result = await withAgent(context, (client) =>
    enterPin(context, source, async () => {
      const { pin } = await sealPin(client, token, source.read);
      const params = {
        pin,
        ...(options.flag('adopt') ? { adopt: true } : {}),
        ...(backend === undefined ? {} : { backend }),
        ...(seconds === undefined ? {} : { seconds }),
        ...(useLastTry === undefined ? {} : { useLastTry }),
      };
      return client.call('tokens.setup', params, {
        timeoutMs: context.flags.timeoutMs ?? LIMITS.maxDeadlineMs,
      });
    }),
  );
  return { json: result, text: renderSetup(result) };
}

function renderSetup({ root, derivation, audit, lease }: Result<'tokens.setup'>): string {
  return renderFields([
    ['root', `${root.name} ${root.keyId ?? ''}`.trim()],
    ['derivation', `${derivation.name} (${derivation.backend ?? 'unknown'})`],
    ['audit', `${audit.name} ${audit.keyId ?? ''}`.trim()],
    ['unlocked', `until ${lease.expiresAt}`],
  ]);
}
