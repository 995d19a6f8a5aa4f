/**
 * Unlocking with a PIN that no client sends: a person is asked through the program that the configuration names. A request says who
 * asks and where the person sits, never what is run. Every entry is one attempt at the token.
 */
import { statSync } from 'node:fs';
import { AgentError, asAgentError } from '../errors/agent-error.js';
import { askAskpass } from '../platform/prompt/askpass.js';
import { askPinentry, findPinentry } from '../platform/prompt/pinentry.js';
import type { PromptPlace, PromptQuestion } from '../platform/prompt/prompt-program.js';
import type { HostTokenInfo } from '../tokenhost/messages.js';
import type { DesktopNotes } from './desktop-notes.js';
import type { Lease } from './lease.js';
import { describeAsking } from './prompt-words.js';
import type { StoredPins } from './stored-pins.js';
import type { TokenUnit } from './token-unit.js';
import type { Unlocking, UnlockParts } from './unlocking.js';
import type { KeeperCalls } from './wire.js';

/** For all entries together; the client waits twice as long at most. Milliseconds. */
const ASK_MS = 60_000;
/** Entries a person gets before the agent gives up. */
const MAX_ENTRIES = 3;
/** After these a person may type again; everything else ends the asking. */
const ASK_AGAIN = new Set<string>(['token.pin-incorrect', 'token.pin-known-wrong', 'token.pin-format']);

type AskParams = KeeperCalls['unlock.ask']['params'];

export interface AskingParts extends UnlockParts {
  readonly stored: StoredPins;
  readonly notes: DesktopNotes;
}

export class Asking {
  readonly #parts: AskingParts;
  readonly #unlocking: Unlocking;
  /** By attempt. */
  readonly #open = new Map<string, { readonly token: string; readonly end: AbortController }>();

  constructor(parts: AskingParts, unlocking: Unlocking) {
    this.#parts = parts;
    this.#unlocking = unlocking;
  }

  /** @throws AgentError `lease.attempt`, `token.busy`, `prompt.…`, `keychain.…`, and those of an unlock */
  async unlock(params: AskParams): Promise<{ lease: Lease; loaded: number }> {
    const token = this.#parts.pins.take(params.attempt);
    if ([...this.#open.values()].some((open) => open.token === token)) {
      throw new AgentError('token.busy', {
        message: `somebody is being asked for the PIN of "${token}" now`,
      });
    }
    requireTerminalOf(params.place.tty, params.owner);
    const end = new AbortController();
    this.#open.set(params.attempt, { token, end });
    try {
      const unit = this.#parts.unitOf(token);
      if (unit.config.pin.source === 'keychain')
        return await this.#parts.stored.unlock(unit, params, end.signal);
      this.#parts.notes.pin(token, params, ASK_MS / 1000);
      return await this.#entries(unit, params, end.signal);
    } finally {
      this.#open.delete(params.attempt);
      this.#parts.notes.done(token);
    }
  }

  /** The client does not wait any more: the prompt goes away. */
  cancel(attempt: string): void {
    this.#open.get(attempt)?.end.abort();
  }

  cancelAll(): void {
    for (const { end } of this.#open.values()) end.abort();
  }

  async #entries(
    unit: TokenUnit,
    params: AskParams,
    signal: AbortSignal,
  ): Promise<{ lease: Lease; loaded: number }> {
    const deadline = Date.now() + ASK_MS;
    let problem: AgentError | undefined;
    for (let entry = 1; ; entry += 1) {
      const info = await unit.section(() => lookAt(unit));
      this.#parts.pins.requireTries(info, params.useLastTry);
      const words = describeAsking({ unit, info, params, shelf: this.#parts.shelf });
      const pin = await ask(unit, {
        ...words,
        problem: problem === undefined ? undefined : `${problem.row.sentence}.`,
        place: params.place,
        timeoutMs: Math.max(1, deadline - Date.now()),
        signal,
      });
      try {
        return await unit.section(() => this.#enter(unit, info, pin, params));
      } catch (thrown) {
        problem = asAgentError(thrown);
        if (entry === MAX_ENTRIES || !ASK_AGAIN.has(problem.code)) throw problem;
      } finally {
        pin.fill(0);
      }
    }
  }

  /** The PIN was typed for the token that the prompt named, and goes to no other one. */
  async #enter(
    unit: TokenUnit,
    asked: HostTokenInfo,
    pin: Buffer,
    { lease, owner, useLastTry }: AskParams,
  ): Promise<{ lease: Lease; loaded: number }> {
    const info = await lookAt(unit);
    if (info.serial !== asked.serial) {
      throw new AgentError('token.removed', {
        message: 'another token is in the place of the one asked for',
      });
    }
    return this.#unlocking.unlock(unit, pin, { lease, owner, useLastTry });
  }
}

function ask(unit: TokenUnit, question: Omit<PromptQuestion, 'program'>): Promise<Buffer> {
  const { pin, name } = unit.config;
  switch (pin.source) {
    case 'pinentry':
      return askPinentry({ ...question, program: pin.path ?? findPinentry() });
    case 'askpass':
      return askAskpass({ ...question, program: pin.path });
    case 'person':
    case 'file':
    case 'credential':
    case 'keychain':
      throw new AgentError('usage.invalid', {
        message: `unlocking "${name}": the configuration names no program that asks for its PIN`,
        hint: 'enter the PIN at the command, or set pin = { pinentry = true } in touchstone.toml',
      });
  }
}

async function lookAt(unit: TokenUnit): Promise<HostTokenInfo> {
  await unit.open();
  return unit.look();
}

/** A prompt on the terminal of somebody else would ask the wrong person. */
function requireTerminalOf(tty: PromptPlace['tty'], uid: number): void {
  if (tty === undefined) return;
  const facts = statSync(tty, { throwIfNoEntry: false });
  if (facts?.isCharacterDevice() === true && facts.uid === uid) return;
  throw new AgentError('usage.invalid', { message: `asking on ${tty}: it is not a terminal of uid ${uid}` });
}
