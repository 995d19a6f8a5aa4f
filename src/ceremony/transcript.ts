/** `transcript.jsonl`: what happened, in the order it happened, each line on disk before the next thing is done. */
import { isUtf8 } from 'node:buffer';
import { join } from 'node:path';
import { AgentError } from '../errors/agent-error.js';
import { AppendLog } from '../platform/store/append-log.js';
import type { CeremonyEvent } from './event.js';
import type { CeremonyFolder } from './folder.js';
import {
  brokenLine,
  FIRST_PREVIOUS,
  lineAfter,
  lineText,
  readLine,
  type TranscriptLine,
} from './transcript-line.js';

const LINE_FEED = '\n';

/** Who acts where no person does. */
export const TOOL_ACTOR = 'touchstone';

export class Transcript implements Disposable {
  readonly #log: AppendLog;
  readonly #lines: TranscriptLine[];

  private constructor(log: AppendLog, lines: readonly TranscriptLine[]) {
    this.#log = log;
    this.#lines = [...lines];
  }

  /**
   * Opens or begins it. A line that a power loss cut in half is taken away; everything whole must be as it was written.
   * The caller holds the lock of the folder.
   * @throws AgentError `ceremony.transcript`, `audit.write`
   */
  static open(folder: CeremonyFolder, file: string): Transcript {
    const log = AppendLog.open(join(folder.path, file));
    try {
      return new Transcript(log, readTranscript(folder.read(file) ?? Buffer.alloc(0)));
    } catch (cause) {
      log[Symbol.dispose]();
      throw cause;
    }
  }

  get lines(): readonly TranscriptLine[] {
    return this.#lines;
  }

  /** Hash of the last line; zeros before the first. */
  get head(): string {
    return this.#lines.at(-1)?.hash ?? FIRST_PREVIOUS;
  }

  /** Adds a line and waits until it is on disk. @param actor a holder, or `TOOL_ACTOR` @throws AgentError `audit.write` */
  add(actor: string, event: CeremonyEvent): TranscriptLine {
    const time = new Date().toISOString().replace(/\.\d{3}Z$/, 'Z');
    const line = lineAfter(this.#lines.at(-1), { time, actor, event });
    this.#log.append(Buffer.from(`${lineText(line)}${LINE_FEED}`, 'utf8'));
    this.#log.syncNow();
    this.#lines.push(line);
    return line;
  }

  [Symbol.dispose](): void {
    this.#log[Symbol.dispose]();
  }
}

/**
 * Lines of a whole transcript, the chain verified.
 * @throws AgentError `ceremony.transcript` naming the first line that is wrong
 */
export function readTranscript(bytes: Buffer): readonly TranscriptLine[] {
  if (bytes.length === 0) return [];
  if (!isUtf8(bytes))
    throw new AgentError('ceremony.transcript', { message: 'reading the transcript: it is not text' });
  const texts = bytes.toString('utf8').split(LINE_FEED);
  if (texts.pop() !== '') throw brokenLine(texts.length + 1, 'it does not end');
  const lines: TranscriptLine[] = [];
  for (const text of texts) {
    const seq = lines.length + 1;
    const line = readLine(text, seq);
    if (line.seq !== seq) throw brokenLine(seq, 'its number is another one');
    if (line.previous !== (lines.at(-1)?.hash ?? FIRST_PREVIOUS)) {
      throw brokenLine(seq, 'it does not follow from the one before');
    }
    lines.push(line);
  }
  return lines;
}
