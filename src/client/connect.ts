/**
 * Reaching the agent: a Unix socket whose listener is checked before a single byte is sent, then the WebSocket upgrade.
 * A program of another user that squats on the path gets nothing, not even a greeting.
 */
import type { IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import { connect as connectSocket, type Socket } from 'node:net';
import type * as Ws from 'ws';
import { AgentError } from '../errors/agent-error.js';
import { MAX_SOCKET_PATH_BYTES } from '../platform/paths.js';
import { peerOf } from '../platform/peer.js';
import { LIMITS, SUBPROTOCOL } from '../protocol/limits.js';
import { errorFromReply, parseReply } from './reply.js';

/** With `require`, because `import` makes Node scan every CommonJS file for its exports first, a third of the start-up of a signing process. */
const { WebSocket } = createRequire(import.meta.url)('ws') as typeof Ws;

/** Bytes of a refusal body that are read; refusals are one small JSON document. */
const MAX_REFUSAL_BYTES = 64 * 1024;

export interface ConnectOptions {
  /** Absolute path of the agent's socket. */
  readonly socket: string;
  /** The uid of this process: an agent of the same user is accepted. */
  readonly uid: number;
  /** Asked only when the listener is neither this user nor root: the uid that touchstone.toml names, if any. */
  readonly serviceUid?: (() => Promise<number | undefined>) | undefined;
  /** Deadline for socket, upgrade and greeting together, milliseconds. */
  readonly timeoutMs: number;
}

/**
 * Connects and upgrades.
 * @throws AgentError agent.unreachable, agent.impostor, agent.socket-path, limits.deadline, or the agent's own refusal
 */
export async function openSocket(options: ConnectOptions): Promise<Ws.WebSocket> {
  const deadline = Date.now() + options.timeoutMs;
  if (Buffer.byteLength(options.socket) > MAX_SOCKET_PATH_BYTES) {
    throw new AgentError('agent.socket-path', {
      message: `socket path ${options.socket}: longer than ${MAX_SOCKET_PATH_BYTES} bytes`,
    });
  }
  const socket = await dial(options.socket, deadline - Date.now());
  try {
    await checkListener(socket, options);
    return await upgrade(socket, Math.max(1, deadline - Date.now()));
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/**
 * Whether somebody trusted listens on the socket, without speaking to it: works with an agent that hangs.
 * @throws AgentError agent.unreachable, agent.impostor
 */
export async function findListener(options: ConnectOptions): Promise<void> {
  const socket = await dial(options.socket, options.timeoutMs);
  try {
    await checkListener(socket, options);
  } finally {
    socket.destroy();
  }
}

function dial(path: string, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket({ path });
    const timer = setTimeout(() => {
      socket.destroy();
      reject(deadlineError(path));
    }, timeoutMs);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      // From here to the upgrade nobody else listens; an error then also ends the upgrade.
      socket.on('error', () => undefined);
      resolve(socket);
    });
    socket.once('error', (cause: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      reject(unreachable(path, cause));
    });
  });
}

function unreachable(path: string, cause: NodeJS.ErrnoException): AgentError {
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'there is no socket',
    ECONNREFUSED: 'nobody listens on it',
    EACCES: 'its folder does not let this user in',
    ENOTSOCK: 'it is not a socket',
    ENOTDIR: 'a part of the path is not a folder',
  };
  const reason = reasons[cause.code ?? ''] ?? `the connection failed (${cause.code ?? 'unknown'})`;
  return new AgentError('agent.unreachable', {
    message: `no agent answers on ${path}: ${reason}`,
    details: { socket: path },
    cause,
  });
}

function deadlineError(path: string): AgentError {
  return new AgentError('limits.deadline', {
    message: `connecting to ${path}: no answer by the deadline`,
    hint: 'see "touchstone agent status"; a hanging agent is restarted with "touchstone agent stop" and "start"',
  });
}

async function checkListener(socket: Socket, options: ConnectOptions): Promise<void> {
  const listener = peerOf(socket);
  if (listener.uid === options.uid || listener.uid === 0) return;
  if (listener.uid === (await options.serviceUid?.())) return;
  throw new AgentError('agent.impostor', {
    message: `the socket ${options.socket} is served by uid ${listener.uid}, not by you, root or the service user`,
    hint: 'if that is the service user, set service-uid in touchstone.toml; else see "touchstone doctor"',
    details: { uid: listener.uid, pid: listener.pid },
  });
}

function upgrade(socket: Socket, timeoutMs: number): Promise<Ws.WebSocket> {
  return new Promise((resolve, reject) => {
    const websocket = new WebSocket('ws://localhost/', SUBPROTOCOL, {
      createConnection: () => socket,
      perMessageDeflate: false,
      maxPayload: LIMITS.socketFrameBytes,
      followRedirects: false,
    });
    const timer = setTimeout(() => {
      fail(
        new AgentError('limits.deadline', { message: 'opening the connection: no answer by the deadline' }),
      );
    }, timeoutMs);
    const fail = (error: AgentError): void => {
      clearTimeout(timer);
      websocket.on('error', () => undefined);
      websocket.terminate();
      reject(error);
    };
    websocket.once('open', () => {
      clearTimeout(timer);
      websocket.removeAllListeners('error');
      resolve(websocket);
    });
    websocket.once('unexpected-response', (_request, response) => {
      readRefusal(response).then(fail, fail);
    });
    websocket.once('error', (cause) => {
      fail(
        new AgentError('agent.unreachable', {
          message: 'opening the connection: the socket does not speak the protocol',
          cause,
        }),
      );
    });
  });
}

/** The agent refuses before the upgrade with an HTTP status and ErrorData as JSON. */
async function readRefusal(response: IncomingMessage): Promise<AgentError> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_REFUSAL_BYTES) break;
    chunks.push(chunk);
  }
  const body = parseReply(Buffer.concat(chunks).toString('utf8'));
  const error = body === undefined ? undefined : errorFromReply(body);
  return (
    error ??
    new AgentError('agent.unreachable', {
      message: `opening the connection: the agent answered with HTTP status ${response.statusCode ?? 0}`,
    })
  );
}
