/**
 * The audit log on disk: gives entries their sequence, time and link, writes them in groups, rotates files, and remembers
 * beside the log how far it went. If a line cannot be written its caller hears `audit.write`, nothing may be released on
 * it, and the orders it held are logged as `unreleased` as soon as the disk takes lines again.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { linkEntry, type AuditEntry } from '../audit/chain.js';
import { readCheckpoint } from '../audit/checkpoint.js';
import type { AuditQuery } from '../audit/query.js';
import type { RecordedOrder } from '../audit/order-tally.js';
import { segmentName, segmentNumber, segmentsAmong } from '../audit/segment-name.js';
import { AgentError } from '../errors/agent-error.js';
import { errnoOf } from '../platform/errno.js';
import { AppendLog } from '../platform/store/append-log.js';
import { syncFolder } from '../platform/store/atomic-file.js';
import { readAuditHead, writeAuditHead } from './audit-head-file.js';
import { advancePosition, EMPTY_POSITION, orderOf, type AuditPosition } from './audit-position.js';
import { queryAudit, type AuditPage } from './audit-reader.js';
import { walkTail } from './audit-tail.js';
import { GroupCommit, type Durability } from './group-commit.js';

const CHECKPOINT_LINES = 1000;
const CHECKPOINT_MS = 60_000;
/** Remembering costs a few fsyncs of its own, so checkpoints in quick succession share one. */
const REMEMBER_MS = 5000;

export interface AuditLogOptions {
  /** Folder of the log files; made by the caller, 0700. */
  readonly folder: string;
  /** `audit-head.json`, outside that folder. */
  readonly headFile: string;
  readonly durability: Durability;
  /** A file of at least this many bytes is closed at the next checkpoint. */
  readonly rotateBytes: number;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
}

export type CheckpointReason = 'lines' | 'time' | 'rotation';

interface StagedLine {
  readonly position: AuditPosition;
  /** The order that must not stay without a record. */
  readonly order: RecordedOrder | undefined;
}

export class AuditLog implements Disposable {
  readonly #options: AuditLogOptions;
  readonly #commit: GroupCommit<StagedLine>;
  #segment: number;
  #file: AppendLog;
  /** After the last staged line, and after the last durable one. */
  #position: AuditPosition;
  #durable: AuditPosition;
  #checkpointAt: number;
  #rememberedAt: number;
  #failure: AgentError | undefined;
  /** Lines without an order that were taken back since the last success. */
  #dropped = 0;
  #second = -1;
  #time = '';
  #closed = false;
  #lastQuery: Promise<unknown> = Promise.resolve();

