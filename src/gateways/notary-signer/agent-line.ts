/** The gateway's line to the agent: one connection that is opened when it is needed, and again when it broke. */
import type { AgentClient } from '../../client/client.js';
import { AgentError } from '../../errors/agent-error.js';
import type { MethodName, Params, Result } from '../../protocol/methods.js';

export class AgentLine implements Disposable {
  readonly #connect: () => Promise<AgentClient>;
  #client: Promise<AgentClient> | undefined;

  /** @param connect opens a new connection, in bounded time */
  constructor(connect: () => Promise<AgentClient>) {
    this.#connect = connect;
  }

  /**
   * Calls one method. When the connection broke it is made again and the call sent once more: everything the gateway asks for may be
   * asked for twice, because the guard admits the same content again and a key that exists is not derived a second time.
   * @throws AgentError of the agent, agent.unreachable, limits.deadline
   */
  async call<M extends MethodName>(method: M, params: Params<M>, timeoutMs: number): Promise<Result<M>> {
    const deadline = Date.now() + timeoutMs;
    const first = this.#open();
    try {
      return await (await first).call(method, params, { timeoutMs });
    } catch (thrown) {
      if (!(thrown instanceof AgentError) || thrown.code !== 'agent.unreachable') throw thrown;
      this.#drop(first);
    }
    const again = this.#open();
    try {
      return await (await again).call(method, params, { timeoutMs: Math.max(1, deadline - Date.now()) });
    } catch (thrown) {
      if (thrown instanceof AgentError && thrown.code === 'agent.unreachable') this.#drop(again);
      throw thrown;
    }
  }

  [Symbol.dispose](): void {
    const client = this.#client;
    if (client !== undefined) this.#drop(client);
  }

  #open(): Promise<AgentClient> {
    if (this.#client !== undefined) return this.#client;
    const opening = this.#connect();
    this.#client = opening;
    // One that failed must not be what the next call waits for.
    opening.catch(() => {
      this.#drop(opening);
    });
    return opening;
  }

  #drop(client: Promise<AgentClient>): void {
    if (this.#client === client) this.#client = undefined;
    client.then(
      (opened) => {
        opened.close();
      },
      () => undefined,
    );
  }
}
