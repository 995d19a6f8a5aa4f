/** What `token setup --otp` is about to do, said before it does it, and the confirmation of a person. */
import { AgentError, type ErrorData } from '../errors/agent-error.js';
import type { TokenStatusInfo } from '../protocol/methods.js';
import type { OptionValues } from './option-values.js';
import { readTypedLine } from './typed-line.js';

export interface OtpSetupPlan {
  /** Name of the OTP token, and of the one that holds the root. */
  readonly token: string;
  readonly rootToken: string;
  readonly serial: string;
  readonly slot: 1 | 2;
  readonly firmware: string | undefined;
  /** Something is in the slot: it is lost when the slot is written. */
  readonly occupied: boolean;
  readonly action: 'program' | 'adopt';
}

/**
 * Chooses the tokens and looks at the slot.
 * @throws AgentError `token.unknown`, `token.ambiguous`, what keeps the key from being found
 */
export function planOtpSetup(tokens: readonly TokenStatusInfo[], options: OptionValues): OtpSetupPlan {
  const isSlot = ({ kind }: TokenStatusInfo): boolean => kind === 'yubikey-otp';
  const slotToken = choose(tokens.filter(isSlot), options.text('token'), '--token', 'an OTP slot');
  const root = choose(
    tokens.filter((token) => !isSlot(token)),
    options.text('root-token'),
    '--root-token',
    'the root',
  );
  const { slot, serial, reason } = slotToken;
  if (slot === undefined || serial === undefined) {
    throw reason === undefined ? new AgentError('token.absent') : AgentError.fromData(reason as ErrorData);
  }
  return {
    token: slotToken.name,
    rootToken: root.name,
    serial,
    slot: slot.number,
    firmware: slotToken.firmware,
    occupied: slot.programmed,
    action: options.flag('adopt') ? 'adopt' : 'program',
  };
}

/** The plan as a person reads it. */
export function renderOtpPlan(plan: OtpSetupPlan): string {
  const key = `YubiKey ${plan.serial}${plan.firmware === undefined ? '' : ` (firmware ${plan.firmware})`}`;
  return [`${key}, OTP slot ${plan.slot}:`, ...slotSteps(plan), ...keyringSteps(plan)].join('\n');
}

/**
 * The serial number that a person typed, here or after --confirm.
 * @throws AgentError `usage.invalid` when it is another one
 */
export async function confirmOtpSetup(plan: OtpSetupPlan, options: OptionValues): Promise<string> {
  const hint = `read the plan with --plan, then add --confirm ${plan.serial}`;
  const prompt = `Type the serial number (${plan.serial}) to write slot ${plan.slot}: `;
  const typed = options.text('confirm') ?? (await readTypedLine(prompt, hint));
  if (typed === plan.serial) return typed;
  throw new AgentError('usage.invalid', {
    message: `setting up token "${plan.token}": the serial number that was confirmed is not that of the key`,
    hint: `${hint}; nothing was changed`,
  });
}

function slotSteps(plan: OtpSetupPlan): readonly string[] {
  if (plan.action === 'adopt') {
    return [
      '  1. the secret in the slot is taken as it is; two touches prove that the slot has a variable length',
      '  2. a spare is another key with the same secret, which only you can have',
    ];
  }
  const lost = plan.occupied ? 'THE SLOT IS IN USE: what is in it is lost for good' : 'the slot is empty';
  return [
    `  1. a new secret is written: HMAC-SHA1 challenge-response, variable length, touch (${lost})`,
    '  2. one touch shows that it answers; nobody has a copy of the secret, so this key has no spare',
  ];
}

function keyringSteps(plan: OtpSetupPlan): readonly string[] {
  return [
    '  3. you choose a passphrase of at least 12 characters: it takes part in every key, and cannot be changed',
    `  4. the root key is made on token "${plan.rootToken}", and the keyring with a check value of slot and passphrase`,
    'Each repository key costs one touch at every unlock.',
  ];
}

function choose(
  fitting: readonly TokenStatusInfo[],
  name: string | undefined,
  option: string,
  what: string,
): TokenStatusInfo {
  const names = fitting.map((token) => token.name);
  const chosen = name === undefined ? fitting[0] : fitting.find((token) => token.name === name);
  if (chosen !== undefined && (name !== undefined || fitting.length === 1)) return chosen;
  throw new AgentError(fitting.length > 1 && name === undefined ? 'token.ambiguous' : 'token.unknown', {
    message: `choosing the token for ${what}: ${name === undefined ? `${names.length} are` : `"${name}" is not one that is`} configured`,
    hint:
      names.length === 0
        ? 'add a [[token]] to touchstone.toml: see docs/tokens/yubikey-otp.md'
        : `give ${option} with one of: ${names.join(', ')}`,
  });
}
