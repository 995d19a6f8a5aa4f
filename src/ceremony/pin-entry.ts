/** One entry of a PIN for everything that is done at a token in one go: making a key takes a login, and proving it another. */
import { secretBuffer } from '../crypto/secret-bytes.js';
import type { ReadPin } from '../client/unlock.js';

export class PinEntry implements Disposable {
  readonly #ask: ReadPin;
  #pin: Buffer | undefined;

  constructor(ask: ReadPin) {
    this.#ask = ask;
  }

  /** Asks a person the first time; answers a copy, which is overwritten by whoever asked. */
  readonly read: ReadPin = async (attempt) => {
    if (this.#pin === undefined) {
      const entered = await this.#ask(attempt);
      this.#pin = secretBuffer(entered.length);
      entered.copy(this.#pin);
      return entered;
    }
    const copy = secretBuffer(this.#pin.length);
    this.#pin.copy(copy);
    return copy;
  };

  [Symbol.dispose](): void {
    this.#pin?.fill(0);
    this.#pin = undefined;
  }
}
