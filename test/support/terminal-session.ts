/** A program on a real pseudo-terminal (util-linux script), typed at by the test. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

export class TerminalSession implements AsyncDisposable {
  readonly #child: ChildProcess;
  #shown = '';

  /** `command` is a line for sh. */
  constructor(command: string, environment: NodeJS.ProcessEnv) {
    this.#child = spawn('script', ['-qefc', command, '/dev/null'], {
      env: environment,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#shown += text));
    this.#child.stdin?.on('error', () => undefined);
  }

  /** Everything the terminal showed so far, echo included. */
  get shown(): string {
    return this.#shown;
  }

  /** Waits until the terminal shows `text` for the `times`th time. */
  async waitFor(text: string, times = 1): Promise<void> {
    const deadline = Date.now() + 45_000;
    while (this.#shown.split(text).length <= times) {
      if (Date.now() > deadline)
        throw new Error(`the terminal never showed ${JSON.stringify(text)}: ${this.#shown}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  type(keys: string): void {
    this.#child.stdin?.write(keys);
  }

  /** Exit status of the command. */
  async ended(): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'close');
    return this.#child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended();
  }
}
