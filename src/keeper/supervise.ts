/** Starts the front and starts it again when it ends, with a growing pause when it keeps dying young. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { scrubEnvironment, SCRUBBED_NODE_FLAGS } from '../platform/hardening.js';
import { nativeShims } from '../platform/native-shims.js';
import type { ListeningSocket } from './listening-sockets.js';

const PAUSES_MS = [0, 100, 500, 2_000, 5_000] as const;
/** Longest pause after a front that had been at work: callers wait for the next one. */
const SERVED_PAUSE_MS = 200;
/** A front that lived this long was healthy: the next start is immediate again. */
const HEALTHY_MS = 10_000;
/** In the front: 0 to 2 as ours, 3 the pipe. */
const FIRST_SOCKET_FD = 4;

export interface FrontOptions {
  /** Absolute path of the front's entry script. */
  readonly entry: string;
  /** Arguments of the front: places, log level. */
  readonly args: readonly string[];
  /** Handed over from fd 4 on, each with an argument `--listen NAME=FD:PATH`. */
  readonly sockets: readonly ListeningSocket[];
  /** The keeper's end of a new front's pipe. */
  readonly onStart: (pipeFd: number, pid: number | undefined) => void;
  readonly onExit: (code: number | null, willRestartInMs: number | undefined) => void;
}

export class FrontSupervisor {
  readonly #options: FrontOptions;
  #child: ChildProcess | undefined;
  #youngDeaths = 0;
  #stopping = false;
  #served = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: FrontOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** The front of now has said hello. */
  served(): void {
    this.#served = true;
  }

  start(): void {
    this.#served = false;
    const [ours, theirs] = nativeShims().socketPair();
    const startedAt = Date.now();
    const { entry, args, sockets } = this.#options;
    const listen = sockets.map(({ name, path }, at) => `${name}=${FIRST_SOCKET_FD + at}:${path}`);
    const child = spawn(
      process.execPath,
      [...SCRUBBED_NODE_FLAGS, entry, ...args, ...listen.flatMap((socket) => ['--listen', socket])],
      {
        stdio: ['ignore', 'inherit', 'inherit', theirs, ...sockets.map(({ fd }) => fd)],
        env: { ...scrubEnvironment(process.env), TOUCHSTONE_PARENT: String(process.pid) },
      },
    );
    closeSync(theirs);
    this.#child = child;
    child.once('exit', (code) => {
      this.#onExit(code, Date.now() - startedAt);
    });
    child.once('error', () => {
      this.#onExit(null, 0);
    });
    this.#options.onStart(ours, child.pid);
  }

  /** No further start; resolves when the front is gone, killing it after `timeoutMs`. */
  async stop(timeoutMs: number): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
      child.once('exit', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  kill(): void {
    this.#child?.kill('SIGKILL');
  }

  #onExit(code: number | null, livedMs: number): void {
    this.#child = undefined;
    if (this.#stopping) {
      this.#options.onExit(code, undefined);
      return;
    }
    this.#youngDeaths = livedMs >= HEALTHY_MS ? 0 : this.#youngDeaths + 1;
    // The first death is answered at once: a killed front must be back within a second.
    const at = Math.min(Math.max(0, this.#youngDeaths - 1), PAUSES_MS.length - 1);
    const pause = Math.min(PAUSES_MS[at] ?? 0, this.#served ? SERVED_PAUSE_MS : Infinity);
    this.#options.onExit(code, pause);
    this.#timer = setTimeout(() => {
      this.start();
    }, pause);
  }
}
