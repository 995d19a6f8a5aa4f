/**
 * Every PIN attempt this agent made, by token serial: written before the PIN is sent, so that even a kill in between leaves a
 * trace. Holds no PIN and nothing made from one.
 */
import { z } from 'zod';
import { loadStateFile, saveStateFile, type StateFormat } from './versions.js';

/** Attempts kept per serial; older ones are dropped. */
const MAX_ATTEMPTS = 100;

const tries = z.enum(['full', 'low', 'last', 'locked']);
const attempt = z.strictObject({
  /** RFC 3339, whole seconds, Z. */
  at: z.string(),
  /** `unknown` until the token has answered; it stays so after a kill. */
  outcome: z.enum(['unknown', 'correct', 'wrong', 'locked', 'error']),
  triesBefore: tries,
  triesAfter: tries.optional(),
});

const LEDGER_SCHEMA = z.strictObject({
  format: z.literal('touchstone-pin-ledger'),
  version: z.literal(1),
  /** By serial, oldest attempt first. */
  tokens: z.record(z.string(), z.array(attempt)),
});

const LEDGER_FORMAT: StateFormat<typeof LEDGER_SCHEMA> = {
  format: 'touchstone-pin-ledger',
  version: 1,
  schema: LEDGER_SCHEMA,
  maxBytes: 4 * 1024 * 1024,
  migrations: [],
};

export type PinAttempt = Readonly<z.infer<typeof attempt>>;
export type PinOutcome = Exclude<PinAttempt['outcome'], 'unknown'>;
export type PinTries = PinAttempt['triesBefore'];

export class PinLedger {
  readonly #path: string;
  readonly #clock: () => number;
  readonly #tokens: Map<string, readonly PinAttempt[]>;

  private constructor(path: string, clock: () => number, tokens: Map<string, readonly PinAttempt[]>) {
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
  begin(serial: string, triesBefore: PinTries): void {
    const at = new Date(this.#clock()).toISOString().replace(/\.\d+Z$/, 'Z');
    this.#replace(serial, [...this.attempts(serial), { at, outcome: 'unknown', triesBefore }]);
  }

  /** Notes what the token answered to the attempt begun last. @throws AgentError `state.write` */
  end(serial: string, outcome: PinOutcome, triesAfter: PinTries): void {
    const attempts = this.attempts(serial);
    const open = attempts.at(-1);
    if (open?.outcome !== 'unknown') return;
    this.#replace(serial, [...attempts.slice(0, -1), { ...open, outcome, triesAfter }]);
  }

  /** Attempts on a token, oldest first. */
  attempts(serial: string): readonly PinAttempt[] {
    return this.#tokens.get(serial) ?? [];
  }

  #replace(serial: string, attempts: readonly PinAttempt[]): void {
    const tokens = new Map(this.#tokens).set(serial, attempts.slice(-MAX_ATTEMPTS));
    saveStateFile(this.#path, {
      format: 'touchstone-pin-ledger',
      version: 1,
      tokens: Object.fromEntries(tokens),
    });
    this.#tokens.set(serial, tokens.get(serial) ?? []);
  }
}
