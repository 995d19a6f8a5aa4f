/**
 * Where a PIN comes from: a private file, an inherited descriptor, or a person at the terminal. Never an argument, never the
 * environment. The last try of a token is not used unless its serial was typed.
 */
import type { ReadPin, UnlockAttempt } from '../client/unlock.js';
import { AgentError } from '../errors/agent-error.js';
import type { CliContext } from './context.js';
import type { OptionValues } from './option-values.js';

export interface PinSource {
  /** A person types it: a wrong entry may be asked again. */
  readonly interactive: boolean;
  readonly read: ReadPin;
}

const TRIES_WORDS: Readonly<Record<UnlockAttempt['triesLeft'], string>> = {
  full: 'all tries left',
  low: 'few tries left',
  last: 'one try left',
  locked: 'locked',
};

/** Names of options that give a secret, without `-file` and `-fd`. */
type PinOption = 'pin' | 'root-pin' | 'puk';

export interface PinOptions {
  /** What the options are called, for a command that needs two of them. */
  readonly name?: PinOption | undefined;
  /** It is being set now: a person types it twice. */
  readonly isNew?: boolean | undefined;
}

/** Reads --pin-file, --pin-fd and --use-last-try. */
export function pinSource(
  context: CliContext,
  options: OptionValues,
  { name = 'pin', isNew = false }: PinOptions = {},
): PinSource {
  const file = options.text(`${name}-file`);
  const fd = options.integer(`${name}-fd`, { min: 0, max: 1_048_575 });
  if (file !== undefined && fd !== undefined) {
    throw new AgentError('usage.invalid', {
      message: `options --${name}-file and --${name}-fd: only one can be used`,
    });
  }
  const lastTrySerial = options.text('use-last-try');
  const guarded = (read: ReadPin): ReadPin => {
    return (attempt) => {
      refuseLastTry(attempt, lastTrySerial);
      return read(attempt);
    };
  };
  if (file === undefined && fd === undefined) {
    return {
      interactive: true,
      read: guarded((attempt) => askPin(attempt, { isNew: isNew || !attempt.initialised, name })),
    };
  }
  const read: ReadPin = async () => {
    const { readPinDescriptor, readPinFile } = await import('./pin-file.js');
    return file === undefined ? readPinDescriptor(fd ?? 0) : readPinFile(file, context.uid);
  };
  return { interactive: false, read: guarded(read) };
}

/** `token "release" (serial 0123), all tries left` */
function describeAttempt(attempt: UnlockAttempt): string {
  const serial = attempt.serial === '' ? '' : ` (serial ${attempt.serial})`;
  const name = `token "${attempt.label === '' ? attempt.token : attempt.label}"${serial}`;
  // Nobody counts the tries of a passphrase.
  return isPassphrase(attempt) ? name : `${name}, ${TRIES_WORDS[attempt.triesLeft]}`;
}

function refuseLastTry(attempt: UnlockAttempt, lastTrySerial: string | undefined): void {
  if (attempt.triesLeft === 'locked') {
    throw new AgentError('token.pin-locked', {
      message: `${describeAttempt(attempt)}: the PIN cannot be entered`,
    });
  }
  if (attempt.triesLeft === 'last' && lastTrySerial !== attempt.serial) {
    throw new AgentError('token.pin-last-try', {
      message: `${describeAttempt(attempt)} before the PIN locks`,
      hint: `if you are sure of the PIN, add --use-last-try ${attempt.serial}`,
    });
  }
}

function isPassphrase({ kind }: UnlockAttempt): boolean {
  return kind === 'yubikey-otp';
}

/** A PIN that is being set, on a blank token or an OTP slot, is typed twice. */
async function askPin(
  attempt: UnlockAttempt,
  { isNew, name }: { readonly isNew: boolean; readonly name: PinOption },
): Promise<Buffer> {
  const { readPinFromTerminal } = await import('./pin-terminal.js');
  const what = describeAttempt(attempt);
  const secret = name === 'puk' ? 'PUK' : isPassphrase(attempt) ? 'passphrase' : 'PIN';
  const prompt = `${isNew ? `New ${secret}` : capital(secret)} for ${what}: `;
  const pin = await readPinFromTerminal(prompt, timeLeftMs(attempt), name);
  if (!isNew) return pin;
  const again = await readPinFromTerminal(`The same ${secret} again: `, timeLeftMs(attempt), name);
  const same = pin.equals(again);
  again.fill(0);
  if (same) return pin;
  pin.fill(0);
  throw new AgentError('token.pin-format', { message: 'the two entries differ' });
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

/** The keeper forgets its one-time key then; a PIN typed later would be sealed for nobody. */
function timeLeftMs(attempt: UnlockAttempt): number {
  const left = Date.parse(attempt.expiresAt) - Date.now();
  return Number.isFinite(left) ? Math.max(1, left) : 60_000;
}
