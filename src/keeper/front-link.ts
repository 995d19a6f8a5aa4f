/** The keeper's end of the pipe to one front: orders to the desk, calls to their handlers, events and signatures back. */
import { FrameDecoder } from '../encoding/frame.js';
import { AgentError, asAgentError, invariant } from '../errors/agent-error.js';
import { Pipe } from '../platform/pipe.js';
import {
  decodeAck,
  decodeJsonFrame,
  encodeEvent,
  encodeJsonFrame,
  FLUSH_AFTER_FRAMES,
  FrameType,
  MAX_PIPE_FRAME_BYTES,
  type KeeperCalls,
  type KeeperEvent,
  type KeeperMethod,
} from './wire.js';

export type KeeperHandlers = {
  readonly [M in KeeperMethod]: (
    params: KeeperCalls[M]['params'],
  ) => KeeperCalls[M]['result'] | Promise<KeeperCalls[M]['result']>;
};

export interface FrontLinkOptions {
  readonly fd: number;
  readonly handlers: KeeperHandlers;
  readonly onOrder: (frame: Buffer, from: FrontLink) => void;
  readonly onAck: (order: number) => void;
  /** The first call came: this front can log. */
  readonly onReady: () => void;
  readonly onClose: (error: Error | undefined) => void;
}

export class FrontLink {
  readonly #options: FrontLinkOptions;
  readonly #pipe: Pipe;
  readonly #decoder = new FrameDecoder(MAX_PIPE_FRAME_BYTES);
  #ready = false;
  #open = true;

  constructor(options: FrontLinkOptions) {
    this.#options = options;
    this.#pipe = new Pipe(options.fd, {
      flushAfterFrames: FLUSH_AFTER_FRAMES,
      onData: (chunk) => {
        this.#decoder.push(chunk, this.#onFrame);
      },
      onClose: (error) => {
        this.#ready = false;
        this.#open = false;
        options.onClose(error);
      },
    });
  }

  /** False once the pipe has ended. */
  isOpen(): boolean {
    return this.#open;
  }

  /** Whether this front has said hello. */
  get ready(): boolean {
    return this.#ready;
  }

  send(frame: Buffer): void {
    this.#pipe.send(frame);
  }

  event(event: KeeperEvent): void {
    if (this.#ready) this.#pipe.send(encodeEvent(event));
  }

  close(): void {
    this.#ready = false;
    this.#open = false;
    this.#pipe.close();
  }

  readonly #onFrame = (frame: Buffer): void => {
    switch (frame[0]) {
      case FrameType.order:
        this.#options.onOrder(frame, this);
        return;
      case FrameType.ack:
        this.#options.onAck(decodeAck(frame));
        return;
      case FrameType.call:
        // Read in this turn: a frame that is none ends the pipe, not the keeper.
        void this.#onCall(decodeCall(frame));
        return;
      default:
        throw new AgentError('internal.unexpected', {
          message: `front sent a frame of type ${String(frame[0])}`,
        });
    }
  };

  async #onCall({ id, value }: ReturnType<typeof decodeJsonFrame>): Promise<void> {
    const { method, params } = value as { method: KeeperMethod; params: never };
    if (!this.#ready) {
      this.#ready = true;
      this.#options.onReady();
    }
    try {
      if (!Object.hasOwn(this.#options.handlers, method)) throw new AgentError('rpc.method');
      const result = await this.#options.handlers[method](params);
      this.#pipe.send(encodeJsonFrame(FrameType.result, id, { result }));
    } catch (error) {
      this.#pipe.send(encodeJsonFrame(FrameType.result, id, { error: asAgentError(error).toData() }));
    }
  }
}

/** @throws AgentError `internal.unexpected` */
function decodeCall(frame: Buffer): ReturnType<typeof decodeJsonFrame> {
  const call = decodeJsonFrame(frame);
  invariant(typeof call.value === 'object' && call.value !== null, 'a call is not an object');
  return call;
}
