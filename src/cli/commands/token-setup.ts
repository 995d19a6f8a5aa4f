/** `touchstone token setup`: root and derivation key are made on a token, or on two; nothing of them ever leaves it. */
import type { AgentClient } from '../../client/client.js';
import { sealPin } from '../../client/unlock.js';
import { LIMITS } from '../../protocol/limits.js';
import type { CardPlanInfo, Params, Result } from '../../protocol/methods.js';
import { withAgent } from '../agent-session.js';
import { renderCardPlan } from '../card-plan.js';
import { agreeToPlan, askForPlan, cardChoices, chosenCard, refuseCardOptions } from '../card-setup.js';
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
  readonly consent?: Partial<Params<'tokens.setup'>>;
  /** Of a card that holds both keys. */
  readonly plan?: CardPlanInfo;
}

/** Sets up. A blank embedded token is initialised with the PIN that is entered. */
export async function tokenSetup(context: CliContext, { options }: Invocation): Promise<CommandResult> {
  return withAgent(context, async (client) => {
    if (options.flag('otp')) return setUpOtp(context, client, options);
    const { tokens } = await client.call('status', {});
    const card = chosenCard(tokens, options);
    if (card !== undefined) return setUpCard(context, client, options, card);
    refuseCardOptions(options);
    const withoutTouch = options.text('without-touch');
    const consent = withoutTouch === undefined ? {} : { withoutTouch };
    const chosen = { token: options.text('token'), rootToken: options.text('root-token'), consent };
    return setUp(context, client, options, chosen);
  });
}

async function setUpCard(
  context: CliContext,
  client: AgentClient,
  options: OptionValues,
  token: string,
): Promise<CommandResult> {
  const plan = await askForPlan(client, token, options);
  if (options.flag('plan')) return { json: { plan }, text: renderCardPlan(plan) };
  context.note(renderCardPlan(plan));
  const consent = { ...(await agreeToPlan(plan, options)), ...cardChoices(options) };
  return setUp(context, client, options, { token, rootToken: undefined, consent, plan });
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
  const consent = programSlotOf === undefined ? {} : { programSlotOf };
  return setUp(context, client, options, { token, rootToken, consent });
}

async function setUp(
  context: CliContext,
  client: AgentClient,
  options: OptionValues,
  { token, rootToken, consent, plan }: SetupTokens,
): Promise<CommandResult> {
  const isNew = options.flag('otp') || plan?.pin === 'change';
  const source = pinSource(context, options, { isNew });
  const rootSource = pinSource(context, options, { name: 'root-pin' });
  const pukSource = pinSource(context, options, { name: 'puk', isNew: true });
  const result = await enterPin(
    context,
    () => source.interactive,
    async () => {
      const { pin } = await sealPin(client, token, source.read);
      const root = rootToken === undefined ? undefined : await sealPin(client, rootToken, rootSource.read);
      const puk = plan?.puk === 'change' ? await sealPin(client, token, pukSource.read) : undefined;
      const params = {
        ...setupParams(options),
        ...consent,
        pin,
        ...(root === undefined ? {} : { rootPin: root.pin }),
        ...(puk === undefined ? {} : { puk: puk.pin }),
      };
      return client.call('tokens.setup', params, {
        timeoutMs: context.flags.timeoutMs ?? LIMITS.maxDeadlineMs,
      });
    },
  );
  return { json: result, text: renderSetup(result) };
}

function setupParams(options: OptionValues): Omit<Params<'tokens.setup'>, 'pin'> {
  const backend = options.choice('backend', BACKENDS);
  const seconds = options.seconds('for');
  const useLastTry = options.text('use-last-try');
  return {
    ...(options.flag('adopt') ? { adopt: true } : {}),
    ...(backend === undefined ? {} : { backend }),
    ...(seconds === undefined ? {} : { seconds }),
    ...(useLastTry === undefined ? {} : { useLastTry }),
  };
}

function renderSetup({ root, derivation, audit, lease }: Result<'tokens.setup'>): string {
  const { card } = root;
  const vouched = card?.root === undefined ? 'nobody vouches for it' : `vouched for by ${card.root}`;
  return renderFields([
    ['root', `${root.name} ${root.keyId ?? ''}`.trim()],
    ['derivation', `${derivation.name} (${derivation.backend ?? 'unknown'})`],
    ['audit', `${audit.name} ${audit.keyId ?? ''}`.trim()],
    [
      'card',
      card === undefined ? undefined : `YubiKey ${card.serial}, firmware ${card.firmware}; ${vouched}`,
    ],
    ['unlocked', `until ${lease.expiresAt}`],
  ]);
}
