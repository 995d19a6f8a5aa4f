/**
 * Writes lines in groups: everything pushed within one turn of the event loop is one write, and every group that waits while
 * the disk is busy shares the next fdatasync. A failure takes back all lines that are not durable and says which they were.
 */
import type { AgentError } from '../errors/agent-error.js';
import { asAgentError } from '../errors/agent-error.js';
import type { AppendLog } from '../platform/store/append-log.js';

/** `fsync`: done when the disk says so. `os`: done when the kernel has the bytes; a power loss can take the last seconds. */
export type Durability = 'fsync' | 'os';

interface Group {
  readonly done: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: AgentError) => void;
}

export interface GroupCommitHooks<L> {
  /** Lines up to this one are as durable as promised. */
  readonly onDurable: (line: L) => void;
  /** These lines, oldest first, are not in the file any more. Their groups are rejected after this returns. */
  readonly onTakenBack: (lines: readonly L[], error: AgentError) => void;
}

export class GroupCommit<L> implements Disposable {
  readonly #durability: Durability;
  readonly #hooks: GroupCommitHooks<L>;
  #file: AppendLog;
  /** Files that a sync still uses after `switchTo`. */
  #retired: AppendLog[] = [];
  /** Bytes of the current file that are durable. */
  #durableBytes: number;
  #texts: string[] = [];
  #staged: L[] = [];
  #written: L[] = [];
  #open: Group | undefined;
  #waiting: Group[] = [];
  #inFlight: Group[] = [];
  #syncing = false;
  /** Grows when lines are settled or taken back by something else than the sync in flight. */
  #epoch = 0;

  /** Owns `file` and closes it. */
  constructor(file: AppendLog, durability: Durability, hooks: GroupCommitHooks<L>) {
    this.#file = file;
    this.#durableBytes = file.length;
    this.#durability = durability;
    this.#hooks = hooks;
  }

  get durableBytes(): number {
    return this.#durableBytes;
  }

  get hasStaged(): boolean {
    return this.#staged.length > 0;
  }

  /** @param text without its line feed */
  push(text: string, line: L): void {
    this.#texts.push(text);
    this.#staged.push(line);
  }

  /**
   * Resolves when everything pushed so far is durable. Call it in the same turn as `push`: lines that a failure takes back
   * reject the group of their own turn.
   */
  flush(): Promise<void> {
    if (this.#open === undefined) {
      this.#open = newGroup();
      setImmediate(() => {
        this.#writeGroup();
      });
    }
    return this.#open.done;
  }

  /** As `flush`, blocking. @throws AgentError `audit.write`; the lines are then taken back */
  flushNow(): void {
    try {
      this.#write();
      if (this.#durability === 'fsync') this.#file.syncNow();
    } catch (thrown) {
      throw this.#takeBack(asAgentError(thrown));
    }
    this.#epoch += 1;
    this.#settle(this.#written.length, this.#file.length, this.#takeGroups());
  }

  /** Blocks until the file is on disk, whatever the durability. @throws AgentError `audit.write` */
  syncFile(): void {
    this.#file.syncNow();
  }

  /** Goes on in another file, which it then owns; only right after `flushNow`. */
  switchTo(file: AppendLog): void {
    if (this.#syncing) this.#retired.push(this.#file);
    else this.#file[Symbol.dispose]();
    this.#file = file;
    this.#durableBytes = file.length;
  }

  [Symbol.dispose](): void {
    if (this.#syncing) this.#retired.push(this.#file);
    else this.#file[Symbol.dispose]();
  }

  #takeGroups(): Group[] {
    const groups = [...this.#inFlight, ...this.#waiting];
    if (this.#open !== undefined) groups.push(this.#open);
    this.#inFlight = [];
    this.#waiting = [];
    this.#open = undefined;
    return groups;
  }

  #write(): void {
    if (this.#texts.length === 0) return;
    this.#file.append(Buffer.from(`${this.#texts.join('\n')}\n`, 'utf8'));
    for (const line of this.#staged) this.#written.push(line);
    this.#texts = [];
    this.#staged = [];
  }

  #writeGroup(): void {
    // Something that blocked, or a failure, came first and has settled the group.
    if (this.#open === undefined) return;
    try {
      this.#write();
    } catch (thrown) {
      this.#takeBack(asAgentError(thrown));
      return;
    }
    const group = this.#open;
    this.#open = undefined;
    if (this.#durability === 'os') {
      this.#settle(this.#written.length, this.#file.length, [group]);
      return;
    }
    this.#waiting.push(group);
    if (!this.#syncing) void this.#syncWaiting();
  }

  async #syncWaiting(): Promise<void> {
    this.#syncing = true;
    while (this.#waiting.length > 0) await this.#syncOnce();
    this.#syncing = false;
    for (const file of this.#retired.splice(0)) file[Symbol.dispose]();
  }

  async #syncOnce(): Promise<void> {
    this.#inFlight = this.#waiting;
    this.#waiting = [];
    const epoch = this.#epoch;
    const lines = this.#written.length;
    const bytes = this.#file.length;
    try {
      await this.#file.sync();
    } catch (thrown) {
      this.#takeBack(asAgentError(thrown));
      return;
    }
    if (epoch !== this.#epoch) return;
    const groups = this.#inFlight;
    this.#inFlight = [];
    this.#settle(lines, bytes, groups);
  }

  #settle(lines: number, bytes: number, groups: readonly Group[]): void {
    const last = this.#written[lines - 1];
    this.#written.splice(0, lines);
    this.#durableBytes = bytes;
    if (last !== undefined) this.#hooks.onDurable(last);
    for (const group of groups) group.resolve();
  }

  #takeBack(error: AgentError): AgentError {
    const lines = [...this.#written, ...this.#staged];
    const groups = this.#takeGroups();
    this.#epoch += 1;
    this.#written = [];
    this.#staged = [];
    this.#texts = [];
    this.#file.truncate(this.#durableBytes);
    this.#hooks.onTakenBack(lines, error);
    for (const group of groups) group.reject(error);
    return error;
  }
}

function newGroup(): Group {
  let resolve: () => void = () => undefined;
  let reject: (error: AgentError) => void = () => undefined;
  const done = new Promise<void>((onDone, onError) => {
    resolve = onDone;
    reject = onError;
  });
  // Whoever staged the lines may have gone away; the failure is then heard through `writable`.
  done.catch(() => undefined);
  return { done, resolve, reject };
}
