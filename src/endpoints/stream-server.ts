/** A listening socket of a protocol that speaks in plain bytes: lets callers in and hands each one to a connection of its own. */
import { createServer, type Server, type Socket } from 'node:net';
import type { Agent } from '../agent/agent.js';
import type { Peer } from '../agent/peer.js';
import { Callers, type Note } from './callers.js';

/** What the front does with each of its sockets. */
export interface Endpoint {
  /** Open connections now. */
  readonly connections: number;
  listen(): Promise<void>;
  /** Accepts nobody any more; open connections go on until `end`. */
  stopAccepting(): void;
  end(): void;
}

export interface StreamServerOptions {
  readonly agent: Pick<Agent, 'admits'>;
  /** Listening socket made by the keeper. */
  readonly listenFd: number;
  readonly socketPath: string;
  readonly note: Note;
  /** Takes over an admitted connection; errors of the socket are already handled by closing it. */
  readonly onConnection: (socket: Socket, peer: Peer) => void;
}

export class StreamServer implements Endpoint {
  readonly #options: StreamServerOptions;
  readonly #server: Server;
  readonly #callers: Callers;
  readonly #sockets = new Set<Socket>();

  constructor(options: StreamServerOptions) {
    this.#options = options;
    this.#callers = new Callers(options);
    this.#server = createServer((socket) => {
      this.#onSocket(socket);
    });
  }

  get connections(): number {
    return this.#sockets.size;
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ fd: this.#options.listenFd }, () => {
        this.#server.removeListener('error', reject);
        resolve();
      });
    });
  }

  stopAccepting(): void {
    this.#server.close();
  }

  end(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #onSocket(socket: Socket): void {
    socket.on('error', () => {
      socket.destroy();
    });
    const { peer, refusal } = this.#callers.receive(socket);
    if (refusal !== undefined || peer === undefined) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
    });
    this.#options.onConnection(socket, peer);
  }
}
