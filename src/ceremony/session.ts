/** A ceremony that is going on in a folder: locked, its files read, its transcript open. What was done before counts, however it ended. */
import { AgentError } from '../errors/agent-error.js';
import type { FolderLock } from '../platform/store/folder-lock.js';
import { boardOf, type BoardRow } from './board.js';
import { ENTRY_CHECKS, WAIVABLE } from './checks/all.js';
import type { CheckResult } from './checks/check.js';
import { signatureProblem } from './checks/signatures.js';
import type { EventOf } from './event.js';
import type { CeremonyFacts } from './facts.js';
import { signatureFile, transcriptFile } from './file-names.js';
import { CeremonyFolder } from './folder.js';
import { loadFolder } from './loading.js';
import { sha256Hex, writeForm } from './one-form.js';
import type { OwnLines } from './own-lines.js';
import { readSignatureFile, type SignatureFile } from './signature-file.js';
import { TOOL_ACTOR, Transcript } from './transcript.js';
import type { TranscriptLine } from './transcript-line.js';

/** A check with whoever answers for it when it failed. */
export interface JudgedCheck extends CheckResult {
  /** Empty unless somebody waived it. */
  readonly waivedBy: string;
}

export class CeremonySession implements Disposable {
  readonly folder: CeremonyFolder;
  readonly transcript: Transcript;
  readonly #lock: FolderLock;
  #facts: CeremonyFacts;
  #results: readonly CheckResult[];

  private constructor(folder: CeremonyFolder, lock: FolderLock, transcript: Transcript, read: Read) {
    this.folder = folder;
    this.#lock = lock;
    this.transcript = transcript;
    this.#facts = read.facts;
    this.#results = read.results;
  }

  /**
   * Opens a folder and writes down signatures that a killed program left without a line.
   * @param today the date that a person typed now, `YYYY-MM-DD`; the one typed before counts when left out
   * @throws AgentError `ceremony.check` when a file cannot be read, `ceremony.folder`, `state.locked`
   */
  static open(path: string, today?: string): CeremonySession {
    const folder = CeremonyFolder.open(path);
    const lock = folder.lock();
    let transcript: Transcript | undefined;
    try {
      const first = requireFacts(folder);
      transcript = Transcript.open(folder, transcriptFile(first.facts.request.value.rehearsal));
      const known = today ?? lastOpened(transcript, first.facts)?.today;
      const session = new CeremonySession(folder, lock, transcript, requireFacts(folder, known));
      session.#writeDownFound();
      return session;
    } catch (cause) {
      transcript?.[Symbol.dispose]();
      lock[Symbol.dispose]();
      throw cause;
    }
  }

  get facts(): CeremonyFacts {
    return this.#facts;
  }

