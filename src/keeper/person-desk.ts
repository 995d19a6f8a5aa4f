/** Everything of the keeper that waits for a person: a PIN at a prompt or from the keychain, a token to be inserted, a finger. */
import { Asking } from './asking.js';
import { DesktopNotes } from './desktop-notes.js';
import type { KeeperHandlers } from './front-link.js';
import { StoredPins, type StoredPinParts } from './stored-pins.js';
import { TokenWaits } from './token-waits.js';
import type { Unlocking } from './unlocking.js';

/** Calls that are answered here. */
export type PersonMethod = 'unlock.ask' | 'unlock.cancel' | 'pin.store' | 'pin.forget';

interface PersonParts extends StoredPinParts {
  /** The token that is meant where none is named. */
  readonly defaultToken: () => string;
  /** A token is not there, and is waited for. */
  readonly onAbsent: (token: string, secondsLeft: number) => void;
}

export class PersonDesk {
  readonly notes: DesktopNotes;
  readonly waits: TokenWaits;
  readonly #parts: PersonParts;
  readonly #stored: StoredPins;
  readonly #asking: Asking;
  readonly #unlocking: Unlocking;

  constructor(parts: PersonParts, unlocking: Unlocking) {
    this.#parts = parts;
    this.#unlocking = unlocking;
    this.notes = new DesktopNotes(parts.config.notifications);
    this.waits = new TokenWaits(this.notes, parts.onAbsent);
    this.#stored = new StoredPins(parts, unlocking);
    this.#asking = new Asking({ ...parts, stored: this.#stored, notes: this.notes }, unlocking);
  }

  readonly handlers: Pick<KeeperHandlers, PersonMethod> = {
    'unlock.ask': async (params) => {
      const { lease, loaded } = await this.#asking.unlock(params);
      return { lease: lease.status(), loaded };
    },
    'unlock.cancel': ({ attempt }) => {
      this.#asking.cancel(attempt);
      this.waits.cancel(attempt);
      this.#unlocking.cancel(attempt);
      return {};
    },
    'pin.store': ({ pin, useLastTry }) => this.#stored.store(pin, useLastTry),
    'pin.forget': async ({ token }) => {
      const unit = this.#parts.unitOf(token ?? this.#parts.defaultToken());
      return { token: unit.config.name, forgotten: await this.#stored.forget(unit.config.name) };
    },
  };

  /** Nobody is there any more who could hear the outcome. */
  cancelAll(): void {
    this.#asking.cancelAll();
    this.waits.cancelAll();
  }
}
