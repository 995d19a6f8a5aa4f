/**
 * A client of the control socket that keeps no rule unless the test says so: it sends what it is given, reads when it is told to, and
 * hears replies one by one.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { MethodName, Params } from '../../src/protocol/methods.js';

const DEADLINE_MS = 10_000;
const CALL_MS = 30_000;

export interface RawReply {
  readonly id?: number | string | null;
  readonly result?: unknown;
  readonly error?: {
    readonly code: number;
    readonly message: string;
    readonly data: {
      readonly code: string;
      readonly message: string;
      readonly details?: Readonly<Record<string, unknown>>;
    };
  };
  readonly method?: string;
  readonly params?: { readonly event: string } & Readonly<Record<string, unknown>>;
}

interface RawOptions {
  readonly protocols?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
}

export class RawConnection implements Disposable {
  readonly socket: WebSocket;
  /** Close code, once the connection has ended. */
  readonly closed: Promise<number>;
  readonly #heard: RawReply[] = [];
  readonly #waiting: ((reply: RawReply | undefined) => void)[] = [];
  /** Calls by number; their replies are not heard by `next`. */
  readonly #calls = new Map<unknown, (reply: RawReply | undefined) => void>();
  #nextId = 1_000_000;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      socket.on('close', (code) => {
        for (const wake of [...this.#waiting.splice(0), ...this.#calls.values()]) wake(undefined);
        this.#calls.clear();
        resolve(code);
      });
    });
    socket.on('error', () => undefined);
    socket.on('message', (data: Buffer) => {
      const reply = JSON.parse(data.toString('utf8')) as RawReply;
      const called = this.#calls.get(reply.id);
      if (called !== undefined) {
        this.#calls.delete(reply.id);
        called(reply);
        return;
      }
      const wake = this.#waiting.shift();
      if (wake === undefined) this.#heard.push(reply);
      else wake(reply);
    });
  }

  /** Connects and upgrades, without a greeting. @throws Error with the HTTP status and body of a refusal */
  static async connect(path: string, options: RawOptions = {}): Promise<RawConnection> {
    const socket = new WebSocket(`ws+unix://${path}:/`, [...(options.protocols ?? ['touchstone.v1'])], {
      perMessageDeflate: false,
      handshakeTimeout: DEADLINE_MS,
      headers: { ...options.headers },
    });
    const connection = new RawConnection(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
      socket.once('unexpected-response', (_request, response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => (body += text));
        response.on('end', () => {
          reject(new Error(`${response.statusCode ?? 0} ${body}`));
        });
      });
    });
    return connection;
  }

  /** Connects and says hello. */
  static async open(path: string): Promise<RawConnection> {
    const connection = await RawConnection.connect(path);
    await connection.call('hello', { client: 'raw', protocol: 1 });
    return connection;
  }

  /** One message as it is: an object as JSON, text, or bytes as a binary frame. */
  send(message: object | string | Uint8Array): void {
    if (typeof message === 'string' || message instanceof Uint8Array) this.socket.send(message);
    else this.socket.send(JSON.stringify(message));
  }

  /** The next reply or event. @throws Error at the deadline, or when the connection ended */
  next(timeoutMs = DEADLINE_MS): Promise<RawReply> {
    const heard = this.#heard.shift();
    if (heard !== undefined) return Promise.resolve(heard);
    return inTime(new Promise((resolve) => this.#waiting.push(resolve)), timeoutMs);
  }

  /** Waits for the reply or event that `wanted` picks; others are dropped. */
  async nextWhere(wanted: (reply: RawReply) => boolean, timeoutMs = DEADLINE_MS): Promise<RawReply> {
    const end = Date.now() + timeoutMs;
    for (;;) {
      const reply = await this.next(Math.max(1, end - Date.now()));
      if (wanted(reply)) return reply;
    }
  }

  /** Sends and waits for the next message, whatever it is. */
  exchange(message: object | string | Uint8Array): Promise<RawReply> {
    this.send(message);
    return this.next();
  }

  /** Calls a method and answers its reply, error or not. */
  call<M extends MethodName>(method: M, params: Params<M>): Promise<RawReply> {
    this.#nextId += 1;
    const id = this.#nextId;
    const reply = new Promise<RawReply | undefined>((resolve) => this.#calls.set(id, resolve));
    this.send({ jsonrpc: '2.0', id, method, params });
    return inTime(reply, CALL_MS);
  }

  [Symbol.dispose](): void {
    this.socket.terminate();
  }
}

async function inTime(reply: Promise<RawReply | undefined>, timeoutMs: number): Promise<RawReply> {
  const heard = await Promise.race([reply, delay(timeoutMs, 'late' as const, { ref: false })]);
  if (heard === 'late') throw new Error(`no reply within ${timeoutMs} ms`);
  if (heard === undefined) throw new Error('the connection ended');
  return heard;
}

/** The name of the error in a reply, `ok` for a result. */
export function outcomeOf(reply: RawReply): string {
  return reply.error?.data.code ?? (reply.result === undefined ? 'nothing' : 'ok');
}

/** Connects with plain bytes; answers what came back until the agent ended the connection, and after how long. */
export async function rawBytes(
  path: string,
  bytes: Uint8Array,
  timeoutMs: number,
): Promise<{ readonly text: string; readonly ended: boolean }> {
  const socket: Socket = connect({ path });
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  // Whoever was refused may be cut off in the middle of writing.
  socket.on('error', () => undefined);
  socket.write(bytes);
  const ended = await Promise.race([
    new Promise<true>((resolve) =>
      socket.once('close', () => {
        resolve(true);
      }),
    ),
    delay(timeoutMs, false, { ref: false }),
  ]);
  socket.destroy();
  return { text, ended };
}
