/** An X display that nobody sees (Xvfb), and a hand that types on it (xdotool). */
import { BackgroundProgram } from './background-program.js';
import { runProgram } from './demo-agent.js';

const LATE_MS = 20_000;
const POLL_MS = 50;

export class VirtualDisplay implements AsyncDisposable {
  /** For example `:1`. */
  readonly name: string;
  readonly #server: BackgroundProgram;

  private constructor(server: BackgroundProgram, name: string) {
    this.#server = server;
    this.name = name;
  }

  static async start(): Promise<VirtualDisplay> {
    const server = await BackgroundProgram.start({
      program: 'Xvfb',
      // It takes a free number and says which.
      argv: ['-displayfd', '1', '-screen', '0', '800x600x24', '-nolisten', 'tcp'],
      isReady: (output) => /^\d+\n/m.test(output),
    });
    return new VirtualDisplay(server, `:${String(/^\d+$/m.exec(server.output)?.[0])}`);
  }

  /** Whether any window shows. */
  async hasWindow(): Promise<boolean> {
    return (await this.#windows()).length > 0;
  }

  /** Waits for a window, and gives it the keyboard as a window manager would. */
  async focus(): Promise<void> {
    const deadline = Date.now() + LATE_MS;
    for (;;) {
      const windows = await this.#windows();
      const [first] = windows;
      if (first !== undefined) await this.#xdotool('windowfocus', first);
      const focused = await this.#xdotool('getwindowfocus', '-f');
      if (windows.includes(focused)) return;
      if (Date.now() > deadline) {
        throw new Error(`no window took the keyboard: visible ${windows.join(' ')}, focused ${focused}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async type(text: string): Promise<void> {
    await this.#xdotool('type', '--delay', '20', text);
  }

  /** By its X name, for example `Return`. */
  async press(key: string): Promise<void> {
    await this.#xdotool('key', key);
  }

  async #windows(): Promise<readonly string[]> {
    const found = await this.#xdotool('search', '--onlyvisible', '--name', '.');
    return found.split('\n').filter((id) => id !== '');
  }

  async #xdotool(...argv: readonly string[]): Promise<string> {
    const environment = { PATH: process.env['PATH'], DISPLAY: this.name };
    return (await runProgram('xdotool', argv, { environment })).stdout.trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop();
  }
}
