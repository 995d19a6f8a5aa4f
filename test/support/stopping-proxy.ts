/** In front of a trust server, over plain HTTP: hands everything on, until it is told to let one request or its answer hang, or to reject uploads. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Agent, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { NotaryServer } from './notary-server.js';

/** What `rejectUploads` says. */
export const REJECTION = 'The server does not feel like it.';

export interface StopRule {
  /** For example `POST`, or the end of a path. */
  readonly matches: (method: string, path: string) => boolean;
  /** Before the server hears of it, or when it has answered. */
  readonly when: 'before' | 'after';
}

export class StoppingProxy implements AsyncDisposable {
  readonly url: string;
  /** `METHOD path`, in the order they came. */
  readonly log: string[] = [];
  readonly #server: Server;
  readonly #upstream: NotaryServer;
  readonly #agent: Agent;
  #rejecting = 0;
  #rule: StopRule | undefined;
  #reached: (() => void) | undefined;

  private constructor(server: Server, upstream: NotaryServer) {
    this.#server = server;
    this.#upstream = upstream;
    this.#agent = new Agent({ ca: readFileSync(upstream.authority.certificate) });
    this.url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
    server.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) => {
      void this.#pass(incoming, outgoing);
    });
  }

  static async start(upstream: NotaryServer): Promise<StoppingProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new StoppingProxy(server, upstream);
  }

  /** Ends when a request that matches hangs; it hangs for good. */
  stopAt(rule: StopRule): Promise<void> {
    this.#rule = rule;
    return new Promise((resolve) => {
      this.#reached = resolve;
    });
  }

  /** The next so many uploads are answered by a server that does not take them. */
  rejectUploads(count: number): void {
    this.#rejecting = count;
  }

  /** From now on everything passes. */
  release(): void {
    this.#rule = undefined;
    this.#rejecting = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = '', url = '/', headers } = incoming;
    const chunks: Buffer[] = [];
    for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
    this.log.push(`${method} ${url}`);
    if (this.#stops('before', method, url)) return;
    if (method === 'POST' && this.#rejecting > 0) {
      this.#rejecting -= 1;
      outgoing.writeHead(400, { 'content-type': 'application/json' });
      outgoing.end(JSON.stringify({ errors: [{ code: 'INVALID_UPDATE', message: REJECTION, detail: {} }] }));
      return;
    }
    const passed = request(new URL(url, this.#upstream.url), { method, headers, agent: this.#agent });
    passed.on('error', () => outgoing.destroy());
    passed.on('response', (answer: IncomingMessage) => {
      if (this.#stops('after', method, url)) {
        answer.resume();
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    passed.end(Buffer.concat(chunks));
  }

  #stops(when: StopRule['when'], method: string, path: string): boolean {
    const rule = this.#rule;
    if (rule?.when !== when || !rule.matches(method, path)) return false;
    this.#reached?.();
    return true;
  }
}
