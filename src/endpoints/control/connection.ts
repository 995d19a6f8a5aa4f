/**
 * One client: reads requests, keeps within the limits, writes replies. A client that does not read its replies is not read from
 * either, so that it cannot make the agent hold more than a bounded amount for it.
 */
import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import type { Agent } from '../../agent/agent.js';
import type { AnsweredMethod } from '../../agent/method-handlers.js';
import type { Peer } from '../../agent/peer.js';
import type { Released, SignJob } from '../../agent/sign.js';
import { AgentError, asAgentError } from '../../errors/agent-error.js';
import { frameLimit, LIMITS } from '../../protocol/limits.js';
import { METHODS, type MethodName, type Params } from '../../protocol/methods.js';
import { parseMessage, type RequestId, type RpcRequest } from './message.js';
import { encodeTextFrames } from './text-frames.js';

/** Bytes of requests that may be in work for one connection before it is paused. */
const MAX_WORK_BYTES = 1024 * 1024;
const CLOSE_PROTOCOL = 1002;
/** Methods that wait for a person: at a prompt, to insert a token, or for the finger that somebody before them waits for. */
const TAKEN_BACK: ReadonlySet<MethodName> = new Set([
  'unlock.ask',
  'unlock.begin',
  'unlock.finish',
  'keys.derive',
]);

interface InFlight {
  /** What can be given up before its end. */
  readonly job: Pick<SignJob, 'abandon'> | undefined;
}

export class ControlConnection {
  readonly #websocket: WebSocket;
  readonly #stream: Duplex;
  readonly #peer: Peer;
  readonly #agent: Agent;
  readonly #inFlight = new Map<RequestId, InFlight>();
  readonly #ping: NodeJS.Timeout;
  readonly #greeting: NodeJS.Timeout;
  #workBytes = 0;
  #paused = false;
  #outgoing: string[] = [];
  #greeted = false;
  #alive = true;
  #unsubscribe: (() => void) | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #onRoom: { readonly resolve: () => void; readonly reject: (error: AgentError) => void } | undefined;

