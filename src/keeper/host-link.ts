/**
 * The keeper's end of one token host: starts the process, sends calls over a socket pair, kills it when a call does not
 * end by its deadline. A call is never sent twice: it may have used a touch or a PIN.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { AgentError } from '../errors/agent-error.js';
import { SCRUBBED_NODE_FLAGS } from '../platform/hardening.js';
import { nativeShims } from '../platform/native-shims.js';
import { Pipe } from '../platform/pipe.js';
import {
  encodeHostRequest,
  HostFrameDecoder,
  parseHostNotice,
  parseHostReply,
  type HostFrame,
} from '../tokenhost/host-codec.js';
import type { HostCalls, HostMethod, HostNotice } from '../tokenhost/messages.js';
import { FLUSH_AFTER_FRAMES } from './wire.js';

export interface HostLinkOptions {
  /** Name of the token, for messages. */
  readonly token: string;
  /** Absolute path of the host's entry script. */
  readonly entry: string;
  readonly environment: Readonly<Record<string, string>>;
  /** What the host says unasked. */
  readonly onNotice?: ((notice: HostNotice) => void) | undefined;
  /** Time for the host to let go of its device before it is killed, milliseconds; none when left out. */
  readonly partingMs?: number | undefined;
  /** The process has ended; every waiting call has failed by then. */
  readonly onExit: () => void;
}

export interface HostAnswer<M extends HostMethod> {
  readonly result: HostCalls[M]['result'];
  /** A copy that the caller overwrites. */
  readonly raw: Buffer;
}

interface Waiting {
  readonly timer: NodeJS.Timeout;
  readonly resolve: (answer: { result: unknown; raw: Buffer }) => void;
  readonly reject: (error: AgentError) => void;
}

export class HostLink {
  readonly #options: HostLinkOptions;
  readonly #child: ChildProcess;
  readonly #pipe: Pipe;
  readonly #decoder = new HostFrameDecoder();
  readonly #waiting = new Map<number, Waiting>();
  /** Settled when the process is gone. */
  readonly ended: Promise<void>;
  #nextId = 1;
  #ended = false;
  #parting = false;

  constructor(options: HostLinkOptions) {
    this.#options = options;
    const [ours, theirs] = nativeShims().socketPair();
    this.#child = spawn(
      process.execPath,
      [...SCRUBBED_NODE_FLAGS, '--max-semi-space-size=1', options.entry],
      {
        stdio: ['ignore', 'inherit', 'inherit', theirs],
        env: { ...options.environment, TOUCHSTONE_PARENT: String(process.pid) },
      },
    );
    closeSync(theirs);
    this.#pipe = new Pipe(ours, {
      flushAfterFrames: FLUSH_AFTER_FRAMES,
      onData: (chunk) => {
        this.#decoder.push(chunk, (frame) => {
          this.#onFrame(frame);
        });
      },
      onClose: () => {
        this.kill();
      },
    });
    this.ended = new Promise((resolve) => {
      for (const end of ['exit', 'error']) {
        this.#child.once(end, () => {
          this.#onExit();
          resolve();
        });
      }
    });
  }

  /** Whether a call is in work: its own deadline then tells whether the driver still lives. */
  get isBusy(): boolean {
    return this.#waiting.size > 0;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /**
   * @param raw secret or binary input; overwritten once it is sent
   * @param deadlineMs the process is killed when the answer has not come by then
   * @throws AgentError what the driver reported, `token.timeout`, `token.host-crashed`
   */
  call<M extends HostMethod>(
    method: M,
    params: HostCalls[M]['params'],
    deadlineMs: number,
    raw?: Buffer,
  ): Promise<HostAnswer<M>> {
    if (this.#ended) {
      raw?.fill(0);
      return Promise.reject(this.#crashed());
    }
    const id = this.#nextId;
    this.#nextId = (this.#nextId + 1) >>> 0 || 1;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#onDeadline(id, method, deadlineMs);
      }, deadlineMs);
      this.#waiting.set(id, { timer, resolve: resolve as Waiting['resolve'], reject });
      const frame = encodeHostRequest(id, method, params, raw);
      // A digest is no secret: it may share a write with others.
      if (raw === undefined || method === 'signDigest') this.#pipe.send(frame);
      else {
        raw.fill(0);
        this.#pipe.sendSecret(frame);
      }
    });
  }

  /** Ends the process at once, or after its parting: the only way to make every driver forget the PIN. */
  kill(): void {
    const { partingMs } = this.#options;
    if (partingMs === undefined) {
      this.#child.kill('SIGKILL');
    } else if (!this.#parting) {
      this.#parting = true;
      this.#pipe.close();
      setTimeout(() => this.#child.kill('SIGKILL'), partingMs).unref();
    }
  }

  #onFrame(frame: HostFrame): void {
    const notice = parseHostNotice(frame);
    if (notice !== undefined) {
      this.#options.onNotice?.(notice);
      return;
    }
    const reply = parseHostReply(frame);
    const waiting = this.#waiting.get(reply.id);
    if (waiting === undefined) return;
    this.#waiting.delete(reply.id);
    clearTimeout(waiting.timer);
    if (reply.ok) waiting.resolve({ result: reply.result, raw: Buffer.from(reply.raw) });
    else waiting.reject(AgentError.fromData(reply.error));
  }

  /** The driver does one thing after the other: who waits behind the one that never ends hears the same. */
  #onDeadline(id: number, method: HostMethod, deadlineMs: number): void {
    if (!this.#waiting.has(id)) return;
    const late = new AgentError('token.timeout', {
      message: `token "${this.#options.token}" did not answer "${method}" within ${deadlineMs} ms`,
      details: { token: this.#options.token },
    });
    this.#rejectAll(late);
    this.kill();
  }

  #rejectAll(error: AgentError): void {
    for (const waiting of this.#waiting.values()) {
      clearTimeout(waiting.timer);
      waiting.reject(error);
    }
    this.#waiting.clear();
  }

  #onExit(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#pipe.close();
    this.#decoder.wipe();
    this.#rejectAll(this.#crashed());
    this.#options.onExit();
  }

  #crashed(): AgentError {
    return new AgentError('token.host-crashed', {
      message: `the driver process of token "${this.#options.token}" ended`,
      details: { token: this.#options.token },
    });
  }
}
