/** Notices that a card waits for a finger: a key that wants one, and no answer for a moment. A cached touch stays silent. */
import type { HostCalls, HostMethod } from '../tokenhost/messages.js';
import type { HostAnswer } from './host-link.js';

/** Methods that use a private key. */
export const USES_KEY: ReadonlySet<HostMethod> = new Set([
  'evaluatePrf',
  'signDigest',
  'signData',
  'cardSign',
  'cardManagement',
]);

/** A card that needs no finger has answered by then, milliseconds. */
const TELL_AFTER_MS = 300;
/** Id of the management key, which only `cardManagement` uses. */
const MANAGEMENT_KEY = '9b';
/** When a card gives up. */
const CARD_WAITS_SECONDS = 15;

export class TouchWatch {
  readonly #onTouch: (secondsLeft: number) => void;
  /** Ids of keys that want a finger. */
  readonly #wanting = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(onTouch: (secondsLeft: number) => void) {
    this.#onTouch = onTouch;
  }

  /** Whether using the key of this id takes a finger, or may: not every card says so of every key. */
  wants(id: string): boolean {
    return this.#wanting.has(id);
  }

  /** Waits for the answer to a call; learns from it, or tells that a finger is wanted. */
  async during<M extends HostMethod>(
    method: M,
    params: HostCalls[M]['params'],
    answer: Promise<HostAnswer<M>>,
  ): Promise<HostAnswer<M>> {
    const id = method === 'cardManagement' ? MANAGEMENT_KEY : 'id' in params ? params.id : undefined;
    if (method === 'cardState') this.#learnManagement((await answer).result);
    if (id === undefined) return answer;
    if (!USES_KEY.has(method)) {
      const found = await answer;
      this.#learn(found.result);
      return found;
    }
    if (this.#wanting.has(id)) this.#timer ??= this.#start();
    try {
      return await answer;
    } finally {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
  }

  /** By the id that the token gives: a set-up asks for its keys by others. */
  #learn(result: object): void {
    if (!('id' in result) || typeof result.id !== 'string') return;
    this.#note(result.id, 'touch' in result ? result.touch : undefined);
  }

  #learnManagement(result: object): void {
    const { management } = result as Partial<HostCalls['cardState']['result']>;
    this.#note(MANAGEMENT_KEY, management?.touch);
  }

  #note(id: string, touch: unknown): void {
    if (touch === false) this.#wanting.delete(id);
    else this.#wanting.add(id);
  }

  #start(): NodeJS.Timeout {
    return setTimeout(() => {
      this.#onTouch(CARD_WAITS_SECONDS);
    }, TELL_AFTER_MS).unref();
  }
}
