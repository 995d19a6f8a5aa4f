/** An agent whose key signs on a token of its own, and that token held still while more is asked of it than its driver takes. */
import { readFileSync } from 'node:fs';
import { fileStatement } from './agent-client.js';
import type { DemoAgent } from './demo-agent.js';
import { agentOver } from './own-token-agent.js';
import { processTree } from './process-tree.js';
import { RawConnection } from './raw-connection.js';
import { SoftHsmStore } from './softhsm-store.js';

/** On the token `buildhost`. */
export const BUSY_KEY = 'touchstone/slow#ssh';
/** The driver gets at most so many jobs at once; more stand in the queue. */
export const BUSY_ORDERS = 40;

export class BusyToken implements AsyncDisposable {
  readonly agent: DemoAgent;
  readonly #stores: readonly SoftHsmStore[];
  readonly #hosts: readonly number[];

  private constructor(agent: DemoAgent, stores: readonly SoftHsmStore[], hosts: readonly number[]) {
    this.agent = agent;
    this.#stores = stores;
    this.#hosts = hosts;
  }

  static async start(): Promise<BusyToken> {
    const [release, buildhost] = [new SoftHsmStore('release'), new SoftHsmStore('buildhost')];
    const agent = await agentOver(
      { name: 'release', store: release },
      { name: 'buildhost', store: buildhost },
    );
    const keeper = await agent.start();
    await agent.must(['token', 'setup', '--token', 'release', '--pin-file', agent.pinFile]);
    await agent.derive(BUSY_KEY);
    await agent.must(['key', 'install', BUSY_KEY, '--token', 'buildhost', '--pin-file', agent.pinFile]);
    await agent.must(['lock']);
    await agent.must(['unlock', '--token', 'buildhost', '--pin-file', agent.pinFile]);
    const hosts = processTree(keeper).filter((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('tokenhost.js'),
    );
    return new BusyToken(agent, [release, buildhost], hosts);
  }

  /** Holds the token still, with orders of somebody else in front. @returns their connection */
  async occupy(): Promise<RawConnection> {
    const client = await RawConnection.open(this.agent.socket);
    for (const pid of this.#hosts) process.kill(pid, 'SIGSTOP');
    const { kind, payload } = fileStatement(BUSY_KEY, 'x');
    const requests = [{ key: BUSY_KEY, kind, payload: Buffer.from(payload).toString('base64') }];
    for (let id = 1; id <= BUSY_ORDERS; id += 1)
      client.send({ jsonrpc: '2.0', id, method: 'sign', params: { requests, timeoutMs: 60_000 } });
    return client;
  }

  goOn(): void {
    for (const pid of this.#hosts) process.kill(pid, 'SIGCONT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent[Symbol.asyncDispose]();
    for (const store of this.#stores) store[Symbol.dispose]();
  }
}
