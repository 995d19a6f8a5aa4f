/** HTTP/2 over mutual TLS: who has no certificate of the configured authority does not get a word in. */
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { once } from 'node:events';
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { printable } from '../../encoding/utf8.js';
import { AgentError } from '../../errors/agent-error.js';
import { addServices } from './services.js';
import type { SigningParts } from './signing.js';

/** A document of a server is a few kilobytes. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
const MAX_CONNECTIONS = 64;
const MAX_STREAMS = 128;
const HANDSHAKE_MS = 10_000;
/** Silence on one call; each call itself is bounded more tightly. Milliseconds. */
const STREAM_MS = 60_000;
/** Time for calls in work when the gateway stops, milliseconds. */
const DRAIN_MS = 5_000;

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** PEM of each. */
export interface TlsIdentity {
  readonly certificate: Buffer;
  /** Overwritten as soon as OpenSSL has it. */
  readonly key: Buffer;
  /** Authorities of the servers that may call. */
  readonly clientAuthority: Buffer;
}

export class SignerServer implements AsyncDisposable {
  readonly #server: Http2SecureServer;
  readonly #sessions = new Set<ServerHttp2Session>();

  private constructor(server: Http2SecureServer, parts: SigningParts) {
    this.#server = server;
    server.maxConnections = MAX_CONNECTIONS;
    server.on('session', (session) => {
      this.#sessions.add(session);
      session.on('close', () => this.#sessions.delete(session));
      session.on('error', () => undefined);
    });
    server.on('stream', (stream) => {
      stream.setTimeout(STREAM_MS, () => {
        stream.close();
      });
    });
    server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
      // Node hides what it has against a certificate behind "socket hang up", and gives a code where its types say an error.
      const against: unknown = socket.authorizationError;
      const reason = typeof against === 'string' ? against : error.message;
      parts.note('connection refused', { reason: printable(reason, 120) });
    });
  }

  /** @throws AgentError `gateway.tls`, `gateway.listen` */
  static async listen(
    address: ListenAddress,
    identity: TlsIdentity,
    parts: SigningParts,
  ): Promise<SignerServer> {
    const server = createServer(identity, parts);
    const made = new SignerServer(server, parts);
    const listening = once(server, 'listening');
    server.listen(address.port, address.host);
    try {
      await listening;
    } catch (cause) {
      throw new AgentError('gateway.listen', {
        message: `listening on ${address.host} port ${address.port}: ${(cause as NodeJS.ErrnoException).code ?? 'unknown'}`,
        cause,
      });
    }
    return made;
  }

  /** The port it listens on. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Finishes the calls in work, for a bounded time. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const session of this.#sessions) session.close();
    const late = setTimeout(() => {
      for (const session of this.#sessions) session.destroy();
    }, DRAIN_MS);
    await closed;
    clearTimeout(late);
  }
}

function createServer(
  { certificate, key, clientAuthority }: TlsIdentity,
  parts: SigningParts,
): Http2SecureServer {
  const routes = connectNodeAdapter({
    routes: (router) => {
      addServices(router, parts);
    },
    grpc: true,
    grpcWeb: false,
    connect: false,
    readMaxBytes: MAX_MESSAGE_BYTES,
    writeMaxBytes: MAX_MESSAGE_BYTES,
  });
  try {
    return createSecureServer(
      {
        cert: certificate,
        key,
        ca: clientAuthority,
        requestCert: true,
        rejectUnauthorized: true,
        allowHTTP1: false,
        minVersion: 'TLSv1.2',
        handshakeTimeout: HANDSHAKE_MS,
        settings: { maxConcurrentStreams: MAX_STREAMS },
      },
      routes,
    );
  } catch (cause) {
    throw new AgentError('gateway.tls', {
      message: `reading certificate, key and authority: ${(cause as Error).message}`,
      cause,
    });
  } finally {
    key.fill(0);
  }
}