  constructor(websocket: WebSocket, stream: Duplex, peer: Peer, agent: Agent, onClose: () => void) {
    this.#websocket = websocket;
    this.#stream = stream;
    this.#peer = peer;
    this.#agent = agent;
    this.#greeting = setTimeout(() => {
      websocket.terminate();
    }, LIMITS.helloMs);
    this.#ping = setInterval(() => {
      this.#checkAlive();
    }, LIMITS.pingMs);
    this.#ping.unref();
    websocket.on('message', (data, isBinary) => {
      this.#onMessage(data, isBinary);
    });
    websocket.on('pong', () => {
      this.#alive = true;
    });
    websocket.on('error', () => undefined);
    websocket.on('close', () => {
      this.#onClose();
      onClose();
    });
    stream.on('drain', () => {
      this.#onRoom?.resolve();
      this.#resumeIfDrained();
    });
  }

  close(): void {
    // Replies that wait for the end of this turn would be lost.
    this.#writeOutgoing();
    this.#websocket.close(1001, 'the agent is stopping');
    setTimeout(() => {
      this.#websocket.terminate();
    }, 200).unref();
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    this.#alive = true;
    const bytes = Buffer.isBuffer(data)
      ? data
      : Buffer.concat(Array.isArray(data) ? data : [Buffer.from(data)]);
    const parsed = parseMessage(bytes, isBinary);
    if (bytes.length > LIMITS.frameBytes) {
      const max = 'error' in parsed ? LIMITS.frameBytes : frameLimit(parsed.method, parsed.params);
      if (bytes.length > max) {
        this.#sendError(parsed.id, tooLarge(bytes.length));
        return;
      }
    }
    if ('error' in parsed) {
      this.#sendError(parsed.id, parsed.error);
      if (!this.#greeted) {
        this.#writeOutgoing();
        this.#websocket.close(CLOSE_PROTOCOL);
      }
      return;
    }
    this.#dispatch(parsed, bytes.length);
  }

  #dispatch(request: RpcRequest, bytes: number): void {
    const { id, method } = request;
    if (!this.#greeted && method !== 'hello') {
      this.#sendError(
        id,
        new AgentError('rpc.request', { message: 'the first call of a connection is hello' }),
      );
      return;
    }
    if (!Object.hasOwn(METHODS, method)) {
      this.#sendError(id, new AgentError('rpc.method', { details: { method: method.slice(0, 64) } }));
      return;
    }
    if (this.#inFlight.has(id)) {
      this.#sendError(
        id,
        new AgentError('rpc.request', { message: 'a request with this id is still in work' }),
      );
      return;
    }
    if (this.#inFlight.size >= LIMITS.inFlightPerConnection) {
      this.#sendError(
        id,
        new AgentError('limits.in-flight', { details: { max: LIMITS.inFlightPerConnection } }),
      );
      return;
    }
    const name = method as MethodName;
    const params = METHODS[name].params.safeParse(request.params ?? {});
    if (!params.success) {
      this.#sendError(id, invalidParams(params.error.issues));
      return;
    }
    try {
      this.#agent.requireAccess(name, this.#peer);
    } catch (error) {
      this.#sendError(id, asAgentError(error));
      return;
    }
    this.#run(id, name, params.data, bytes);
  }

  #run(id: RequestId, method: MethodName, params: unknown, bytes: number): void {
    switch (method) {
      case 'sign':
        this.#sign(id, params as Params<'sign'>, bytes);
        return;
      case 'cancel':
        this.#cancel(id, params as Params<'cancel'>);
        return;
      case 'events.subscribe':
        this.#unsubscribe ??= this.#agent.events.subscribe((event) => {
          // Replies wait for a client that does not read; events would pile up.
          if (this.#websocket.bufferedAmount >= LIMITS.unreadOutputBytes) this.#websocket.terminate();
          else this.#send(JSON.stringify({ jsonrpc: '2.0', method: 'event', params: event }));
        });
        this.#sendResult(id, { subscribed: true });
        return;
      default:
        this.#answer(id, method, params, bytes);
    }
  }

  #sign(id: RequestId, params: Params<'sign'>, bytes: number): void {
    this.#begin(bytes);
    this.#inFlight.set(id, { job: undefined });
    const job = this.#agent.signing.submit({
      peer: this.#peer,
      requests: params.requests,
      timeoutMs: params.timeoutMs ?? LIMITS.defaultDeadlineMs,
      onDone: (signatures) => {
        this.#finish(id, bytes);
        this.#sendSignatures(id, signatures);
      },
      onFailed: (error) => {
        this.#finish(id, bytes);
        this.#sendError(id, error);
      },
      onWaiting: (token, ahead) => {
        if (this.#unsubscribe === undefined) return;
        const event = { event: 'waiting', id, token, ahead };
        this.#send(JSON.stringify({ jsonrpc: '2.0', method: 'event', params: event }));
      },
    });
    if (job !== undefined && this.#inFlight.has(id)) this.#inFlight.set(id, { job });
  }

  #cancel(id: RequestId, params: Params<'cancel'>): void {
    const job = this.#inFlight.get(params.id)?.job;
    this.#sendResult(id, { cancelled: job !== undefined });
    job?.abandon(new AgentError('limits.cancelled'));
  }

  #answer(id: RequestId, method: AnsweredMethod, params: unknown, bytes: number): void {
    this.#begin(bytes);
    const gone = new AbortController();
    // What waits for a person is taken back; whatever has begun goes on to its end.
    const waiting: Pick<SignJob, 'abandon'> = {
      abandon: () => {
        gone.abort();
      },
    };
    this.#inFlight.set(id, { job: TAKEN_BACK.has(method) ? waiting : undefined });
    const answer = (): Promise<unknown> => this.#agent.answer(method, params, this.#peer, gone.signal);
    (method === 'audit.query' ? this.#inTurn(answer) : answer()).then(
      (result) => {
        if (method === 'hello') this.#greet();
        this.#finish(id, bytes);
        this.#sendResult(id, result);
      },
      (error: unknown) => {
        this.#finish(id, bytes);
        this.#sendError(id, asAgentError(error));
      },
    );
  }

  /** Pages of the log are large: one at a time, and the next only when the client has read what it has. */
  #inTurn<T>(read: () => Promise<T>): Promise<T> {
    const page = this.#turn.then(() => this.#drained()).then(read);
    this.#turn = page.catch(() => undefined);
    return page;
  }

  #drained(): Promise<void> {
    if (this.#websocket.readyState !== this.#websocket.OPEN)
      return Promise.reject(new AgentError('limits.cancelled'));
    if (this.#websocket.bufferedAmount < LIMITS.unreadOutputBytes) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#onRoom = { resolve, reject };
    });
  }

  #greet(): void {
    this.#greeted = true;
    clearTimeout(this.#greeting);
  }

  #begin(bytes: number): void {
    this.#workBytes += bytes;
    this.#pauseIfBehind();
  }

  #finish(id: RequestId, bytes: number): void {
    this.#workBytes -= bytes;
    this.#inFlight.delete(id);
    if (this.#paused) this.#resumeIfDrained();
  }

  #sendResult(id: RequestId, result: unknown): void {
    this.#send(JSON.stringify({ jsonrpc: '2.0', id, result }));
  }

  /** By hand: 60,000 of these leave in a second, and nothing in them needs escaping but the id. */
  #sendSignatures(id: RequestId, signatures: readonly Released[]): void {
    let list = '';
    for (const { signature, keyId, auditId } of signatures) {
      if (list !== '') list += ',';
      list += `{"signature":"${signature.toString('base64')}","keyId":"${keyId}","auditId":${auditId}}`;
    }
    const idText = typeof id === 'number' ? String(id) : JSON.stringify(id);
    this.#send(`{"jsonrpc":"2.0","id":${idText},"result":{"signatures":[${list}]}}`);
  }

  #sendError(id: RequestId | null, error: AgentError): void {
    const data = error.toData();
    this.#send(
      JSON.stringify({ jsonrpc: '2.0', id, error: { code: error.row.rpc, message: error.message, data } }),
    );
  }

  /** Messages of one turn leave in one write. */
  #send(text: string): void {
    if (this.#outgoing.length === 0) process.nextTick(this.#writeOutgoing);
    this.#outgoing.push(text);
  }

  readonly #writeOutgoing = (): void => {
    const texts = this.#outgoing;
    this.#outgoing = [];
    if (texts.length === 0 || this.#websocket.readyState !== this.#websocket.OPEN) return;
    this.#stream.write(encodeTextFrames(texts));
    this.#pauseIfBehind();
  };

  #pauseIfBehind(): void {
    if (this.#paused) return;
    if (this.#workBytes < MAX_WORK_BYTES && this.#websocket.bufferedAmount < LIMITS.unreadOutputBytes) return;
    this.#paused = true;
    this.#websocket.pause();
  }

  #resumeIfDrained(): void {
    if (!this.#paused) return;
    if (this.#workBytes >= MAX_WORK_BYTES || this.#websocket.bufferedAmount >= LIMITS.unreadOutputBytes)
      return;
    this.#paused = false;
    this.#websocket.resume();
  }

  /** A client that is paused because it does not read cannot answer pings either; its output buffer is bounded already. */
  #checkAlive(): void {
    if (this.#paused) return;
    if (!this.#alive) {
      this.#websocket.terminate();
      return;
    }
    this.#alive = false;
    this.#websocket.ping();
  }

  #onClose(): void {
    clearInterval(this.#ping);
    clearTimeout(this.#greeting);
    this.#unsubscribe?.();
    this.#onRoom?.reject(new AgentError('limits.cancelled'));
    for (const { job } of this.#inFlight.values()) job?.abandon(new AgentError('limits.cancelled'));
    this.#inFlight.clear();
  }
}

function tooLarge(bytes: number): AgentError {
  return new AgentError('limits.frame-too-large', {
    message: `the message has ${bytes} bytes, at most ${LIMITS.frameBytes} are taken`,
    details: { bytes, max: LIMITS.frameBytes },
  });
}

function invalidParams(
  issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
): AgentError {
  const [first] = issues;
  const field = first === undefined || first.path.length === 0 ? 'params' : first.path.map(String).join('.');
  return new AgentError('usage.invalid', {
    message: `${field}: ${first?.message ?? 'not valid'}`,
    hint: 'see docs/spec/protocol.md',
    details: { field },
  });
}
