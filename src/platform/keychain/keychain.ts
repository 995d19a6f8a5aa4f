/** The keychain of the desktop, asked through a process that lives for one question: a crash or a hang of its library stays there. */
import { AgentError } from '../../errors/agent-error.js';
import { runBounded } from '../bounded-program.js';
import { scrubEnvironment, SCRUBBED_NODE_FLAGS } from '../hardening.js';
import { isItemLocked } from './locked-item.js';
import { KEYCHAIN_ANSWER, MAX_STORED_BYTES, type KeychainAction } from './answer.js';

export interface KeychainOptions {
  /** Absolute path of the process's entry script. */
  readonly entry: string;
  /** Name of the item under our service; no secret. */
  readonly account: string;
  /** A locked keychain asks its own person for the password meanwhile. Milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** What the library needs to find the session bus; never a display, with which it could start a bus of its own. */
const BUS_VARIABLES: readonly string[] = ['DBUS_SESSION_BUS_ADDRESS'];

/**
 * What is stored, or undefined; the caller overwrites it.
 * @throws AgentError `keychain.unavailable`, `keychain.timeout`, `keychain.locked`, `limits.cancelled`
 */
export function readKeychain(options: KeychainOptions): Promise<Buffer | undefined> {
  return ask('read', options);
}

/** Stores, over what was there. @param value overwritten @throws AgentError as for reading */
export async function writeKeychain(options: KeychainOptions, value: Buffer): Promise<void> {
  await ask('write', options, value);
}

/** @returns false when nothing was there. @throws AgentError as for reading */
export async function eraseKeychain(options: KeychainOptions): Promise<boolean> {
  return (await ask('erase', options)) !== undefined;
}

async function ask(
  action: KeychainAction,
  { entry, account, timeoutMs, signal }: KeychainOptions,
  input?: Buffer,
): Promise<Buffer | undefined> {
  const end = await runBounded({
    program: process.execPath,
    argv: [...SCRUBBED_NODE_FLAGS, entry, action, account],
    environment: {
      ...scrubEnvironment(process.env, BUS_VARIABLES),
      TOUCHSTONE_PARENT: String(process.pid),
    },
    input,
    maxOutputBytes: MAX_STORED_BYTES,
    timeoutMs,
    signal,
  });
  switch (end.kind) {
    case 'ended':
      return await answerOf(end.output, end.how, account);
    case 'cancelled':
      throw new AgentError('limits.cancelled');
    case 'late':
      throw new AgentError('keychain.timeout');
    case 'talks-too-much':
    case 'not-started':
      throw unavailable(
        end.kind === 'not-started' ? 'its process did not start' : 'it holds more than a PIN',
      );
  }
}

async function answerOf(output: Buffer, how: string, account: string): Promise<Buffer | undefined> {
  try {
    switch (output[0]) {
      case KEYCHAIN_ANSWER.done:
        return Buffer.from(output.subarray(1));
      case KEYCHAIN_ANSWER.nothing:
        if (await isItemLocked(account)) throw new AgentError('keychain.locked');
        return undefined;
      case KEYCHAIN_ANSWER.failed:
        throw failed(output.toString('utf8', 1));
      default:
        throw unavailable(`its process ended with ${how}`);
    }
  } finally {
    output.fill(0);
  }
}

/** @param reason of the library: its words are all that it gives */
function failed(reason: string): AgentError {
  if (!/\blocked\b/i.test(reason)) return unavailable(reason);
  return new AgentError('keychain.locked', { message: `asking the keychain: ${reason}` });
}

function unavailable(what: string): AgentError {
  return new AgentError('keychain.unavailable', { message: `asking the keychain: ${what}` });
}
