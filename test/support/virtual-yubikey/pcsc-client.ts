/** A program that speaks PC/SC itself: single APDUs through the pcscd of a desk, resets, transactions. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { compile } from './c-program.js';
import type { YubiKeyDesk } from './virtual-yubikey.js';

export interface PcscAnswer {
  /** PC/SC return code in hex without a prefix; `0` is success. */
  readonly code: string;
  /** Response APDU in hex, empty when there is none. */
  readonly response: string;
  readonly microseconds: number;
}

export class PcscClient implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #folder: string;

  private constructor(folder: string, child: ChildProcess) {
    this.#folder = folder;
    this.#process = child;
    if (child.stdout === null) throw new Error('PC/SC client: no stdout');
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** Connects to a reader of the desk. @throws Error with the PC/SC code when that fails */
  static async connect(
    desk: YubiKeyDesk,
    options: { readonly reader?: number; readonly mode?: 'shared' | 'exclusive' } = {},
  ): Promise<PcscClient> {
    const { reader = 0, mode = 'shared' } = options;
    const folder = mkdtempSync(path.join(tmpdir(), 'touchstone-pcsc-'));
    const program = path.join(folder, 'pcsc-client');
    await compile('pcsc-client.c', program);
    const child = spawn(program, [String(reader), mode], {
      env: desk.environment,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const client = new PcscClient(folder, child);
    const { code } = await client.#heard();
    if (code === '0') return client;
    await client[Symbol.asyncDispose]();
    throw new Error(`PC/SC client: not connected: ${code}`);
  }

  transmit(apdu: string): Promise<PcscAnswer> {
    return this.#order(`x ${apdu}`);
  }

  /** Transmits the same APDU many times; `microseconds` is the median. */
  transmitMany(apdu: string, count: number): Promise<PcscAnswer> {
    return this.#order(`n ${apdu} ${count}`);
  }

  resetCard(): Promise<PcscAnswer> {
    return this.#order('r');
  }

  beginTransaction(): Promise<PcscAnswer> {
    return this.#order('b');
  }

  endTransaction(): Promise<PcscAnswer> {
    return this.#order('e');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.kill('SIGKILL');
      await once(this.#process, 'exit');
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #order(line: string): Promise<PcscAnswer> {
    this.#process.stdin?.write(`${line}\n`);
    return this.#heard();
  }

  async #heard(): Promise<PcscAnswer> {
    const line = await this.#lines.next();
    if (line.done === true) throw new Error('PC/SC client: ended');
    const [code = '', response = '', microseconds = ''] = line.value.split(' ');
    return { code, response: response === '-' ? '' : response, microseconds: Number(microseconds) };
  }
}
