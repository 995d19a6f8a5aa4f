/**
 * The control endpoint: WebSocket with JSON-RPC 2.0 over a Unix socket. Who is calling is asked of the kernel when the connection
 * is made, before a byte is read; without an answer nobody gets in.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { Agent } from '../../agent/agent.js';
import { AgentError } from '../../errors/agent-error.js';
import { LIMITS, SUBPROTOCOL } from '../../protocol/limits.js';
import { Callers, type Caller, type Note } from '../callers.js';
import type { Endpoint } from '../stream-server.js';
import { ControlConnection } from './connection.js';

/** Node looks for handshakes past their deadline this often; its own 30 seconds would be the real deadline otherwise. */
const CHECK_EVERY_MS = 1_000;

export interface ControlServerOptions {
  readonly agent: Agent;
  /** Listening socket made by the keeper. */
  readonly listenFd: number;
  readonly socketPath: string;
  readonly note: Note;
}

export class ControlServer implements Endpoint {
  readonly #options: ControlServerOptions;
  readonly #http: Server;
  readonly #websockets: WebSocketServer;
  readonly #callers: Callers;
  readonly #known = new WeakMap<Duplex, Caller>();
  readonly #connections = new Set<ControlConnection>();

  constructor(options: ControlServerOptions) {
    this.#options = options;
    this.#callers = new Callers(options);
    this.#websockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: LIMITS.socketFrameBytes,
      handleProtocols: () => SUBPROTOCOL,
    });
    this.#http = createServer({ connectionsCheckingInterval: CHECK_EVERY_MS }, (_request, response) => {
      response.writeHead(426, { 'content-type': 'application/json' });
      response.end(JSON.stringify(new AgentError('rpc.request').toData()));
    });
    this.#http.headersTimeout = LIMITS.helloMs;
    this.#http.on('connection', (socket: Socket) => {
      this.#known.set(socket, this.#callers.receive(socket));
    });
    this.#http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.#onUpgrade(request, socket, head);
    });
  }

  get connections(): number {
    return this.#connections.size;
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#http.once('error', reject);
      this.#http.listen({ fd: this.#options.listenFd }, () => {
        this.#http.removeListener('error', reject);
        resolve();
      });
    });
  }

  /** Accepts nobody any more; open connections go on until `end`. */
  stopAccepting(): void {
    this.#http.close();
  }

  end(): void {
    for (const connection of this.#connections) connection.close();
  }

  #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const caller = this.#known.get(socket);
    const refusal = caller?.refusal ?? refusalOf(request);
    if (refusal !== undefined || caller?.peer === undefined) {
      refuse(socket, refusal ?? new AgentError('peer.unknown'));
      return;
    }
    const { peer } = caller;
    this.#websockets.handleUpgrade(request, socket, head, (websocket) => {
      const connection = new ControlConnection(websocket, socket, peer, this.#options.agent, () => {
        this.#connections.delete(connection);
      });
      this.#connections.add(connection);
    });
  }
}

function refusalOf({ headers }: IncomingMessage): AgentError | undefined {
  if (headers.origin !== undefined) return new AgentError('peer.origin-refused');
  const offered = headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? [];
  return offered.includes(SUBPROTOCOL)
    ? undefined
    : new AgentError('rpc.version', { message: `the client does not offer the subprotocol ${SUBPROTOCOL}` });
}

function refuse(socket: Duplex, error: AgentError): void {
  const body = JSON.stringify(error.toData());
  socket.on('error', () => undefined);
  socket.end(
    `HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
