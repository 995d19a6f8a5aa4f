/**
 * The typed client of the control protocol (docs/spec/protocol.md). Requests are pipelined; each has a deadline and ends by it with
 * a result or a reason. Method types come from the one table by `import type`: the schemas themselves are never loaded here.
 */
import type { RawData, WebSocket } from 'ws';
import { AgentError } from '../errors/agent-error.js';
import type { AgentEvent } from '../protocol/events.js';
import { frameLimit, LIMITS, PROTOCOL_VERSION } from '../protocol/limits.js';
import type { MethodName, Params, Result } from '../protocol/methods.js';
import { openSocket, type ConnectOptions } from './connect.js';
import { errorFromReply, isFields, parseReply, type Fields } from './reply.js';

/** Close code of a message over the hard cap, RFC 6455 section 7.4.1. */
const CLOSE_MESSAGE_TOO_BIG = 1009;

interface Pending {
  readonly method: MethodName;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: AgentError) => void;
  readonly timer: NodeJS.Timeout;
}

export interface CallOptions {
  /** Milliseconds until the call fails with limits.deadline; LIMITS.defaultDeadlineMs when left out. */
  readonly timeoutMs?: number | undefined;
}

export interface ClientOptions extends ConnectOptions {
  /** How this program names itself to the agent, for example `touchstone-cli/0.1.0`. */
  readonly name: string;
}

/**
 * Connects, checks who listens, says hello.
 * @throws AgentError agent.unreachable, agent.impostor, rpc.version, limits.deadline, peer.uid-refused
 */
export async function connectAgent(options: ClientOptions): Promise<AgentClient> {
  const deadline = Date.now() + options.timeoutMs;
  const client = new AgentClient(await openSocket(options));
  try {
    await client.hello(options.name, Math.max(1, deadline - Date.now()));
    return client;
  } catch (error) {
    client.close();
    throw error;
  }
}

/** One connection to the agent. Close it, or hold it with `using`. */
export class AgentClient implements Disposable {
  readonly #websocket: WebSocket;
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<(event: AgentEvent) => void>();
  #keeperPid = 0;
  #lastId = 0;
  #ended: AgentError | undefined;

  constructor(websocket: WebSocket) {
    this.#websocket = websocket;
    websocket.on('message', (data, isBinary) => {
      this.#receive(data, isBinary);
    });
    websocket.on('close', (code) => {
      this.#end(closeError(code));
    });
    websocket.on('error', (cause) => {
      this.#end(new AgentError('agent.unreachable', { message: 'the connection to the agent broke', cause }));
    });
  }

  /** Process id of the keeper, as the agent says. */
  get keeperPid(): number {
    return this.#keeperPid;
  }

  /** The greeting, once per connection. @throws AgentError rpc.version */
  async hello(name: string, timeoutMs: number): Promise<void> {
    const server = await this.call('hello', { client: name, protocol: PROTOCOL_VERSION }, { timeoutMs });
    if (server.protocol !== PROTOCOL_VERSION) throw new AgentError('rpc.version');
    this.#keeperPid = server.pid;
  }

  /**
   * Calls one method.
   * @throws AgentError of the agent, limits.deadline, limits.frame-too-large, agent.unreachable when the connection ends first
   */
  call<M extends MethodName>(method: M, params: Params<M>, options: CallOptions = {}): Promise<Result<M>> {
    const id = ++this.#lastId;
    const text = JSON.stringify({ jsonrpc: '2.0', id, method, params });
    const refusal = this.#ended ?? refuseOversized(method, params, text);
    if (refusal !== undefined) return Promise.reject(refusal);
    const timeoutMs = options.timeoutMs ?? LIMITS.defaultDeadlineMs;
    return new Promise<Result<M>>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#expire(id, method, timeoutMs);
      }, timeoutMs);
      this.#pending.set(id, { method, resolve: resolve as (result: unknown) => void, reject, timer });
      this.#websocket.send(text);
    });
  }

  /** Hears events until the returned function is called; the agent sends them after `events.subscribe`. */
  onEvent(listener: (event: AgentEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Gives up every call that waits; the agent answers each, and takes back what waits for a person. @returns whether there was one */
  cancelPending(): boolean {
    for (const id of this.#pending.keys()) this.#websocket.send(cancelText(++this.#lastId, id));
    return this.#pending.size > 0;
  }

  /** Ends the connection at once; calls that still wait fail with agent.unreachable. */
  close(): void {
    this.#end(new AgentError('agent.unreachable', { message: 'the connection was closed by this program' }));
    this.#websocket.terminate();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #receive(data: RawData, isBinary: boolean): void {
    const reply = isBinary ? undefined : parseReply(textOf(data));
    if (reply === undefined) {
      this.#end(
        new AgentError('rpc.parse', { message: 'the agent sent a message that is not a JSON object' }),
      );
      this.#websocket.terminate();
      return;
    }
    if (reply['method'] === 'event' && isFields(reply['params'])) {
      const event = reply['params'] as unknown as AgentEvent;
      for (const listener of this.#listeners) listener(event);
      return;
    }
    this.#settle(reply);
  }

  #settle(reply: Fields): void {
    const id = reply['id'];
    if (id === null && isFields(reply['error'])) {
      // Without an id the agent could not even read the request: no reply will come to any call.
      this.#end(errorFromReply(reply['error']) ?? new AgentError('rpc.request'));
      this.#websocket.terminate();
      return;
    }
    if (typeof id !== 'number') return;
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    if (isFields(reply['result'])) pending.resolve(reply['result']);
    else pending.reject(failureOf(pending.method, reply));
  }

  #expire(id: number, method: MethodName, timeoutMs: number): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    if (method !== 'hello') this.#websocket.send(cancelText(++this.#lastId, id));
    pending.reject(
      new AgentError('limits.deadline', {
        message: `${method}: no reply within ${timeoutMs / 1000} seconds`,
      }),
    );
  }

  #end(reason: AgentError): void {
    this.#ended ??= reason;
    for (const pending of this.#pending.values()) {
      clearTimeout(pending.timer);
      pending.reject(this.#ended);
    }
    this.#pending.clear();
  }
}

function cancelText(id: number, target: number): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method: 'cancel', params: { id: target } });
}

function failureOf(method: MethodName, reply: Fields): AgentError {
  const error = isFields(reply['error']) ? errorFromReply(reply['error']) : undefined;
  return (
    error ?? new AgentError('rpc.request', { message: `${method}: the agent sent neither result nor error` })
  );
}

function refuseOversized(method: MethodName, params: unknown, text: string): AgentError | undefined {
  const bytes = Buffer.byteLength(text);
  if (bytes <= LIMITS.frameBytes) return undefined;
  const max = frameLimit(method, params);
  if (bytes <= max) return undefined;
  return new AgentError('limits.frame-too-large', {
    message: `${method}: the request is larger than ${max} bytes`,
  });
}

function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString('utf8');
  return (Buffer.isBuffer(data) ? data : Buffer.from(data)).toString('utf8');
}

function closeError(code: number): AgentError {
  if (code === CLOSE_MESSAGE_TOO_BIG) return new AgentError('limits.frame-too-large');
  return new AgentError('agent.unreachable', {
    message: `the agent closed the connection (code ${code})`,
    hint: 'see "touchstone agent status"',
  });
}
