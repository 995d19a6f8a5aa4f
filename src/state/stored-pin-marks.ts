/**
 * Which stored PIN was sent to a token that has not taken it, by token name. Written before the PIN is sent: after a kill nobody knows
 * what became of it, and it is not sent again. Holds the random name of a storing, nothing made from a PIN.
 */
import { z } from 'zod';
import { loadStateFile, saveStateFile, type StateFormat } from './versions.js';

const MARKS_SCHEMA = z.strictObject({
  format: z.literal('touchstone-stored-pins'),
  version: z.literal(1),
  /** By name in touchstone.toml. */
  untaken: z.record(z.string(), z.string()),
});

const MARKS_FORMAT: StateFormat<typeof MARKS_SCHEMA> = {
  format: 'touchstone-stored-pins',
  version: 1,
  schema: MARKS_SCHEMA,
  maxBytes: 64 * 1024,
  migrations: [],
};

export class StoredPinMarks {
  readonly #path: string;
  readonly #untaken: Map<string, string>;

  private constructor(path: string, untaken: Map<string, string>) {
    this.#path = path;
    this.#untaken = untaken;
  }

  /** @throws AgentError `state.damaged`, `state.version` */
  static open(path: string): StoredPinMarks {
    return new StoredPinMarks(
      path,
      new Map(Object.entries(loadStateFile(path, MARKS_FORMAT)?.untaken ?? {})),
    );
  }

  /** Whether this very storing was sent before and not taken. */
  isUntaken(token: string, id: string): boolean {
    return this.#untaken.get(token) === id;
  }

  /** Before the PIN is sent. @throws AgentError `state.write`; then it must not be sent */
  sending(token: string, id: string): void {
    this.#save(new Map(this.#untaken).set(token, id));
  }

  /** The token took it, or never got to see it. @throws AgentError `state.write` */
  clear(token: string): void {
    const untaken = new Map(this.#untaken);
    if (untaken.delete(token)) this.#save(untaken);
  }

  #save(untaken: ReadonlyMap<string, string>): void {
    saveStateFile(this.#path, {
      format: 'touchstone-stored-pins',
      version: 1,
      untaken: Object.fromEntries(untaken),
    });
    this.#untaken.clear();
    for (const [token, id] of untaken) this.#untaken.set(token, id);
  }
}
