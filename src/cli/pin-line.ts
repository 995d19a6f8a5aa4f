/** A line typed without echo, byte by byte, in memory that is overwritten. Pure: the terminal itself is in pin-terminal. */
import { secretBuffer } from '../crypto/secret-bytes.js';

/** Longer than any PIN a PKCS#11 token takes, and the longest passphrase. Bytes. */
export const MAX_PIN_BYTES = 512;

export type LineState = 'open' | 'done' | 'interrupted';

const INTERRUPT = 0x03;
const END_OF_INPUT = 0x04;
const BACKSPACE = 0x08;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const KILL_LINE = 0x15;
const DELETE = 0x7f;
const FIRST_PRINTABLE = 0x20;

export class PinLine implements Disposable {
  readonly #bytes = Buffer.alloc(MAX_PIN_BYTES);
  #length = 0;

  /** Takes one byte as the terminal sends it in raw mode; bytes past the longest PIN are dropped. */
  feed(byte: number): LineState {
    if (byte === INTERRUPT) return 'interrupted';
    if (byte === LINE_FEED || byte === CARRIAGE_RETURN) return 'done';
    if (byte === END_OF_INPUT) return this.#length === 0 ? 'interrupted' : 'done';
    if (byte === BACKSPACE || byte === DELETE) this.#eraseCharacter();
    else if (byte === KILL_LINE) this[Symbol.dispose]();
    else if (byte >= FIRST_PRINTABLE && this.#length < MAX_PIN_BYTES) {
      this.#bytes[this.#length] = byte;
      this.#length += 1;
    }
    return 'open';
  }

  /** A copy of what was typed; the line itself is overwritten. */
  take(): Buffer {
    const copy = secretBuffer(this.#length);
    this.#bytes.copy(copy, 0, 0, this.#length);
    this[Symbol.dispose]();
    return copy;
  }

  [Symbol.dispose](): void {
    this.#bytes.fill(0);
    this.#length = 0;
  }

  /** One character, which in UTF-8 may be several bytes. */
  #eraseCharacter(): void {
    while (this.#length > 0) {
      this.#length -= 1;
      const erased = this.#bytes[this.#length] ?? 0;
      this.#bytes[this.#length] = 0;
      if ((erased & 0xc0) !== 0x80) return;
    }
  }
}
