/** The finger: when it comes, if it comes, and how long the card waits for it. */

/** What a wait for a finger ends with. */
export type TouchResult = 'touched' | 'missed' | 'power-lost';

/** How long a real card waits, milliseconds. */
const CARD_WAITS_MS = 15_000;

interface Waiting {
  readonly end: (result: TouchResult) => void;
  readonly timers: readonly NodeJS.Timeout[];
}

export class TouchSensor {
  /** A finger comes by itself this many milliseconds after the card begins to wait; undefined: only by `give`. */
  afterMs: number | undefined = 0;
  /** How long the card waits, milliseconds. */
  timeoutMs = CARD_WAITS_MS;
  /** Touches that a command used. */
  used = 0;
  #waiting: Waiting | undefined;
  #wanted: (() => void)[] = [];

  /** True while the card blinks. */
  get isWanted(): boolean {
    return this.#waiting !== undefined;
  }

  /** No finger comes until somebody calls `give`. */
  never(): void {
    this.afterMs = undefined;
  }

  /** A finger now. One that nobody waits for does nothing. */
  give(): void {
    this.#waiting?.end('touched');
  }

  /** Resolves as soon as the card waits for a finger. */
  wanted(): Promise<void> {
    if (this.isWanted) return Promise.resolve();
    return new Promise((resolve) => this.#wanted.push(resolve));
  }

  /** Of the card: waits for a finger. */
  wait(): Promise<TouchResult> {
    return new Promise((resolve) => {
      const end = (result: TouchResult): void => {
        timers.forEach(clearTimeout);
        this.#waiting = undefined;
        if (result === 'touched') this.used += 1;
        resolve(result);
      };
      const finger = this.afterMs === undefined ? [] : [setTimeout(end, this.afterMs, 'touched')];
      const timers = [...finger, setTimeout(end, this.timeoutMs, 'missed')];
      this.#waiting = { end, timers };
      for (const listener of this.#wanted.splice(0)) listener();
    });
  }

  /** Of the card: nobody waits any more. */
  cancel(): void {
    this.#waiting?.end('power-lost');
  }
}
