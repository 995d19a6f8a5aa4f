/** A small stand-in for the keeper: starts the built token host over a socket pair and calls it with deadlines. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { AgentError } from '../../src/errors/agent-error.js';
import { SCRUBBED_NODE_FLAGS } from '../../src/platform/hardening.js';
import { nativeShims } from '../../src/platform/native-shims.js';
import { Pipe } from '../../src/platform/pipe.js';
import {
  encodeHostRequest,
  HostFrameDecoder,
  parseHostNotice,
  parseHostReply,
} from '../../src/tokenhost/host-codec.js';
import type { HostCalls, HostMethod, HostNotice } from '../../src/tokenhost/messages.js';

const ENTRY = fileURLToPath(new URL('../../dist/bin/tokenhost.js', import.meta.url));
const DEADLINE_MS = 15_000;

interface Waiting {
  readonly resolve: (answer: { readonly result: unknown; readonly raw: Buffer }) => void;
  readonly reject: (error: Error) => void;
}

export class TokenHostClient implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  /** What the host said unasked. */
  readonly notices: HostNotice[] = [];
  readonly #pipe: Pipe;
  readonly #decoder = new HostFrameDecoder();
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;

  constructor(environment: Readonly<Record<string, string>> = {}, entry: string = ENTRY) {
    const [ours, theirs] = nativeShims().socketPair();
    this.child = spawn(process.execPath, [...SCRUBBED_NODE_FLAGS, entry], {
      stdio: ['ignore', 'inherit', 'inherit', theirs],
      env: { ...environment, TOUCHSTONE_PARENT: String(process.pid) },
    });
    closeSync(theirs);
    this.exited = new Promise((resolve) => {
      this.child.once('exit', (code, signal) => {
        this.#fail(new AgentError('token.host-crashed', { details: { signal } }));
        resolve({ code, signal });
      });
    });
    this.#pipe = new Pipe(ours, {
      flushAfterFrames: 1,
      onData: (chunk) => {
        this.#onData(chunk);
      },
      // The process is left to end by itself.
      onClose: () => undefined,
    });
  }

  /** One call; the process is killed and the call fails with `token.timeout` when no answer came in time. */
  call<M extends HostMethod>(
    method: M,
    params: HostCalls[M]['params'],
    raw?: Uint8Array,
    deadlineMs = DEADLINE_MS,
  ): Promise<{ readonly result: HostCalls[M]['result']; readonly raw: Buffer }> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.get(id)?.reject(new AgentError('token.timeout'));
        this.child.kill('SIGKILL');
      }, deadlineMs);
      const settle = <T>(finish: (value: T) => void) => {
        return (value: T) => {
          clearTimeout(timer);
          this.#waiting.delete(id);
          finish(value);
        };
      };
      this.#waiting.set(id, {
        resolve: settle((answer) => {
          resolve(answer as { result: HostCalls[M]['result']; raw: Buffer });
        }),
        reject: settle(reject),
      });
      this.#pipe.send(encodeHostRequest(id, method, params, raw));
    });
  }

  /** Opens a token and enters its PIN. */
  async unlock(module: string, uri: string, pin: string): Promise<void> {
    await this.call('open', { module, uri });
    await this.call('login', {}, Buffer.from(pin));
  }

  /** Closes the pipe, as the kernel does when the keeper ends. */
  hangUp(): void {
    this.#pipe.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
    this.#pipe.close();
  }

  #onData(chunk: Buffer): void {
    this.#decoder.push(chunk, (frame) => {
      const notice = parseHostNotice(frame);
      if (notice !== undefined) {
        this.notices.push(notice);
        return;
      }
      const reply = parseHostReply(frame);
      const waiting = this.#waiting.get(reply.id);
      if (reply.ok) waiting?.resolve({ result: reply.result, raw: Buffer.from(reply.raw) });
      else waiting?.reject(AgentError.fromData(reply.error));
    });
  }

  #fail(error: Error): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error);
  }
}
