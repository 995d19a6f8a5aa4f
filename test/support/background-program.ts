/** A real program that runs beside a test: started until it is ready, ended with the test whatever happens, its last words in the failure. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

const START_MS = 30_000;
const STOP_MS = 10_000;
const POLL_MS = 25;
const KEPT_CHARACTERS = 256 * 1024;
const TAIL_LINES = 15;
const TAIL_COLUMNS = 400;

export interface ProgramSpec {
  readonly program: string;
  readonly argv: readonly string[];
  readonly environment?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly isReady: (output: string) => boolean | Promise<boolean>;
}

export class BackgroundProgram implements AsyncDisposable {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #name: string;
  #output = '';

  private constructor(child: ChildProcess, name: string) {
    this.#child = child;
    this.#name = name;
    this.pid = child.pid ?? -1;
    const keep = (chunk: string): void => {
      this.#output = (this.#output + chunk).slice(-KEPT_CHARACTERS);
    };
    child.stdout?.setEncoding('utf8').on('data', keep);
    child.stderr?.setEncoding('utf8').on('data', keep);
    child.on('error', (error) => {
      keep(`${error.message}\n`);
    });
  }

  /** Starts it and waits until it is ready. The kernel ends it when the process of the test dies first. */
  static async start(spec: ProgramSpec): Promise<BackgroundProgram> {
    const { program, argv, environment, cwd } = spec;
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, ...argv], {
      env: environment ?? process.env,
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const running = new BackgroundProgram(child, program);
    try {
      await running.#waitUntil(spec.isReady);
      return running;
    } catch (failure) {
      await running.stop();
      throw failure;
    }
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null || this.#child.pid === undefined;
  }

  /** What it has written to both streams, the newest 256 Ki characters. */
  get output(): string {
    return this.#output;
  }

  /** The last lines, for failure messages. */
  tail(): string {
    const lines = this.#output.trimEnd().split('\n').slice(-TAIL_LINES);
    return [`--- ${this.#name} said last:`, ...lines.map((line) => line.slice(-TAIL_COLUMNS))].join('\n');
  }

  /** SIGTERM, then SIGKILL; returns when it is gone. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.hasEnded) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill(signal);
    const late = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(late);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #waitUntil(isReady: ProgramSpec['isReady']): Promise<void> {
    const deadline = Date.now() + START_MS;
    while (!(await isReady(this.#output))) {
      if (this.hasEnded) throw new Error(`${this.#name} ended while starting\n${this.tail()}`);
      if (Date.now() > deadline) throw new Error(`${this.#name} did not get ready\n${this.tail()}`);
      await delay(POLL_MS);
    }
  }
}
