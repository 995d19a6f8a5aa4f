/**
 * Checks a whole log from its files and the public keys of the audit leaf: every link, every checkpoint, and that the keeper's
 * orders are all there. Works on a stream, in bounded memory, and goes on after a problem so that it can name them all.
 */
import { asAgentError } from '../errors/agent-error.js';
import { EMPTY_HEAD, hashLine, type ChainHead } from './chain.js';
import type { AuditKey } from './checkpoint.js';
import { parseLine } from './line-schema.js';
import { LineSplitter } from './line-splitter.js';
import { OrderCheck } from './order-check.js';
import type { AuditLine } from './record.js';
import { segmentName, segmentNumber } from './segment-name.js';

/** Problems kept in a report; more are only counted. */
const MAX_PROBLEMS = 100;

export interface AuditProblem {
  readonly file: string;
  /** Line of the file, from 1; 0 for the file as a whole. */
  readonly line: number;
  /** Sequence that stands, or should stand, there. */
  readonly seq: number;
  readonly what: string;
}

export interface AuditReport {
  readonly ok: boolean;
  readonly files: number;
  readonly lines: number;
  readonly signed: number;
  readonly refused: number;
  readonly checkpoints: number;
  readonly lastSeq: number;
  readonly head: string;
  /** Last sequence that a checkpoint vouches for; 0 without any. */
  readonly sealedThrough: number;
  /** Lines after that: linked, but anybody who can write the files could have cut or changed the last of them. */
  readonly unsealed: number;
  /** The first problems in file order, and how many there are in all. */
  readonly problems: readonly AuditProblem[];
  readonly problemCount: number;
}

export interface AuditFile {
  readonly name: string;
  readonly chunks: AsyncIterable<Buffer> | Iterable<Buffer>;
}

export interface VerifyOptions {
  /** Public keys of the audit leaf, all epochs. */
  readonly keys: readonly AuditKey[];
  /** What is remembered of the log elsewhere (`audit-head.json`, or a checkpoint somebody kept): the log must contain it. */
  readonly remembered?: { readonly seq: number; readonly head: string } | undefined;
}

/** Verifies the files of a log, given oldest first. */
export async function verifyAuditLog(
  files: AsyncIterable<AuditFile> | Iterable<AuditFile>,
  options: VerifyOptions,
): Promise<AuditReport> {
  const verifier = new LogVerifier(options);
  for await (const file of files) {
    verifier.beginFile(file.name);
    for await (const chunk of file.chunks) verifier.push(chunk);
    verifier.endFile();
  }
  return verifier.report();
}

/** Where a line stands, for naming it in a problem about it or about the one after it. */
interface Place {
  readonly file: string;
  readonly line: number;
  readonly seq: number;
}

