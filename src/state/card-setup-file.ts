/**
 * The set-up of a card as far as it came: which slots it has filled, by serial number. A set-up that was interrupted finds its own
 * keys by it; nothing of it is secret, and without the file the keys are like anybody's.
 */
import { z } from 'zod';
import { loadStateFile, saveStateFile, type StateFormat } from './versions.js';

const SCHEMA = z.strictObject({
  format: z.literal('touchstone-card-setup'),
  version: z.literal(1),
  /** By serial number, then by slot: key id of what was made, or that it was about to be made. */
  cards: z.record(
    z.string().regex(/^[0-9]{1,10}$/),
    z.record(
      z.string().regex(/^[0-9a-f]{2}$/),
      z.union([z.literal('begun'), z.string().regex(/^[0-9a-f]{64}$/)]),
    ),
  ),
});

const FORMAT: StateFormat<typeof SCHEMA> = {
  format: 'touchstone-card-setup',
  version: 1,
  schema: SCHEMA,
  maxBytes: 1024 * 1024,
  migrations: [],
};

/** Key id by slot, or `begun` where nobody knows whether the card has made it. */
export type MadeKeys = Readonly<Record<string, string>>;

export class CardSetupFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** @throws AgentError `state.damaged`, `state.version` */
  made(serial: string): MadeKeys {
    return loadStateFile(this.#path, FORMAT)?.cards[serial] ?? {};
  }

  /** Before a key is made, and after it. @throws AgentError `state.write` */
  note(serial: string, slot: string, state: 'begun' | { readonly keyId: string }): void {
    const cards = loadStateFile(this.#path, FORMAT)?.cards ?? {};
    const made = { ...cards[serial], [slot]: state === 'begun' ? state : state.keyId };
    saveStateFile(this.#path, {
      format: 'touchstone-card-setup',
      version: 1,
      cards: { ...cards, [serial]: made },
    });
  }
}
