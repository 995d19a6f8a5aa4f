/** The front's end of the pipe to the keeper: orders out, signatures in, everything else as calls with a deadline. */
import { FrameDecoder } from '../encoding/frame.js';
import { AgentError, invariant, type ErrorData } from '../errors/agent-error.js';
import {
  decodeJsonFrame,
  decodeSigned,
  encodeAck,
  encodeJsonFrame,
  encodeOrder,
  FLUSH_AFTER_FRAMES,
  FrameType,
  type KeeperCalls,
  type KeeperEvent,
  type KeeperMethod,
  type Order,
  type Signed,
} from '../keeper/wire.js';
import { Pipe } from '../platform/pipe.js';

/**
 * The keeper is trusted, and its greeting lists every order that the front before left without a record: as many as all callers
 * together may have had in work. Bytes.
 */
const MAX_REPLY_BYTES = 512 * 1024 * 1024;

export interface OrderHandlers {
  readonly onSigned: (signed: Signed) => void;
  readonly onRefused: (error: AgentError) => void;
}

export interface KeeperLinkOptions {
  readonly fd: number;
  readonly onEvent: (event: KeeperEvent) => void;
  /** The keeper is gone: this process has no reason to live on. */
  readonly onClose: () => void;
}

interface WaitingCall {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: AgentError) => void;
  readonly timer: NodeJS.Timeout;
}

export class KeeperLink {
  readonly #options: KeeperLinkOptions;
  readonly #pipe: Pipe;
  readonly #decoder = new FrameDecoder(MAX_REPLY_BYTES);
  readonly #orders = new Map<number, OrderHandlers>();
  readonly #calls = new Map<number, WaitingCall>();
  #lastOrder = 0;
  #lastCall = 0;

  constructor(options: KeeperLinkOptions) {
    this.#options = options;
    this.#pipe = new Pipe(options.fd, {
      flushAfterFrames: FLUSH_AFTER_FRAMES,
      onData: (chunk) => {
        this.#decoder.push(chunk, this.#onFrame);
      },
      onClose: () => {
        this.#onClose();
      },
    });
  }

  /** @returns the number by which `cancel` names the order */
  order(order: Omit<Order, 'id'>, handlers: OrderHandlers): number {
    this.#lastOrder = (this.#lastOrder + 1) >>> 0;
    const id = this.#lastOrder;
    this.#orders.set(id, handlers);
    this.#pipe.send(encodeOrder(id, order));
    return id;
  }

  /** Takes an order out of its queue if it still stands there. Its handlers hear the outcome either way. */
  cancel(id: number): void {
    if (this.#orders.has(id)) void this.call('order.cancel', { order: id }).catch(() => undefined);
  }

  /** All orders up to `order` are in the audit log. */
  acknowledge(order: number): void {
    this.#pipe.send(encodeAck(order));
  }

  /** @throws AgentError what the keeper says, `limits.deadline`, `agent.keeper-lost` */
  call<M extends KeeperMethod>(
    method: M,
    params: KeeperCalls[M]['params'],
    deadlineMs = 60_000,
  ): Promise<KeeperCalls[M]['result']> {
    this.#lastCall = (this.#lastCall + 1) >>> 0;
    const id = this.#lastCall;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#calls.delete(id);
        reject(new AgentError('limits.deadline', { details: { method } }));
      }, deadlineMs);
      this.#calls.set(id, { resolve: resolve as WaitingCall['resolve'], reject, timer });
      this.#pipe.send(encodeJsonFrame(FrameType.call, id, { method, params }));
    });
  }

  close(): void {
    this.#pipe.close();
  }

  readonly #onFrame = (frame: Buffer): void => {
    switch (frame[0]) {
      case FrameType.signed:
        this.#onSigned(decodeSigned(frame));
        return;
      case FrameType.refused:
        this.#onRefused(frame);
        return;
      case FrameType.result:
        this.#onResult(frame);
        return;
      case FrameType.event:
        this.#options.onEvent(decodeJsonFrame(frame).value as KeeperEvent);
        return;
      default:
        throw new AgentError('internal.unexpected', {
          message: `keeper sent a frame of type ${String(frame[0])}`,
        });
    }
  };

  #onSigned(signed: Signed): void {
    const handlers = this.#orders.get(signed.id);
    invariant(handlers !== undefined, 'a signature for an order that was never sent');
    this.#orders.delete(signed.id);
    handlers.onSigned(signed);
  }

  #onRefused(frame: Buffer): void {
    const { id, value } = decodeJsonFrame(frame);
    const handlers = this.#orders.get(id);
    this.#orders.delete(id);
    handlers?.onRefused(AgentError.fromData(value as ErrorData));
  }

  #onResult(frame: Buffer): void {
    const { id, value } = decodeJsonFrame(frame);
    const call = this.#calls.get(id);
    if (call === undefined) return;
    this.#calls.delete(id);
    clearTimeout(call.timer);
    const answer = value as { result?: unknown; error?: ErrorData };
    if (answer.error === undefined) call.resolve(answer.result);
    else call.reject(AgentError.fromData(answer.error));
  }

  #onClose(): void {
    for (const call of this.#calls.values()) {
      clearTimeout(call.timer);
      call.reject(new AgentError('agent.keeper-lost'));
    }
    this.#calls.clear();
    for (const handlers of this.#orders.values()) handlers.onRefused(new AgentError('agent.keeper-lost'));
    this.#orders.clear();
    this.#options.onClose();
  }
}
