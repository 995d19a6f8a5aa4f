/** Setting up a card from the command line: the plan first, then what a person has to agree to, then what only a person knows. */
import type { AgentClient } from '../client/client.js';
import { AgentError, type ErrorData } from '../errors/agent-error.js';
import type { CardPlanInfo, Params, TokenStatusInfo } from '../protocol/methods.js';
import { UNTOUCHED_PHRASE } from '../protocol/untouched.js';
import { lostSlots } from './card-plan.js';
import type { OptionValues } from './option-values.js';
import { readTypedLine } from './typed-line.js';

const ROOT_TOUCH = ['always', 'cached'] as const;
const DERIVATION_TOUCH = ['always', 'cached', 'never'] as const;
const CARD_OPTIONS = ['root-touch', 'derivation-touch', 'puk-file', 'puk-fd'] as const;

/** What a person agreed to. */
export type CardConsent = Pick<Params<'tokens.setup'>, 'programSlotOf' | 'withoutTouch'>;

/** The card that is meant, when one token is to hold both keys and is a card. */
export function chosenCard(tokens: readonly TokenStatusInfo[], options: OptionValues): string | undefined {
  if (options.text('root-token') !== undefined) return undefined;
  const name = options.text('token');
  const [only, ...others] = name === undefined ? tokens : tokens.filter((token) => token.name === name);
  return only?.kind === 'yubikey-piv' && others.length === 0 ? only.name : undefined;
}

/** @throws AgentError `usage.invalid` for options that only cards and OTP slots have */
export function refuseCardOptions(options: OptionValues): void {
  for (const name of ['plan', 'confirm'])
    refuse(name, 'it belongs to --otp, and to a card that holds both keys', options);
  for (const name of CARD_OPTIONS) refuse(name, 'it belongs to a card that holds both keys', options);
}

function refuse(name: string, why: string, options: OptionValues): void {
  if (!options.flag(name) && options.text(name) === undefined) return;
  throw new AgentError('usage.invalid', { message: `option --${name}: ${why}` });
}

/** Touch policies as they were asked for. */
export function cardChoices(
  options: OptionValues,
): Pick<Params<'tokens.setup'>, 'rootTouch' | 'derivationTouch'> {
  const rootTouch = options.choice('root-touch', ROOT_TOUCH);
  const derivationTouch = options.choice('derivation-touch', DERIVATION_TOUCH);
  return {
    ...(rootTouch === undefined ? {} : { rootTouch }),
    ...(derivationTouch === undefined ? {} : { derivationTouch }),
  };
}

export async function askForPlan(
  client: AgentClient,
  token: string,
  options: OptionValues,
): Promise<CardPlanInfo> {
  const adopt = options.flag('adopt') ? { adopt: true } : {};
  const { plan } = await client.call('tokens.plan', { token, ...adopt, ...cardChoices(options) });
  return plan;
}

/** @throws AgentError why the plan cannot be followed, `usage.invalid` when somebody did not agree */
export async function agreeToPlan(plan: CardPlanInfo, options: OptionValues): Promise<CardConsent> {
  const [refusal] = plan.refusals;
  if (refusal !== undefined) throw AgentError.fromData(refusal as ErrorData);
  const programSlotOf = lostSlots(plan).length === 0 ? undefined : await confirmLoss(plan, options);
  const withoutTouch = plan.warnings.includes('without-touch') ? await acceptUntouched(options) : undefined;
  return {
    ...(programSlotOf === undefined ? {} : { programSlotOf }),
    ...(withoutTouch === undefined ? {} : { withoutTouch }),
  };
}

async function confirmLoss(plan: CardPlanInfo, options: OptionValues): Promise<string> {
  const slots = lostSlots(plan).join(' and slot ');
  const hint = `read the plan with --plan, then add --confirm ${plan.serial}; --adopt takes the keys as they are`;
  const prompt = `Type the serial number (${plan.serial}) to lose what is in slot ${slots}: `;
  const typed = options.text('confirm') ?? (await readTypedLine(prompt, hint));
  if (typed === plan.serial) return typed;
  throw new AgentError('usage.invalid', {
    message: `setting up token "${plan.token}": the serial number that was confirmed is not that of the card`,
    hint: `${hint}; nothing was changed`,
  });
}

async function acceptUntouched(options: OptionValues): Promise<string> {
  const hint = `choose --derivation-touch cached, or add --without-touch "${UNTOUCHED_PHRASE}"`;
  const prompt = `Type "${UNTOUCHED_PHRASE}" to go on without a touch: `;
  const typed = options.text('without-touch') ?? (await readTypedLine(prompt, hint));
  if (typed === UNTOUCHED_PHRASE) return typed;
  throw new AgentError('token.without-touch', { hint: `${hint}; nothing was changed` });
}
