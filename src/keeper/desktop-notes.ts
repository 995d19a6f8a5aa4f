/** Tells the person at the desktop that something waits for a finger, a PIN or a token: names and numbers, never a secret. */
import { closeNotification, showNotification } from '../platform/desktop-notification.js';
import { hasSessionBus } from '../platform/session-bus.js';

/** The same words for the same token are not said again before. Milliseconds. */
const QUIET_MS = 2_000;

interface Shown {
  readonly words: string;
  readonly atMs: number;
}

export class DesktopNotes {
  readonly #isOn: boolean;
  /** By token; calls for one token follow each other. */
  readonly #numbers = new Map<string, Promise<number>>();
  readonly #shown = new Map<string, Shown>();

  /** @param isWanted `notifications` of touchstone.toml */
  constructor(isWanted: boolean) {
    this.#isOn = isWanted && hasSessionBus();
  }

  touch(token: string, seconds: number): void {
    this.#show(token, 'Touch the YubiKey', `Token ${token} waits for your finger.`, seconds);
  }

  /** @param asked uid and process, as the kernel says */
  pin(token: string, asked: { readonly owner: number; readonly pid: number }, seconds: number): void {
    const who = `uid ${asked.owner}, process ${asked.pid}`;
    this.#show(token, 'A PIN is asked for', `Token ${token} is to be unlocked, for ${who}.`, seconds);
  }

  absent(token: string, seconds: number): void {
    this.#show(token, 'Insert a token', `A command waits for token ${token}.`, seconds);
  }

  /** What was waited for came, or nobody waits any more. */
  done(token: string): void {
    this.#shown.delete(token);
    const last = this.#numbers.get(token);
    if (last === undefined) return;
    const closed = last.then(async (number) => {
      if (number !== 0) await closeNotification(number);
      return 0;
    });
    this.#numbers.set(token, closed);
  }

  #show(token: string, title: string, body: string, seconds: number): void {
    const words = `${title} ${body}`;
    const before = this.#shown.get(token);
    const nowMs = performance.now();
    if (!this.#isOn || (before?.words === words && nowMs - before.atMs < QUIET_MS)) return;
    this.#shown.set(token, { words, atMs: nowMs });
    const last = this.#numbers.get(token) ?? Promise.resolve(0);
    const next = last.then(
      async (replaces) => (await showNotification({ title, body, seconds, replaces })) ?? 0,
    );
    this.#numbers.set(token, next);
  }
}
