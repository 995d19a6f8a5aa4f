/**
 * The queue in front of one token: first come, first served, bounded, each entry with its own deadline and a way out. A slow
 * token makes only its own queue wait.
 */
import { AgentError } from '../errors/agent-error.js';
import { LIMITS } from '../protocol/limits.js';

/** How long an entry waits before its client hears how many are ahead, milliseconds. */
const TELL_AFTER_MS = 250;
/** Deadlines of entries are looked at this often; a timer for each would cost more than the rest of the queue. */
const SWEEP_MS = 50;
/** Jobs handed to the token host at once while it is fast: it does one after the other, but never waits for the next. */
const FAST_WINDOW = 32;
/** A token that takes longer for one job gets one at a time, so that the others can still be cancelled. */
const SLOW_JOB_MS = 5;

export interface QueueJob {
  /** Number by which `cancel` finds it. */
  readonly id: number;
  readonly deadlineMs: number;
  readonly run: () => Promise<void>;
  /** The job ended without running. */
  readonly onDropped: (error: AgentError) => void;
  /** It still waits behind `ahead` others. */
  readonly onWaiting: (ahead: number) => void;
}

interface Entry {
  readonly job: QueueJob;
  readonly addedAtMs: number;
  told: boolean;
}

export class TokenQueue {
  #entries: Entry[] = [];
  #running = 0;
  #window = 1;
  #lastEndMs = 0;
  #sweeper: NodeJS.Timeout | undefined;

  get length(): number {
    return this.#entries.length + this.#running;
  }

  /** @throws AgentError `limits.queue` */
  add(job: QueueJob): void {
    if (this.#entries.length >= LIMITS.queuePerToken) throw new AgentError('limits.queue');
    if (this.#running < this.#window) {
      this.#start(job);
      return;
    }
    this.#entries.push({ job, addedAtMs: performance.now(), told: false });
    this.#sweeper ??= setInterval(() => {
      this.#sweep(performance.now());
    }, SWEEP_MS).unref();
  }

  /** Takes a job out that has not started; a started one may have used a touch and goes on. */
  cancel(id: number): boolean {
    return this.#drop(id, new AgentError('limits.cancelled'));
  }

  /** Ends everything that waits. */
  clear(error: AgentError): void {
    for (const entry of [...this.#entries]) this.#drop(entry.job.id, error);
  }

  #drop(id: number, error: AgentError): boolean {
    const at = this.#entries.findIndex((entry) => entry.job.id === id);
    const [entry] = at < 0 ? [] : this.#entries.splice(at, 1);
    if (entry === undefined) return false;
    entry.job.onDropped(error);
    return true;
  }

  #start(job: QueueJob): void {
    this.#running += 1;
    const startedAtMs = performance.now();
    void job.run().finally(() => {
      this.#running -= 1;
      const endMs = performance.now();
      const tookMs = endMs - Math.max(startedAtMs, this.#lastEndMs);
      this.#lastEndMs = endMs;
      this.#window = tookMs > SLOW_JOB_MS ? 1 : FAST_WINDOW;
      this.#next();
    });
  }

  #next(): void {
    while (this.#running < this.#window) {
      const entry = this.#entries.shift();
      if (entry === undefined) {
        clearInterval(this.#sweeper);
        this.#sweeper = undefined;
        return;
      }
      this.#start(entry.job);
    }
  }

  #sweep(nowMs: number): void {
    for (const [at, entry] of [...this.#entries].entries()) {
      const waitedMs = nowMs - entry.addedAtMs;
      if (waitedMs >= entry.job.deadlineMs) {
        this.#drop(entry.job.id, new AgentError('limits.deadline'));
      } else if (waitedMs >= TELL_AFTER_MS && !entry.told) {
        entry.told = true;
        entry.job.onWaiting(at + this.#running);
      }
    }
  }
}