  /** Who takes part, what day it is: the last `opened` line for this request. */
  get opened(): EventOf<'opened'> | undefined {
    return lastOpened(this.transcript, this.#facts);
  }

  /** Whether it was this machine that last opened this request, and wrote down what was waived. */
  isOpenedIn(room: Pick<OwnLines, 'has'>): boolean {
    const lines = this.#sinceOpened();
    const first = lines[0]?.event;
    const isOfThis = first?.event === 'opened' && first.request === this.#facts.request.sha256;
    return isOfThis && isOwn(lines, room, () => true);
  }

  /** Whether a person has confirmed this request on this machine after it was last opened, and nothing was waived since. */
  isConfirmedIn(room: Pick<OwnLines, 'has'>): boolean {
    const { sha256 } = this.#facts.request;
    return isOwn(
      this.#sinceOpened(),
      room,
      ({ event }) => event.event === 'confirmed' && event.what === sha256,
    );
  }

  /** Everything that is checked before a token is touched. @param waivers name of the person by name of the check */
  judge(waivers = waiversIn(this.transcript.lines)): readonly JudgedCheck[] {
    return judgeWith([...this.#results, ...ENTRY_CHECKS.flatMap((check) => check(this.#facts))], waivers);
  }

  /** @throws AgentError `ceremony.order` unless it was opened on this machine */
  requireOpened(room: Pick<OwnLines, 'has'>): void {
    if (!this.isOpenedIn(room))
      throw outOfOrder('it was not opened here', `touchstone ceremony open ${this.folder.path}`);
  }

  /**
   * What has to be before a token is touched, all of it on this machine.
   * @throws AgentError `ceremony.check` naming the first failed check, `ceremony.order` before `open` and `review`
   */
  requireReady(room: Pick<OwnLines, 'has'>): void {
    this.requireOpened(room);
    requireGood(this.judge());
    if (!this.isConfirmedIn(room))
      throw outOfOrder(
        'nobody has confirmed here what is signed',
        `touchstone ceremony review ${this.folder.path}`,
      );
  }

  board(): readonly BoardRow[] {
    return boardOf(
      this.#facts.documents,
      this.#facts.signatures.map(({ value }) => value),
    );
  }

  /**
   * Takes a signature. Of two by one key the one that sorts first is kept, so that it does not matter who came first.
   * @returns false when it was there already
   * @throws AgentError `ceremony.signature` saying what is wrong with it
   */
  take(file: SignatureFile, how: 'made' | 'added'): boolean {
    const problem = signatureProblem(file, this.#facts);
    const name = signatureFile(file, this.#facts.request.value.rehearsal);
    if (problem !== undefined)
      throw new AgentError('ceremony.signature', { message: `taking ${name}: ${problem}` });
    const bytes = writeForm(file);
    const there = this.folder.read(name);
    if (there !== undefined && !this.#replaces(name, readSignatureFile(there, name).value, file))
      return false;
    this.folder.write(name, bytes);
    this.#writeDown(file, how, name, bytes);
    this.reload();
    return true;
  }

  /** Reads the folder again after something was written into it. @throws AgentError `ceremony.check` */
  reload(): void {
    const read = requireFacts(this.folder, this.#facts.today);
    this.#facts = read.facts;
    this.#results = read.results;
  }

  [Symbol.dispose](): void {
    this.transcript[Symbol.dispose]();
    this.#lock[Symbol.dispose]();
  }

  #sinceOpened(): readonly TranscriptLine[] {
    const { lines } = this.transcript;
    return lines.slice(
      Math.max(
        0,
        lines.findLastIndex(({ event }) => event.event === 'opened'),
      ),
    );
  }

  /** Never a signature of another key or document, whatever it is called. */
  #replaces(name: string, there: SignatureFile, file: SignatureFile): boolean {
    if (there.keyId !== file.keyId || there.document !== file.document)
      throw new AgentError('ceremony.signature', {
        message: `taking ${name}: another signature has that name`,
      });
    return Buffer.compare(keyOf(there), keyOf(file)) > 0;
  }

  #writeDownFound(): void {
    const { lines } = this.transcript;
    const said = new Set(lines.flatMap(({ event }) => (event.event === 'signed' ? [event.sha256] : [])));
    for (const { value, bytes, sha256 } of this.#facts.signatures) {
      const name = signatureFile(value, this.#facts.request.value.rehearsal);
      if (!said.has(sha256) && lines.length > 0) this.#writeDown(value, 'found', name, bytes);
    }
  }

  #writeDown(file: SignatureFile, how: EventOf<'signed'>['how'], name: string, bytes: Buffer): void {
    const { document, documentVersion, payloadSha256, holder, keyId, token } = file;
    this.transcript.add(how === 'made' ? holder : TOOL_ACTOR, {
      event: 'signed',
      how,
      document,
      documentVersion,
      payloadSha256,
      holder,
      keyId,
      serial: token.serial,
      file: name,
      sha256: sha256Hex(bytes),
    });
  }
}

/** Who answers for which check, since the folder was last opened. */
export function waiversIn(lines: readonly TranscriptLine[]): ReadonlyMap<string, string> {
  const from = Math.max(
    0,
    lines.findLastIndex(({ event }) => event.event === 'opened'),
  );
  return new Map(
    lines
      .slice(from)
      .flatMap(({ event }) =>
        event.event === 'check' && event.by !== '' ? [[event.check, event.by] as const] : [],
      ),
  );
}

/** Results with who answers for those that failed; not all can be answered for. */
export function judgeWith(
  results: readonly CheckResult[],
  waivers: ReadonlyMap<string, string>,
): readonly JudgedCheck[] {
  return results.map((one) => ({
    ...one,
    waivedBy: one.passed || !WAIVABLE.has(one.check) ? '' : (waivers.get(one.check) ?? ''),
  }));
}

/** @throws AgentError `ceremony.check` naming the first that is neither passed nor waived */
export function requireGood(checks: readonly JudgedCheck[]): void {
  const failed = checks.filter(({ passed, waivedBy }) => !passed && waivedBy === '');
  const [first] = failed;
  if (first === undefined) return;
  const { check, subject, says } = first;
  const more = failed.length > 1 ? ` (and ${failed.length - 1} more)` : '';
  throw new AgentError('ceremony.check', {
    message: `${check}${subject === '' ? '' : ` of ${subject}`}: ${says}${more}`,
    details: { check, subject, failed: failed.map((one) => one.check) },
  });
}

interface Read {
  readonly facts: CeremonyFacts;
  readonly results: readonly CheckResult[];
}

function requireFacts(folder: CeremonyFolder, today?: string): Read {
  const { facts, results } = loadFolder(folder, today);
  const judged = results.map((one) => ({ ...one, waivedBy: '' }));
  if (facts === undefined || results.some(({ passed }) => !passed)) requireGood(judged);
  if (facts !== undefined) return { facts, results };
  throw new AgentError('ceremony.check', { message: `opening ${folder.path}: its files cannot be read` });
}

function lastOpened(transcript: Transcript, { request }: CeremonyFacts): EventOf<'opened'> | undefined {
  const found = transcript.lines.flatMap(({ event }) => (event.event === 'opened' ? [event] : []));
  return found.findLast((event) => event.request === request.sha256);
}

/** Whether one of these lines is of this machine and of that kind, and nobody has waived anything after it. */
function isOwn(
  lines: readonly TranscriptLine[],
  room: Pick<OwnLines, 'has'>,
  isWanted: (line: TranscriptLine) => boolean,
): boolean {
  const own = lines.findLastIndex((line) => isWanted(line) && room.has(line.hash));
  const isWaiver = ({ event }: TranscriptLine): boolean => event.event === 'check' && event.by !== '';
  return own >= 0 && !lines.slice(own + 1).some(isWaiver);
}

/** Signature first, then everything else. */
function keyOf(file: SignatureFile): Buffer {
  return Buffer.concat([Buffer.from(file.signature, 'hex'), writeForm(file)]);
}

function outOfOrder(problem: string, next: string): AgentError {
  return new AgentError('ceremony.order', { message: `going on: ${problem}`, hint: `run "${next}" first` });
}
