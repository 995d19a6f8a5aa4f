/** Unlocks that wait for a token to be inserted: looked for every second, until the time is over or nobody waits any more. */
import { setTimeout as delay } from 'node:timers/promises';
import { AgentError, asAgentError } from '../errors/agent-error.js';
import type { HostTokenInfo } from '../tokenhost/messages.js';
import type { DesktopNotes } from './desktop-notes.js';

const LOOK_EVERY_MS = 1_000;
/** Everything else is for the person to hear at once. */
const NOT_THERE: ReadonlySet<string> = new Set(['token.absent', 'token.removed']);

export interface TokenWait {
  /** By which `cancel` finds it. */
  readonly id: string;
  readonly seconds: number;
}

export class TokenWaits {
  readonly #notes: DesktopNotes;
  readonly #onWait: (token: string, secondsLeft: number) => void;
  readonly #open = new Map<string, AbortController>();

  /** @param onWait a token is not there, and is waited for */
  constructor(notes: DesktopNotes, onWait: (token: string, secondsLeft: number) => void) {
    this.#notes = notes;
    this.#onWait = onWait;
  }

  /**
   * What `look` finds, as soon as the token is there.
   * @throws AgentError of `look`, also when the time is over; `limits.cancelled`
   */
  async until(
    token: string,
    wait: TokenWait | undefined,
    look: () => Promise<HostTokenInfo>,
  ): Promise<HostTokenInfo> {
    if (wait === undefined) return look();
    const end = new AbortController();
    this.#open.set(wait.id, end);
    try {
      return await this.#lookUntil(token, Date.now() + wait.seconds * 1000, look, end.signal);
    } finally {
      this.#open.delete(wait.id);
      this.#notes.done(token);
    }
  }

  cancel(id: string): void {
    this.#open.get(id)?.abort();
  }

  cancelAll(): void {
    for (const end of this.#open.values()) end.abort();
  }

  #tell(token: string, secondsLeft: number): void {
    this.#notes.absent(token, secondsLeft);
    this.#onWait(token, secondsLeft);
  }

  async #lookUntil(
    token: string,
    deadline: number,
    look: () => Promise<HostTokenInfo>,
    signal: AbortSignal,
  ): Promise<HostTokenInfo> {
    for (let isTold = false; ; isTold = true) {
      try {
        return await look();
      } catch (thrown) {
        const error = asAgentError(thrown);
        const leftMs = deadline - Date.now();
        if (!NOT_THERE.has(error.code) || leftMs <= 0) throw error;
        if (!isTold) this.#tell(token, Math.ceil(leftMs / 1000));
        await delay(Math.min(LOOK_EVERY_MS, leftMs), undefined, { signal }).catch(() => undefined);
        if (signal.aborted) throw new AgentError('limits.cancelled');
      }
    }
  }
}
