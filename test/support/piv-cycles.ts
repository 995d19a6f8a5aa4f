/**
 * A YubiKey that is pulled and put back at random moments while everybody uses it: the root signs with a finger, leaves sign, PINs are
 * entered. Every request has an outcome, and what the card counted is compared with what was entered and with the ledger.
 */
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { AgentClient } from '../../src/client/client.js';
import type { StatementToSign } from '../../src/client/signer.js';
import { unlockToken } from '../../src/client/unlock.js';
import { asAgentError } from '../../src/errors/agent-error.js';
import { connectTo, fileStatement, outcomeOf } from './agent-client.js';
import { ROOT_KEY, rootStatement } from './card-root.js';
import { CARD_PIN, ownedCard, PivAgent } from './piv-agent.js';
import { YubiKeyDesk } from './virtual-yubikey/virtual-yubikey.js';

const LEAVES = ['touchstone/a#ssh', 'touchstone/b#ssh'];
const ROOT_CLIENTS = 3;
/** When the finger comes, milliseconds. */
const TOUCH_MS = 30;
const LONGEST_PAUSE_MS = 400;
/** Between two requests of one client, milliseconds. */
const BREATH_MS = 10;
const RECOVERY_TRIES = 100;
const LEASE_SECONDS = 3_600;
const LEDGER_ATTEMPTS = 100;

export interface CycleFigures {
  /** How often each request ended in each way. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** From the return of the card to a signature of the root with a PIN that was entered anew; milliseconds, shortest first. */
  readonly recoveriesMs: readonly number[];
  /** PINs that were entered, those that the ledger knows of, and those that the card saw. */
  readonly entered: number;
  readonly inLedger: number;
  readonly onCard: number;
  readonly wrongOnCard: number;
}

interface Attempt {
  readonly at: string;
  readonly outcome: string;
}

export class PivCycles implements AsyncDisposable {
  readonly agent: PivAgent;
  readonly desk: YubiKeyDesk;
  readonly #client: AgentClient;
  readonly #outcomes = new Map<string, number>();
  #entered = 0;
  #inLedger = 0;
  #ledger: readonly Attempt[] = [];

  private constructor(agent: PivAgent, desk: YubiKeyDesk, client: AgentClient) {
    this.agent = agent;
    this.desk = desk;
    this.#client = client;
  }

  /** An agent that has adopted a card whose root wants a finger each time, and derived two leaves. */
  static async begin(): Promise<PivCycles> {
    const card = ownedCard({ policies: { pin: 'once', touch: 'always' } });
    card.touch.afterMs = TOUCH_MS;
    const desk = await YubiKeyDesk.start([card]);
    const agent = new PivAgent();
    await agent.begin(desk);
    const adopted = await agent.adopt();
    if (adopted.status !== 0) throw new Error(adopted.stderr);
    for (const name of LEAVES) await agent.derive(name);
    await agent.must(['lock']);
    return new PivCycles(agent, desk, await connectTo(agent));
  }

  /** Pulls the card so often. */
  async run(cycles: number): Promise<CycleFigures> {
    const card = this.desk.key;
    this.#ledger = this.#attempts();
    const before = { attempts: card.counters.pinAttempts, wrong: card.counters.wrongPins };
    const recoveriesMs: number[] = [];
    await this.#recovered();
    for (let cycle = 0; cycle < cycles; cycle += 1) {
      recoveriesMs.push(await this.#cycle());
      this.#readLedger();
    }
    return {
      outcomes: Object.fromEntries([...this.#outcomes].sort()),
      recoveriesMs: recoveriesMs.sort((one, other) => one - other),
      entered: this.#entered,
      inLedger: this.#inLedger,
      onCard: card.counters.pinAttempts - before.attempts,
      wrongOnCard: card.counters.wrongPins - before.wrong,
    };
  }

  /** One entry of a PIN; answers `unlocked`, or the code of the error. */
  async enter(pin = CARD_PIN): Promise<string> {
    try {
      const readPin = (): Promise<Buffer> => {
        this.#entered += 1;
        return Promise.resolve(Buffer.from(pin));
      };
      const lease = { keys: [ROOT_KEY, ...LEAVES], seconds: LEASE_SECONDS };
      await unlockToken(this.#client, { token: 'key', readPin, lease, timeoutMs: 60_000 });
      return 'unlocked';
    } catch (error) {
      return asAgentError(error).code;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    await this.agent[Symbol.asyncDispose]();
    await this.desk[Symbol.asyncDispose]();
  }

  /** @returns how long the way back took, milliseconds */
  async #cycle(): Promise<number> {
    const card = this.desk.key;
    const end = new AbortController();
    const load = this.#load(end.signal);
    await delay(randomInt(LONGEST_PAUSE_MS));
    this.desk.reader.remove();
    await delay(randomInt(LONGEST_PAUSE_MS));
    end.abort();
    this.desk.reader.insert(card);
    await this.desk.reader.powered();
    const ms = await this.#recovered();
    await load;
    return ms;
  }

  async #recovered(): Promise<number> {
    const statement = await rootStatement(this.#client);
    const backMs = performance.now();
    for (let tries = 0; tries < RECOVERY_TRIES; tries += 1) {
      this.#tally('unlock', await this.enter());
      const signed = await outcomeOf(this.#client, statement);
      this.#tally('root', signed);
      if (signed === 'signed') return performance.now() - backMs;
    }
    throw new Error('the card did not come back');
  }

  /** Everybody at work, each request after the one before, until told to stop. */
  async #load(end: AbortSignal): Promise<void> {
    const roots = await Promise.all(
      Array.from({ length: ROOT_CLIENTS }, (_, at) =>
        rootStatement(this.#client, `docker.io/acme/app${String(at)}`),
      ),
    );
    const leaves = LEAVES.map((key, at) => fileStatement(key, String(at)));
    const work = [
      ...roots.map((statement) => this.#repeat('root', end, () => this.#sign(statement))),
      ...leaves.map((statement) => this.#repeat('leaf', end, () => this.#sign(statement))),
    ];
    await delay(randomInt(LONGEST_PAUSE_MS / 2));
    this.#tally('unlock', await this.enter());
    await Promise.all(work);
  }

  #sign(statement: StatementToSign): Promise<string> {
    return outcomeOf(this.#client, statement);
  }

  async #repeat(what: string, end: AbortSignal, request: () => Promise<string>): Promise<void> {
    while (!end.aborted) {
      this.#tally(what, await request());
      await delay(BREATH_MS);
    }
  }

  #tally(what: string, outcome: string): void {
    const name = `${what} ${outcome}`;
    this.#outcomes.set(name, (this.#outcomes.get(name) ?? 0) + 1);
  }

  #attempts(): readonly Attempt[] {
    const text = readFileSync(path.join(this.agent.stateDir, 'pin-ledger.json'), 'utf8');
    const { tokens } = JSON.parse(text) as { tokens: Record<string, { attempts: readonly Attempt[] }> };
    return tokens[String(this.desk.key.serial)]?.attempts ?? [];
  }

  /** Counts what is new: the ledger keeps the last ones only. */
  #readLedger(): void {
    const [before, now] = [this.#ledger, this.#attempts()];
    const isNew = (count: number): boolean => {
      const kept = before.slice(Math.max(0, before.length + count - LEDGER_ATTEMPTS));
      return JSON.stringify(kept) === JSON.stringify(now.slice(0, now.length - count));
    };
    let fresh = 0;
    while (fresh < now.length && !isNew(fresh)) fresh += 1;
    this.#inLedger += fresh;
    this.#ledger = now;
  }
}
