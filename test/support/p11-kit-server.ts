/** "p11-kit server" over a SoftHSM token with one key pair per key type: what our door is compared with. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { PIN, SOFTHSM_MODULE, SoftHsmStore } from './softhsm-store.js';

export class P11KitServer implements AsyncDisposable {
  readonly socket: string;
  readonly pin = PIN;
  readonly label = 'oracle';
  readonly #folder: string;
  readonly #store: SoftHsmStore;
  readonly #process: ChildProcess;

  private constructor(folder: string, store: SoftHsmStore, process: ChildProcess) {
    this.#folder = folder;
    this.#store = store;
    this.#process = process;
    this.socket = join(folder, 'p11.sock');
  }

  /** @param keyTypes as pkcs11-tool writes them */
  static async start(keyTypes: readonly string[] = ['EC:prime256v1']): Promise<P11KitServer> {
    const store = new SoftHsmStore('oracle');
    const folder = mkdtempSync(join(tmpdir(), 'touchstone-p11-'));
    const environment = { ...process.env, ...store.environment };
    for (const [at, keyType] of keyTypes.entries()) {
      execFileSync(
        'pkcs11-tool',
        [
          ...['--module', SOFTHSM_MODULE, '--login', '--pin', PIN, '--keypairgen', '--key-type', keyType],
          ...['--id', `0${at + 1}`, '--label', 'oracle', '--usage-sign'],
        ],
        { env: environment, stdio: 'pipe' },
      );
    }
    const child = spawn(
      'p11-kit',
      ['server', '--foreground', '--provider', SOFTHSM_MODULE, '--name', join(folder, 'p11.sock')].concat([
        'pkcs11:token=oracle',
      ]),
      { env: environment, stdio: 'ignore' },
    );
    const server = new P11KitServer(folder, store, child);
    for (let tries = 0; !existsSync(server.socket); tries += 1) {
      if (tries > 250) {
        await server[Symbol.asyncDispose]();
        throw new Error('p11-kit server: did not start within 5 s');
      }
      await delay(20);
    }
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    if (this.#process.exitCode === null && this.#process.kill('SIGTERM')) await ended;
    this.#store[Symbol.dispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
