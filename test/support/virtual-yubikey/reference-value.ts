/** PIN or PUK: a value of 6 to 8 bytes, filled up with FF, and the counter that blocks it. */
import { timingSafeEqual } from 'node:crypto';
import { StatusWordError, SW, wrongReference } from './status-word.js';

export const REFERENCE_BYTES = 8;
const MIN_BYTES = 6;
const FILLER = 0xff;
const DEFAULT_TRIES = 3;

/** Which word the last wrong try itself gets: SP 800-73-4 allows both readings, so a driver has to take both. */
export type LastWrongTry = 'blocked' | 'none-left';

export class ReferenceValue {
  #value: Buffer;
  readonly #factory: Buffer;
  readonly #lastWrongTry: LastWrongTry;
  #maxTries = DEFAULT_TRIES;
  #triesLeft = DEFAULT_TRIES;

  constructor(factory: string, lastWrongTry: LastWrongTry) {
    this.#factory = filled(Buffer.from(factory));
    this.#value = this.#factory;
    this.#lastWrongTry = lastWrongTry;
  }

  get triesLeft(): number {
    return this.#triesLeft;
  }

  get maxTries(): number {
    return this.#maxTries;
  }

  get isBlocked(): boolean {
    return this.#triesLeft === 0;
  }

  get isFactory(): boolean {
    return this.#value.equals(this.#factory);
  }

  /** Costs a try when wrong, gives all back when right. @throws StatusWordError 63cx, 6983 */
  check(candidate: Buffer): void {
    if (this.isBlocked) throw new StatusWordError(SW.blocked);
    if (timingSafeEqual(candidate, this.#value)) {
      this.#triesLeft = this.#maxTries;
      return;
    }
    this.#triesLeft -= 1;
    if (this.#triesLeft === 0 && this.#lastWrongTry === 'blocked') throw new StatusWordError(SW.blocked);
    throw wrongReference(this.#triesLeft);
  }

  /** The word an empty VERIFY gets while nobody is verified. */
  statusQuery(): StatusWordError {
    return this.isBlocked ? new StatusWordError(SW.blocked) : wrongReference(this.#triesLeft);
  }

  /** Takes a new value and the full counter. */
  set(value: Buffer): void {
    this.#value = Buffer.from(value);
    this.#triesLeft = this.#maxTries;
  }

  /** Back to the factory's value, with a counter of its own. */
  restore(maxTries = DEFAULT_TRIES): void {
    this.#maxTries = maxTries;
    this.set(this.#factory);
  }
}

/** @throws StatusWordError 6a80 when this can be no PIN or PUK */
export function requireWellFormed(value: Buffer): void {
  const end = value.indexOf(FILLER);
  const length = end === -1 ? value.length : end;
  const fillerOnly = value.subarray(length).every((byte) => byte === FILLER);
  if (value.length !== REFERENCE_BYTES || length < MIN_BYTES || !fillerOnly)
    throw new StatusWordError(SW.wrongData);
}

function filled(value: Buffer): Buffer {
  return Buffer.concat([value, Buffer.alloc(REFERENCE_BYTES - value.length, FILLER)]);
}
