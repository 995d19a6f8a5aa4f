/** `touchstone token setup`: root and derivation key are made on a token, or on two; nothing of them ever leaves it. */
import type { AgentClient } from '../../client/client.js';
import { sealPin } from '../../client/unlock.js';
import { AgentError } from '../../errors/agent-error.js';
import { LIMITS } from '../../protocol/limits.js';
import type { Result } from '../../protocol/methods.js';
import { withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import type { OptionValues } from '../option-values.js';
import { confirmOtpSetup, planOtpSetup, renderOtpPlan } from '../otp-setup.js';
import { pinSource } from '../pin.js';
import { renderFields } from '../table.js';
import { enterPin } from './unlock.js';

const BACKENDS = ['ec', 'hmac'] as const;

/** Which tokens, and what a person agreed to. */
interface SetupTokens {
  readonly token: string | undefined;
  readonly rootToken: string | undefined;
  /** Serial number of the key whose slot is written. */
  readonly programSlotOf?: string | undefined;
}

/** Sets up. A blank embedded token is initialised with the PIN that is entered. */
export async function tokenSetup(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const { options } = invocation;
  if (!options.flag('otp')) {
    for (const name of ['plan', 'confirm']) {
      if (!options.flag(name) && options.text(name) === undefined) continue;
      throw new AgentError('usage.invalid', { message: `option --${name}: it belongs to --otp` });
    }
    const tokens = { token: options.text('token'), rootToken: options.text('root-token') };
    const result = await withAgent(context, (client) => setUp(context, client, options, tokens));
    return { json: result, text: renderSetup(result) };
  }
  return withAgent(context, (client) => setUpOtp(context, client, options));
}

async function setUpOtp(
  context: CliContext,
  client: AgentClient,
  options: OptionValues,
): Promise<CommandResult> {
  const { tokens } = await client.call('tokens.list', {});
  const plan = planOtpSetup(tokens, options);
  if (options.flag('plan')) return { json: { plan }, text: renderOtpPlan(plan) };
  context.note(renderOtpPlan(plan));
  const programSlotOf = plan.action === 'program' ? await confirmOtpSetup(plan, options) : undefined;
  const { token, rootToken } = plan;
  const result = await setUp(context, client, options, { token, rootToken, programSlotOf });
  return { json: result, text: renderSetup(result) };
}

function setUp(
  context: CliContext,
  client: AgentClient,
  options: OptionValues,
  { token, rootToken, programSlotOf }: SetupTokens,
): Promise<Result<'tokens.setup'>> {
  const backend = options.choice('backend', BACKENDS);
  const seconds = options.seconds('for');
  const useLastTry = options.text('use-last-try');
  const source = pinSource(context, options, { isNew: options.flag('otp') });
  const rootSource = pinSource(context, options, { prefix: 'root-' });
  return enterPin(
    context,
    () => source.interactive,
    async () => {
      const { pin } = await sealPin(client, token, source.read);
      const root = rootToken === undefined ? undefined : await sealPin(client, rootToken, rootSource.read);
      const params = {
        pin,
        ...(root === undefined ? {} : { rootPin: root.pin }),
        ...(programSlotOf === undefined ? {} : { programSlotOf }),
        ...(options.flag('adopt') ? { adopt: true } : {}),
        ...(backend === undefined ? {} : { backend }),
        ...(seconds === undefined ? {} : { seconds }),
        ...(useLastTry === undefined ? {} : { useLastTry }),
      };
      return client.call('tokens.setup', params, {
        timeoutMs: context.flags.timeoutMs ?? LIMITS.maxDeadlineMs,
      });
    },
  );
}

function renderSetup({ root, derivation, audit, lease }: Result<'tokens.setup'>): string {
  return renderFields([
    ['root', `${root.name} ${root.keyId ?? ''}`.trim()],
    ['derivation', `${derivation.name} (${derivation.backend ?? 'unknown'})`],
    ['audit', `${audit.name} ${audit.keyId ?? ''}`.trim()],
    ['unlocked', `until ${lease.expiresAt}`],
  ]);
}
