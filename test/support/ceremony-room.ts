/** A ceremony with real tokens: an agent of the room, a SoftHSM store for each holder, and what people do there. */
import type { AgentClient } from '../../src/client/client.js';
import type { ReadPin } from '../../src/client/unlock.js';
import type { Enrolment } from '../../src/ceremony/enrolment.js';
import { enrol, type EnrolmentOrder } from '../../src/ceremony/enrolling.js';
import { findHolderToken, repositoryOfPolicy } from '../../src/ceremony/holder.js';
import { sealers, sealTurn } from '../../src/ceremony/seal-turn.js';
import type { CeremonySession } from '../../src/ceremony/session.js';
import { remainingTurns, signTurn } from '../../src/ceremony/signing.js';
import { connectTo } from './agent-client.js';
import type { DemoAgent } from './demo-agent.js';
import { agentOver } from './own-token-agent.js';
import { TEST_POLICY } from './software-holder.js';
import { PIN, SoftHsmStore } from './softhsm-store.js';

const ROOM = 'room';

export class CeremonyRoom implements AsyncDisposable {
  readonly agent: DemoAgent;
  readonly stores: ReadonlyMap<string, SoftHsmStore>;
  /** How often somebody had to enter a PIN. */
  entries = 0;
  readonly #own: SoftHsmStore;

  private constructor(agent: DemoAgent, own: SoftHsmStore, stores: ReadonlyMap<string, SoftHsmStore>) {
    this.agent = agent;
    this.#own = own;
    this.stores = stores;
  }

  /**
   * An agent that runs, with a token of the machine's own and one for each holder.
   * @param stores tokens that exist already, by holder
   * @param tables further tokens, as touchstone.toml has them
   */
  static async open(
    stores: ReadonlyMap<string, SoftHsmStore>,
    tables: readonly string[] = [],
  ): Promise<CeremonyRoom> {
    const own = new SoftHsmStore(ROOM);
    const tokens = [...stores].map(([name, store]) => ({ name, store }));
    const agent = await agentOver({ name: ROOM, store: own }, ...tokens);
    agent.configure((toml) => [toml, ...tables].join('\n'));
    const room = new CeremonyRoom(agent, own, stores);
    try {
      await agent.start();
      await agent.must(['token', 'setup', '--token', ROOM, '--pin-file', agent.pinFile]);
      return room;
    } catch (failure) {
      await room[Symbol.asyncDispose]();
      throw failure;
    }
  }

  /** Unlocks the token of the machine itself. */
  async unlock(): Promise<void> {
    await this.agent.must(['unlock', '--token', ROOM, '--pin-file', this.agent.pinFile]);
  }

  readonly readPin: ReadPin = () => {
    this.entries += 1;
    return Promise.resolve(Buffer.from(PIN));
  };

  connect(): Promise<AgentClient> {
    return connectTo(this.agent);
  }

  /** Enrols a holder with a new key on the token of that name. */
  async enrol(holder: string, ceremony: string, change: Partial<EnrolmentOrder> = {}): Promise<Enrolment> {
    using client = await this.connect();
    const enrolled = await enrol(
      { client, readPin: this.readPin, trustDir: this.agent.stateDir },
      {
        ceremony,
        holder,
        token: holder,
        repository: repositoryOfPolicy(TEST_POLICY.name),
        algorithm: 'ecdsa-p256',
        notaryRepositories: [],
        certificateDays: 3650,
        bag: 'bag 7',
        ...change,
      },
    );
    return enrolled.value;
  }

  /** These holders sign, in this order. @returns names of the files */
  async sign(session: CeremonySession, ...holders: readonly string[]): Promise<readonly string[]> {
    using client = await this.connect();
    const files: string[] = [];
    for (const turn of remainingTurns(session, holders)) {
      const found = await findHolderToken(client, turn.held);
      if (found === undefined) throw new Error(`the token of ${turn.held.holder} is not there`);
      files.push(...(await signTurn({ session, client, readPin: this.readPin }, turn, found)));
    }
    return files;
  }

  /** Everybody who signed here seals what was closed. */
  async seal(session: CeremonySession): Promise<void> {
    using client = await this.connect();
    for (const held of sealers(session)) {
      const found = await findHolderToken(client, held);
      if (found === undefined) throw new Error(`the token of ${held.holder} is not there`);
      await sealTurn({ session, client, readPin: this.readPin }, found);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent[Symbol.asyncDispose]();
    this.#own[Symbol.dispose]();
  }
}
