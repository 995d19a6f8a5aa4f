/** A program's worth of agent for tests of clients: a real WebSocket on a real Unix socket that answers what the test says. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import { LIMITS, PROTOCOL_VERSION, SUBPROTOCOL } from '../../src/protocol/limits.js';

export interface ScriptedRequest {
  readonly id: number;
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** What to do with one request: a result, an error object, nothing at all, or (undefined) what is usual: hello is answered, the rest not. */
export type Answer = (request: ScriptedRequest, socket: WebSocket) => object | 'silence' | undefined;

const HELLO = {
  agent: 'scripted',
  protocol: PROTOCOL_VERSION,
  pid: process.pid,
  uid: 0,
  limits: {},
} as const;

export class ScriptedAgent implements AsyncDisposable {
  readonly socket: string;
  readonly requests: ScriptedRequest[] = [];
  readonly #server: Server;
  readonly #websockets: WebSocketServer;

  private constructor(socket: string, server: Server, answer: Answer) {
    this.socket = socket;
    this.#server = server;
    this.#websockets = new WebSocketServer({
      noServer: true,
      maxPayload: LIMITS.socketFrameBytes,
      handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
    });
    server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
      this.#websockets.handleUpgrade(request, stream, head, (websocket) => {
        this.#serve(websocket, answer);
      });
    });
  }

  /** Answers hello by itself unless `answer` does. */
  static async listen(socket: string, answer: Answer): Promise<ScriptedAgent> {
    const server = createServer();
    const agent = new ScriptedAgent(socket, server, answer);
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    return agent;
  }

  /** Ends every connection, as a crash would. */
  dropConnections(): void {
    for (const client of this.#websockets.clients) client.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.dropConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(websocket: WebSocket, answer: Answer): void {
    websocket.on('error', () => undefined);
    websocket.on('message', (data: Buffer) => {
      const request = JSON.parse(data.toString('utf8')) as ScriptedRequest;
      this.requests.push(request);
      const reply =
        answer(request, websocket) ?? (request.method === 'hello' ? { result: HELLO } : undefined);
      if (reply !== undefined && reply !== 'silence')
        websocket.send(JSON.stringify({ jsonrpc: '2.0', id: request.id, ...reply }));
    });
  }
}
