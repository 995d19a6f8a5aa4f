/**
 * The queue in front of one token: first come, first served, bounded, each entry with its own deadline and a way out. A slow
 * token makes only its own queue wait.
 */
import { AgentError } from '../errors/agent-error.js';
import { LIMITS } from '../protocol/limits.js';

/** How long an entry waits before its client hears how many are ahead, milliseconds. */
const TELL_AFTER_MS = 250;

export interface QueueJob {
  /** Number by which `cancel` finds it. */
  readonly id: number;
  readonly deadlineMs: number;
  /** Does the work; gets the milliseconds that are left. */
  readonly run: (leftMs: number) => Promise<void>;
  /** The job ended without running. */
  readonly onDropped: (error: AgentError) => void;
  /** It still waits behind `ahead` others. */
  readonly onWaiting: (ahead: number) => void;
}

interface Entry {
  readonly job: QueueJob;
  readonly expiresAtMs: number;
  readonly timer: NodeJS.Timeout;
  readonly teller: NodeJS.Timeout;
}

export class TokenQueue {
  readonly #window: number;
  #entries: Entry[] = [];
  #running = 0;

  /** @param window jobs handed to the token host at once; it still does one after the other */
  constructor(window: number) {
    this.#window = window;
  }

  get length(): number {
    return this.#entries.length + this.#running;
  }

  /** @throws AgentError `limits.queue` */
  add(job: QueueJob): void {
    if (this.#entries.length >= LIMITS.queuePerToken) throw new AgentError('limits.queue');
    if (this.#running < this.#window) {
      this.#start(job, job.deadlineMs);
      return;
    }
    const timer = setTimeout(() => {
      this.#drop(job.id, new AgentError('limits.deadline'));
    }, job.deadlineMs);
    const teller = setTimeout(() => {
      const ahead = this.#entries.findIndex((entry) => entry.job === job) + this.#running;
      job.onWaiting(ahead);
    }, TELL_AFTER_MS);
    this.#entries.push({ job, expiresAtMs: Date.now() + job.deadlineMs, timer, teller });
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
    clearTimeout(entry.timer);
    clearTimeout(entry.teller);
    entry.job.onDropped(error);
    return true;
  }

  #start(job: QueueJob, leftMs: number): void {
    this.#running += 1;
    void job.run(leftMs).finally(() => {
      this.#running -= 1;
      this.#next();
    });
  }

  #next(): void {
    while (this.#running < this.#window) {
      const entry = this.#entries.shift();
      if (entry === undefined) return;
      clearTimeout(entry.timer);
      clearTimeout(entry.teller);
      this.#start(entry.job, Math.max(1, entry.expiresAtMs - Date.now()));
    }
  }
}
