/** A node process that runs a few lines against the built native shim and talks in lines of text. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { PROJECT_ROOT } from './project-root.js';

export const SHIM_PATH = path.join(PROJECT_ROOT, 'native-shims', 'build', 'Release', 'touchstone_shims.node');

const PRELUDE = `
import { createRequire } from 'node:module';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
const shims = createRequire(import.meta.url)(${JSON.stringify(SHIM_PATH)});
const asked = [], waiting = [];
createInterface({ input: process.stdin }).on('line', (line) => (waiting.shift() ?? ((l) => asked.push(l)))(line));
const hear = () => asked.length > 0 ? Promise.resolve(asked.shift()) : new Promise((go) => waiting.push(go));
const say = (value) => process.stdout.write(JSON.stringify(value) + '\\n');
`;

export interface NativeChildOptions {
  /** Options of node itself, before the script. */
  readonly flags?: readonly string[];
  readonly args?: readonly string[];
  /** A program and its arguments to start node through, such as setpriv. */
  readonly through?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** Ends its process when disposed. */
export class NativeChild implements AsyncDisposable {
  readonly process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #errors = '';

  /** `script` may use `shims`, `say(value)`, `await hear()` and process.argv from index 1 on. */
  constructor(script: string, options: NativeChildOptions = {}) {
    const { flags = [], args = [], through = [], env } = options;
    const node = [process.execPath, ...flags, '--input-type=module', '-e', PRELUDE + script, '--', ...args];
    const [program = process.execPath, ...rest] = [...through, ...node];
    this.process = spawn(program, rest, {
      cwd: PROJECT_ROOT,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: env ?? process.env,
    });
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#errors += text));
    if (this.process.stdout === null) throw new Error('native child: no stdout');
    this.#lines = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
  }

  get pid(): number {
    if (this.process.pid === undefined) throw new Error('native child: did not start');
    return this.process.pid;
  }

  /** The next line the script said. */
  async heard(): Promise<unknown> {
    const line = await this.#lines.next();
    if (line.done === true) throw new Error(`native child ended: ${this.#errors}`);
    return JSON.parse(line.value);
  }

  tell(line: string): void {
    this.process.stdin?.write(`${line}\n`);
  }

  /** Closes its input and waits for its end. */
  async ended(): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }> {
    this.process.stdin?.end();
    if (this.process.exitCode === null && this.process.signalCode === null) await once(this.process, 'exit');
    return { code: this.process.exitCode, signal: this.process.signalCode };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended();
  }
}
