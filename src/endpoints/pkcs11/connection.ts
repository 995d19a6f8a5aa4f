/**
 * One connection of p11-kit's client module. Calls are answered one after the other, as the module makes them; while one is in work
 * or its answer is not read yet, no further one is looked at. Bytes that are no calls end the connection.
 */
import type { Socket } from 'node:net';
import { asAgentError, type AgentError } from '../../errors/agent-error.js';
import { LIMITS } from '../../protocol/limits.js';
import type { Answer } from './answer.js';
import type { Application } from './application.js';
import { answerCall } from './call-handlers.js';
import { ERROR_CALL, type RpcCall } from './rpc-calls.js';
import { MAX_BODY_BYTES, RpcFrames, type RpcFrame } from './rpc-frames.js';
import { RpcReader } from './rpc-reader.js';
import { RpcWriter } from './rpc-writer.js';

/** The only version spoken; every client takes it. */
const OUR_VERSION = Buffer.from([0]);

export class Pkcs11Connection {
  readonly #socket: Socket;
  readonly #application: Application;
  readonly #onMalformed: (error: AgentError) => void;
  readonly #frames = new RpcFrames();
  #hasVersion = false;
  #isBusy = false;
  #isBlocked = false;
  #isInLoop = false;
  /** Runs while the caller owes us something: a first call, the rest of one, or the reading of an answer. */
  #patience: NodeJS.Timeout | undefined;

  constructor(socket: Socket, application: Application, onMalformed: (error: AgentError) => void) {
    this.#socket = socket;
    this.#application = application;
    this.#onMalformed = onMalformed;
    socket.on('data', (chunk) => {
      this.#frames.push(chunk);
      this.#work();
    });
    socket.on('drain', () => {
      this.#isBlocked = false;
      this.#work();
    });
    socket.once('close', () => {
      clearTimeout(this.#patience);
      application.abandon();
    });
    this.#waitForCaller();
  }

  #work(): void {
    if (!this.#hasVersion && this.#frames.version !== undefined) {
      this.#hasVersion = true;
      this.#write(OUR_VERSION);
    }
    try {
      this.#answerFrames();
    } catch (thrown) {
      this.#onMalformed(asAgentError(thrown));
      this.#socket.destroy();
      return;
    }
    if (this.#isBusy && this.#frames.length > MAX_BODY_BYTES) this.#socket.pause();
    else if (this.#socket.isPaused()) this.#socket.resume();
    this.#waitForCaller();
  }

  /** @throws AgentError `pkcs11.malformed`; the connection is of no use after that */
  #answerFrames(): void {
    this.#isInLoop = true;
    while (!this.#isBusy && !this.#isBlocked && !this.#socket.destroyed) {
      const frame = this.#frames.next();
      if (frame === undefined) break;
      this.#answerFrame(frame);
    }
    this.#isInLoop = false;
  }

  /** @throws AgentError `pkcs11.malformed` */
  #answerFrame({ callCode, body }: RpcFrame): void {
    const args = new RpcReader(body);
    const call = args.call();
    const outcome = answerCall(call.name, this.#application, args);
    if (typeof outcome !== 'function') {
      this.#reply(callCode, call, outcome);
      return;
    }
    this.#isBusy = true;
    outcome((answer) => {
      this.#isBusy = false;
      if (this.#socket.destroyed) return;
      this.#reply(callCode, call, answer);
      // At once, it is the loop that goes on: one call would otherwise stand on the stack of the one before.
      if (!this.#isInLoop) this.#work();
    });
  }

  #reply(callCode: number, call: RpcCall, answer: Answer): void {
    if (answer.outcome === 'failed') {
      const error = new RpcWriter(callCode, ERROR_CALL.id, ERROR_CALL.response).ulong(answer.rv);
      this.#write(error.frame());
      return;
    }
    const writer = new RpcWriter(callCode, call.id, call.response);
    answer.write(writer);
    this.#write(writer.frame());
  }

  #write(bytes: Buffer): void {
    this.#isBlocked = !this.#socket.write(bytes);
  }

  /** An application may be silent between two calls for as long as it likes, but not within one. */
  #waitForCaller(): void {
    const isOwed =
      !this.#application.isInitialized || this.#isBlocked || (this.#frames.length > 0 && !this.#isBusy);
    if (!isOwed) {
      clearTimeout(this.#patience);
      this.#patience = undefined;
      return;
    }
    this.#patience ??= setTimeout(() => {
      this.#socket.destroy();
    }, LIMITS.helloMs);
  }
}
