/**
 * Every PIN attempt this agent made, by token serial: written before the PIN is sent, so that even a kill in between leaves a
 * trace. And the counter of the PIN as it was last seen, where a token tells it: one that fell without an attempt of ours is an
 * attempt too, of somebody else. Holds no PIN and nothing made from one.
 */
import { z } from 'zod';
import { loadStateFile, saveStateFile, type StateFormat } from './versions.js';

/** Attempts kept per serial; older ones are dropped. */
const MAX_ATTEMPTS = 100;

const tries = z.enum(['full', 'low', 'last', 'locked']);
const count = z.number().int().min(0).max(255);
const attempt = z.strictObject({
  /** RFC 3339, whole seconds, Z. */
  at: z.string(),
  /**
   * `unknown` until the token has answered; it stays so after a kill. The last two are not ours: a PIN that the driver of this
   * agent sent by itself, and one of another program.
   */
  outcome: z.enum(['unknown', 'correct', 'wrong', 'locked', 'error', 'driver-attempt', 'foreign-attempt']),
  triesBefore: tries,
  triesAfter: tries.optional(),
  leftBefore: count.optional(),
  leftAfter: count.optional(),
});

const LEDGER_SCHEMA = z.strictObject({
  format: z.literal('touchstone-pin-ledger'),
  version: z.literal(2),
  /** By serial; the oldest attempt first, and the counter as it was last seen. */
  tokens: z.record(z.string(), z.strictObject({ left: count.optional(), attempts: z.array(attempt) })),
});

const LEDGER_FORMAT: StateFormat<typeof LEDGER_SCHEMA> = {
  format: 'touchstone-pin-ledger',
  version: 2,
  schema: LEDGER_SCHEMA,
  maxBytes: 4 * 1024 * 1024,
  // Version 1 had the attempts alone.
  migrations: [
    {
      from: 1,
      migrate: (content) => ({
        ...content,
        tokens: Object.fromEntries(
          Object.entries((content['tokens'] ?? {}) as Readonly<Record<string, unknown>>).map(
            ([serial, attempts]) => [serial, { attempts }],
          ),
        ),
      }),
    },
  ],
};

export type PinAttempt = Readonly<z.infer<typeof attempt>>;
type PinAnswer = Exclude<PinAttempt['outcome'], 'unknown' | 'driver-attempt' | 'foreign-attempt'>;

/** The counter of a PIN: in words, and exactly where the token tells it. */
export interface PinCounter {
  readonly triesLeft: PinAttempt['triesBefore'];
  readonly tries?: { readonly left: number; readonly total: number } | undefined;
}

/** Tries that were used up. */
export interface PinLoss {
  readonly before: number;
  readonly after: number;
  readonly total: number;
}

type Page = Readonly<z.infer<typeof LEDGER_SCHEMA>['tokens'][string]>;

const NO_PAGE: Page = { attempts: [] };

export class PinLedger {
  readonly #path: string;
  readonly #clock: () => number;
  readonly #tokens: Map<string, Page>;

  private constructor(path: string, clock: () => number, tokens: Map<string, Page>) {
    this.#path = path;
    this.#clock = clock;
    this.#tokens = tokens;
  }

  /**
   * @param clock milliseconds since 1970
   * @throws AgentError `state.damaged`, `state.version`
   */
  static open(path: string, clock: () => number): PinLedger {
    const stored = loadStateFile(path, LEDGER_FORMAT);
    return new PinLedger(path, clock, new Map(Object.entries(stored?.tokens ?? {})));
  }

  /**
   * Notes that a PIN is about to be sent. @throws AgentError `state.write`; then it must not be sent.
   */
  begin(serial: string, before: PinCounter): void {
    const leftBefore = before.tries?.left;
    this.#append(serial, { at: this.#now(), outcome: 'unknown', triesBefore: before.triesLeft, leftBefore });
  }

  /** Notes what the token answered to the attempt begun last. @throws AgentError `state.write` */
  end(serial: string, outcome: PinAnswer, after: PinCounter): void {
    const { attempts } = this.#page(serial);
    const open = attempts.at(-1);
    if (open?.outcome !== 'unknown') return;
    const leftAfter = after.tries?.left;
    const ended = { ...open, outcome, triesAfter: after.triesLeft, leftAfter };
    this.#replace(serial, {
      left: leftAfter ?? this.#page(serial).left,
      attempts: [...attempts.slice(0, -1), ended],
    });
  }

  /**
   * Compares the counter with what was seen last.
   * @returns the attempt of somebody else that it tells of, which is noted
   * @throws AgentError `state.write`
   */
  see(serial: string, now: PinCounter): PinAttempt | undefined {
    if (now.tries === undefined) return undefined;
    const { left, total } = now.tries;
    const { left: seen, attempts } = this.#page(serial);
    // An attempt of ours whose end nobody saw explains one try.
    const last = attempts.at(-1);
    const isOpen = last?.leftBefore !== undefined && last.leftAfter === undefined;
    if (isOpen)
      this.#replace(serial, { left, attempts: [...attempts.slice(0, -1), { ...last, leftAfter: left }] });
    if (seen !== undefined && left < seen - (isOpen ? 1 : 0))
      return this.note(serial, 'foreign-attempt', { before: seen, after: left, total });
    if (!isOpen && seen !== left) this.#replace(serial, { left, attempts });
    return undefined;
  }

  /** Notes tries that somebody else has used up. @throws AgentError `state.write` */
  note(
    serial: string,
    outcome: 'driver-attempt' | 'foreign-attempt',
    { before, after, total }: PinLoss,
  ): PinAttempt {
    const attempt: PinAttempt = {
      at: this.#now(),
      outcome,
      triesBefore: wordOf(before, total),
      triesAfter: wordOf(after, total),
      leftBefore: before,
      leftAfter: after,
    };
    this.#append(serial, attempt, after);
    return attempt;
  }

  /** Attempts on a token, oldest first. */
  attempts(serial: string): readonly PinAttempt[] {
    return this.#page(serial).attempts;
  }

  /** The last attempt of somebody else since the PIN was last entered right. */
  alert(serial: string): PinAttempt | undefined {
    const attempts = this.attempts(serial);
    const since = attempts.slice(attempts.findLastIndex(({ outcome }) => outcome === 'correct') + 1);
    return since.findLast(({ outcome }) => outcome === 'driver-attempt' || outcome === 'foreign-attempt');
  }

  #page(serial: string): Page {
    return this.#tokens.get(serial) ?? NO_PAGE;
  }

  #now(): string {
    return new Date(this.#clock()).toISOString().replace(/\.\d+Z$/, 'Z');
  }

  #append(serial: string, attempt: PinAttempt, left = this.#page(serial).left): void {
    this.#replace(serial, { left, attempts: [...this.attempts(serial), attempt] });
  }

  #replace(serial: string, { left, attempts }: Page): void {
    const page: Page = { left, attempts: attempts.slice(-MAX_ATTEMPTS) };
    const tokens = new Map(this.#tokens).set(serial, page);
    saveStateFile(this.#path, {
      format: 'touchstone-pin-ledger',
      version: 2,
      tokens: Object.fromEntries(tokens),
    });
    this.#tokens.set(serial, page);
  }
}

/** As tokens that do not count say it. */
function wordOf(left: number, total: number): PinAttempt['triesBefore'] {
  if (left === 0) return 'locked';
  if (left === 1) return 'last';
  return left < total ? 'low' : 'full';
}