class LogVerifier {
  readonly #remembered: VerifyOptions['remembered'];
  readonly #orders: OrderCheck;
  readonly #splitter = new LineSplitter((line) => {
    this.#line(line);
  });
  readonly #problems: AuditProblem[] = [];
  readonly #counts = { files: 0, lines: 0, signed: 0, refused: 0, problems: 0 };
  #head: ChainHead = EMPTY_HEAD;
  #file = '';
  #fileLine = 0;
  #previousFile: string | undefined;
  #last: Place = { file: '', line: 0, seq: 0 };
  /** The line before could not be read, so its successor's link says nothing new. */
  #isBlind = false;

  constructor(options: VerifyOptions) {
    this.#remembered = options.remembered;
    this.#orders = new OrderCheck(options.keys);
  }

  beginFile(name: string): void {
    this.#previousFile = this.#file === '' ? undefined : this.#file;
    this.#file = name;
    this.#fileLine = 0;
    this.#counts.files += 1;
    const expected = segmentName(this.#counts.files);
    if (this.#previousFile === undefined ? name === expected : follows(this.#previousFile, name)) return;
    this.#problem(
      { file: name, line: 0, seq: this.#head.seq + 1 },
      this.#previousFile === undefined
        ? `the log begins with ${expected}`
        : `it does not follow ${this.#previousFile}`,
    );
  }

  push(chunk: Buffer): void {
    this.#splitter.push(chunk);
  }

  endFile(): void {
    const rest = this.#splitter.takeRest();
    if (rest.length > 0) this.#problem(this.#here(this.#head.seq + 1, 1), 'the file ends inside a line');
    else if (this.#fileLine === 0) this.#problem(this.#here(this.#head.seq + 1), 'the file is empty');
  }

  report(): AuditReport {
    for (const what of this.#orders.finish()) this.#problem(this.#last, what);
    const remembered = this.#remembered;
    if (remembered !== undefined && remembered.seq > this.#head.seq) {
      this.#problem(this.#last, `the log ends here, but it held line ${remembered.seq}: its end was cut off`);
    }
    const { problems, ...counts } = this.#counts;
    const sealedThrough = this.#orders.sealedThrough;
    return {
      ok: problems === 0,
      ...counts,
      checkpoints: this.#orders.checkpoints,
      lastSeq: this.#head.seq,
      head: this.#head.hash,
      sealedThrough,
      unsealed: Math.max(0, this.#head.seq - sealedThrough),
      problems: this.#problems,
      problemCount: problems,
    };
  }

  #line(bytes: Buffer): void {
    this.#fileLine += 1;
    this.#counts.lines += 1;
    const hash = hashLine(bytes);
    try {
      const line = parseLine(bytes);
      const place = this.#here(line.seq);
      this.#checkLink(line, place);
      this.#head = { seq: line.seq, hash };
      this.#isBlind = false;
      this.#checkContent(line, place);
      this.#last = place;
    } catch (thrown) {
      const place = this.#here(this.#head.seq + 1);
      this.#problem(place, asAgentError(thrown).message);
      this.#head = { seq: place.seq, hash };
      this.#isBlind = true;
      this.#last = place;
    }
  }

  #checkLink(line: AuditLine, place: Place): void {
    const expected = this.#head.seq + 1;
    if (line.seq > expected) {
      const gone =
        line.seq - 1 === expected ? `line ${expected} is` : `lines ${expected} to ${line.seq - 1} are`;
      this.#problem(place, `${gone} missing before line ${line.seq}`);
    } else if (line.seq < expected) {
      this.#problem(
        place,
        `line ${line.seq} is repeated or out of order, line ${expected} should stand here`,
      );
    } else if (line.prev !== this.#head.hash && !this.#isBlind) {
      const changed = this.#last.line === 0 ? place : this.#last;
      this.#problem(changed, `line ${changed.seq} does not match the hash that the next line holds`);
    }
  }

  #checkContent(line: AuditLine, place: Place): void {
    if (line.type === 'sign') this.#counts.signed += 1;
    if (line.type === 'refuse') this.#counts.refused += 1;
    const isFirst = this.#fileLine === 1 && this.#previousFile !== undefined;
    if (isFirst && (line.type !== 'continue' || line.file !== this.#previousFile)) {
      this.#problem(place, `the first line does not continue ${this.#previousFile ?? ''}`);
    } else if (!isFirst && line.type === 'continue') {
      this.#problem(place, 'a continue line stands inside a file');
    }
    const { seq, hash } = this.#head;
    if (this.#remembered?.seq === seq && this.#remembered.head !== hash) {
      this.#problem(place, `line ${seq} is not the one that is remembered`);
    }
    for (const what of this.#orders.follow(line, hash)) this.#problem(place, what);
  }

  #here(seq: number, ahead = 0): Place {
    return { file: this.#file, line: this.#fileLine + ahead, seq };
  }

  #problem(place: Place, what: string): void {
    this.#counts.problems += 1;
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push({ ...place, what });
  }
}

function follows(previous: string, name: string): boolean {
  const before = segmentNumber(previous);
  return before !== undefined && segmentNumber(name) === before + 1;
}