  private constructor(options: AuditLogOptions, segment: number, file: AppendLog, position: AuditPosition) {
    this.#options = options;
    this.#segment = segment;
    this.#file = file;
    this.#position = position;
    this.#durable = position;
    this.#checkpointAt = options.clock();
    this.#rememberedAt = this.#checkpointAt;
    this.#commit = new GroupCommit(file, options.durability, {
      onDurable: (line) => {
        this.#lineDurable(line);
      },
      onTakenBack: (lines, error) => {
        this.#linesTakenBack(lines, error);
      },
    });
  }

  /**
   * Opens the log, or begins one where neither log nor memory of one exists. Every line after the remembered head is checked.
   * @throws AgentError `audit.shorter` when remembered lines are gone, `audit.broken` naming the line, `audit.write`.
   */
  static open(options: AuditLogOptions): AuditLog {
    try {
      return AuditLog.#open(options);
    } catch (cause) {
      if (cause instanceof AgentError) throw cause;
      const errno = errnoOf(cause);
      const path = options.folder;
      throw new AgentError('audit.write', {
        message: `opening ${path}: ${errno}`,
        details: { path, errno },
        cause,
      });
    }
  }

  static #open(options: AuditLogOptions): AuditLog {
    const segments = segmentsAmong(fs.readdirSync(options.folder));
    const remembered = readAuditHead(options.headFile) ?? beginMemory(options, segments);
    const name = segments.at(-1) ?? segmentName(1);
    if (remembered.seq > 0 && !segments.includes(remembered.file)) {
      throw missingFile(join(options.folder, remembered.file));
    }
    const expectedBytes = name === remembered.file ? remembered.bytes : 0;
    const file = AppendLog.open(join(options.folder, name), expectedBytes);
    try {
      const position = walkTail(options.folder, remembered);
      const log = new AuditLog(options, segmentNumber(name) ?? 1, file, position);
      log.#begin();
      return log;
    } catch (thrown) {
      file[Symbol.dispose]();
      throw thrown;
    }
  }

  /** False after a failed write, until one succeeds again. While false, order nothing: ask `recover` first. */
  get writable(): boolean {
    return this.#failure === undefined;
  }

  /** Sequence of the last staged line, and its hash: what a checkpoint made now states. */
  get head(): AuditPosition['head'] {
    return this.#position.head;
  }

  /** Sequence that the next staged entry gets: the `group` of a batch. */
  get nextSequence(): number {
    return this.#position.head.seq + 1;
  }

  /** Keeper instance of the last `start` line and the last order with a durable record: acknowledge up to it. */
  get recordedOrder(): { readonly instance: string; readonly order: number } {
    return { instance: this.#durable.instance, order: this.#durable.order };
  }

  /** Lines that no checkpoint seals yet. */
  get unsealed(): number {
    return this.#position.head.seq - this.#position.sealed;
  }

  /** Links one entry and returns its sequence; it is on its way, not written. Call `flush` in the same turn. */
  stage(entry: AuditEntry): number {
    this.#rotateIfDue();
    return this.#link(entry);
  }

  /** Resolves when all staged lines are as durable as configured. @throws AgentError `audit.write` */
  flush(): Promise<void> {
    return this.#commit.flush();
  }

  /** As `flush`, blocking: at start and stop. @throws AgentError `audit.write` */
  flushNow(): void {
    this.#commit.flushNow();
  }

  /** Stages all entries as one group and flushes; returns their sequences. @throws AgentError `audit.write` */
  async append(entries: readonly AuditEntry[]): Promise<readonly number[]> {
    const sequences = entries.map((entry) => this.stage(entry));
    await this.flush();
    return sequences;
  }

  /** Tries to write what is owed since a failure; true when the log takes lines (again). */
  recover(): boolean {
    if (this.writable) return true;
    try {
      this.#commit.flushNow();
      return true;
    } catch {
      return false;
    }
  }

  /** Why a checkpoint is due now, if it is: 1,000 lines, 60 seconds, or a file that is full. */
  needsCheckpoint(): CheckpointReason | undefined {
    if (this.unsealed === 0) return undefined;
    if (this.#file.length >= this.#options.rotateBytes) return 'rotation';
    if (this.unsealed >= CHECKPOINT_LINES) return 'lines';
    return this.#options.clock() - this.#checkpointAt >= CHECKPOINT_MS ? 'time' : undefined;
  }

  /** RFC 3339 time of a line staged now; a checkpoint's line carries the time of its payload. */
  timestamp(): string {
    const second = Math.floor(this.#options.clock() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#time = new Date(second * 1000).toISOString().replace('.000Z', 'Z');
    }
    return this.#time;
  }

  /** Lines that are in the files. Newest last; at most `query.limit`. */
  query(query: AuditQuery): Promise<AuditPage> {
    // One after the other: many readers of a large log together would leave no time for signing.
    const page = this.#lastQuery.then(() => queryAudit(this.#options.folder, query));
    this.#lastQuery = page.catch(() => undefined);
    return page;
  }

  /** Flushes, remembers the head and closes the file. A failure to write is left to the next start. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#commit.flushNow();
    } catch {
      // Whoever staged these lines has heard of it; what is durable is still worth remembering.
    }
    this.#remember();
    this.#commit[Symbol.dispose]();
  }

  #begin(): void {
    if (this.#file.length === 0 && this.#segment > 1) this.#link(continueEntry(this.#segment));
    if (this.#file.tornBytes > 0) {
      this.#link({ type: 'act', act: 'audit.cut', facts: { bytes: this.#file.tornBytes } });
    }
    this.#commit.flushNow();
    this.#remember();
  }

  #link(entry: AuditEntry): number {
    const time = entry.type === 'checkpoint' ? readCheckpoint(entry.dsse).checkpoint.time : this.timestamp();
    const { text, head } = linkEntry(this.#position.head, time, entry);
    this.#position = advancePosition(this.#position, head, entry);
    this.#commit.push(text, { position: this.#position, order: orderOf(entry) });
    if (entry.type === 'checkpoint') this.#checkpointAt = this.#options.clock();
    return head.seq;
  }

  #lineDurable(line: StagedLine): void {
    const sealedMore = line.position.sealed > this.#durable.sealed;
    this.#durable = line.position;
    this.#failure = undefined;
    this.#dropped = 0;
    if (sealedMore && this.#options.clock() - this.#rememberedAt >= REMEMBER_MS) this.#remember();
  }

  /** Goes back to the durable state and owes a record for every order whose line is gone. */
  #linesTakenBack(lines: readonly StagedLine[], error: AgentError): void {
    this.#position = this.#durable;
    if (this.#failure !== undefined) this.#dropped -= 1;
    this.#failure = error;
    for (const { order } of lines) {
      if (order === undefined) this.#dropped += 1;
      else this.#link({ type: 'unreleased', ...order });
    }
    const errno = error.details?.['errno'] ?? 'unknown';
    const facts = { dropped: this.#dropped, reason: String(errno) };
    this.#link({ type: 'act', act: 'audit.resumed', facts });
  }

  /** Between turns nothing is staged, and a file that is full and sealed (or far too full) is closed. */
  #rotateIfDue(): void {
    const { rotateBytes } = this.#options;
    const size = this.#file.length;
    if (size < rotateBytes || this.#commit.hasStaged || !this.writable) return;
    if (this.unsealed > 0 && size < rotateBytes * 1.25) return;
    try {
      this.#rotate();
    } catch {
      // The old file still takes lines; the next turn tries again.
    }
  }

  #rotate(): void {
    this.#commit.flushNow();
    this.#commit.syncFile();
    const next = AppendLog.open(join(this.#options.folder, segmentName(this.#segment + 1)));
    try {
      // Left by a rotation that failed before this log went on in it.
      next.truncate(0);
      const { text, head } = linkEntry(
        this.#position.head,
        this.timestamp(),
        continueEntry(this.#segment + 1),
      );
      next.append(Buffer.from(`${text}\n`, 'utf8'));
      next.syncNow();
      syncFolder(this.#options.folder);
      this.#commit.switchTo(next);
      this.#file = next;
      this.#segment += 1;
      this.#position = { ...this.#position, head };
      this.#durable = this.#position;
    } catch (thrown) {
      next[Symbol.dispose]();
      fs.rmSync(next.path, { force: true });
      throw thrown;
    }
    this.#remember();
  }

  #remember(): void {
    try {
      this.#commit.syncFile();
      const { head, instance, order, sealed } = this.#durable;
      const file = segmentName(this.#segment);
      const bytes = this.#commit.durableBytes;
      writeAuditHead(this.#options.headFile, {
        seq: head.seq,
        head: head.hash,
        file,
        bytes,
        instance,
        order,
        sealed,
      });
      this.#rememberedAt = this.#options.clock();
    } catch {
      // An older memory is still true: the next start walks more lines.
    }
  }
}

/**
 * Memory comes before the log, so a log without memory is one whose memory was taken away.
 * @throws AgentError `audit.shorter`
 */
function beginMemory(
  options: AuditLogOptions,
  segments: readonly string[],
): NonNullable<ReturnType<typeof readAuditHead>> {
  if (segments.length > 0) throw missingFile(options.headFile);
  const { head, instance, order, sealed } = EMPTY_POSITION;
  const start = { seq: head.seq, head: head.hash, file: segmentName(1), bytes: 0, instance, order, sealed };
  writeAuditHead(options.headFile, start);
  return { format: 'touchstone-audit-head', version: 1, ...start };
}

function missingFile(path: string): AgentError {
  return new AgentError('audit.shorter', {
    message: `${path} is missing, the audit log had begun`,
    details: { path },
  });
}

function continueEntry(segment: number): AuditEntry {
  return { type: 'continue', file: segmentName(segment - 1) };
}
