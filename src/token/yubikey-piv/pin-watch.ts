/**
 * The counter of the PIN before and after everything that libykcs11 does with a card: it keeps the PIN, and sends it again by itself
 * when somebody else has reset the card, also when the PIN was changed meanwhile.
 */
import { AgentError } from '../../errors/agent-error.js';
import type { PinTries } from '../token.js';
import { withCard } from './card-reader.js';
import { isStillThere, type FoundCard } from './find-card.js';

/** Who used up a try: the driver in this process, or a program that we know nothing of. */
type Culprit = 'driver' | 'other';

export class PinWatch {
  readonly #card: FoundCard;
  /** Tries of a card that somebody is logged in to. */
  readonly #full: number | undefined;

  /** @param card as it was right before the login that succeeded */
  constructor(card: FoundCard) {
    this.#card = card;
    this.#full = card.tries?.total;
  }

  /**
   * Lets the driver work while the card is open, and only then: a card that is not would be sent the PIN by the driver.
   * @param giveUp ends the driver: after a failed PIN it never ends its transaction, and nobody else could reach the card
   * @throws AgentError `token.removed`, `token.locked` when another program has ended the login, `token.pin-alert`, and what `work` throws
   */
  during<T>(work: () => T, giveUp: () => void): T {
    this.#before();
    let result: T;
    try {
      result = work();
    } catch (error) {
      if (isUntouched(error)) {
        this.#after();
      } else {
        quietly(giveUp);
        this.#afterReset();
      }
      throw error;
    }
    this.#after();
    return result;
  }

  #before(): void {
    const { serial } = this.#card;
    if (!isStillThere(this.#card)) {
      throw new AgentError('token.removed', {
        message: `YubiKey ${serial}: it was removed`,
        details: { serial },
      });
    }
    const state = this.#read();
    if (state === 'open') return;
    this.#requireFull(state, 'other');
    throw new AgentError('token.locked', {
      message: `YubiKey ${serial}: another program has ended the login`,
      details: { serial },
    });
  }

  #after(): void {
    this.#compare(() => this.#read());
  }

  /** Nothing is selected on a card that was reset, and nobody is logged in whose login selecting could end. */
  #afterReset(): void {
    const { reader, serial } = this.#card;
    this.#compare(() =>
      withCard(reader, (card) => (card.identify().serial === serial ? card.pinState() : undefined)),
    );
  }

  /** A card that is gone now tells its counter when it is back. */
  #compare(read: () => 'open' | PinTries | undefined): void {
    let state: 'open' | PinTries | undefined;
    try {
      state = read();
    } catch {
      return;
    }
    if (typeof state === 'object') this.#requireFull(state, 'driver');
  }

  #requireFull(tries: PinTries | undefined, by: Culprit): void {
    if (tries === undefined || this.#full === undefined || tries.left >= this.#full) return;
    throw pinAlert(this.#card.serial, { by, before: this.#full, after: tries.left });
  }

  #read(): 'open' | PinTries | undefined {
    return withCard(this.#card.reader, (card) => card.pinState());
  }
}

/** A card that is gone cannot be reset, nor need it be. */
function quietly(giveUp: () => void): void {
  try {
    giveUp();
  } catch {
    // What has failed before matters more.
  }
}

/** The card answered, and waits for nothing: the driver goes on. */
function isUntouched(error: unknown): boolean {
  return error instanceof AgentError && error.code === 'token.touch-timeout';
}

function pinAlert(
  serial: string,
  { by, before, after }: { by: Culprit; before: number; after: number },
): AgentError {
  const who = by === 'driver' ? 'libykcs11 sent a PIN by itself' : 'another program sent a wrong PIN';
  return new AgentError('token.pin-alert', {
    message: `YubiKey ${serial}: ${who}, ${before - after} of ${before} tries used up`,
    details: { serial, by, before, after },
  });
}
