/** Unlocking with a PIN that the agent reads by itself when it starts, from a file or a systemd credential. */
import { AgentError } from '../errors/agent-error.js';
import type { PinLedger } from '../state/pin-ledger.js';
import type { Lease } from './lease.js';
import type { TokenUnit } from './token-unit.js';
import type { Unlocking } from './unlocking.js';

export interface SourceUnlock {
  readonly unit: TokenUnit;
  /** Returns bytes that are overwritten here. */
  readonly readPin: () => Buffer;
  readonly owner: number;
}

/**
 * Only while the token has all its tries, and the last PIN sent to it was right: a machine that restarts must not spend them.
 * @throws AgentError `token.pin-known-wrong`, and those of an unlock
 */
export function unlockFromSource(
  { unit, readPin, owner }: SourceUnlock,
  ledger: PinLedger,
  unlocking: Unlocking,
): Promise<{ lease: Lease; loaded: number }> {
  return unit.section(async () => {
    const info = await unit.open();
    if (info.triesLeft !== 'full' || maybeWrong(ledger, info.serial)) {
      throw new AgentError('token.pin-known-wrong', {
        message: `token "${unit.config.name}" has refused a PIN; the one from the configuration is not sent`,
        hint: 'unlock it once by hand: touchstone unlock',
      });
    }
    const pin = readPin();
    return unlocking.unlock(unit, pin, { lease: {}, owner }).finally(() => pin.fill(0));
  });
}

/** Not every token reveals its counter, and after a kill in the middle nobody knows: what we wrote down decides. */
function maybeWrong(ledger: PinLedger, serial: string): boolean {
  const last = ledger.attempts(serial).at(-1)?.outcome;
  return last === 'wrong' || last === 'locked' || last === 'unknown';
}
