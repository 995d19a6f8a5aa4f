/**
 * Virtual YubiKeys behind a real pcscd, for the real libykcs11, yubico-piv-tool, pkcs11-tool and whatever speaks PC/SC.
 *
 *     await using desk = await YubiKeyDesk.start();               // one reader with a factory-fresh YubiKey 5.4.3 in it
 *     await run('yubico-piv-tool', ['-a', 'status'], { env: desk.environment });
 *     desk.key.touch.afterMs = 300;                               // a finger after 300 ms; never(), give(), await wanted()
 *     desk.key.counters.pinAttempts;                              // also signatures, agreements, apdus
 *     desk.reader.remove(); desk.reader.insert(key);              // pull and plug; insert(new YubiKey({ serial })) swaps
 *     await desk.reader.powered();                                // pcscd has seen it; libykcs11 needs C_GetSlotList then
 *     desk.key.once(INS.authenticate, 'after', () => desk.reader.remove());   // the signature is made, its answer is lost
 *     desk.key.fail(INS.verify, 0x6f00); desk.key.losePinState(); desk.key.latencyMs = 50;
 *     await desk.restartDaemon();                                 // pcscd crashes and comes back
 *
 * Two readers: `YubiKeyDesk.start([new YubiKey({ serial: 1 }), undefined])`, then `desk.readers`. A key's firmware is a
 * choice of `FirmwareVersion`; `desk.key.state` is what it remembers, to prepare keys (`state.keys`) and counters directly.
 * PIN 123456, PUK 12345678 and the management key are the factory's. `attestationAuthority().pem` is the vendor's root.
 *
 * The cards live in the test's own process: programs that use them are started asynchronously (execFile, spawn), never
 * with execFileSync, and libykcs11 is never loaded into the test process itself. Both would wait for themselves.
 * `environment` has to be set in whatever process loads the driver; a token host takes it from `env` in its configuration.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { compile } from './c-program.js';
import { PcscDaemon } from './pcsc-daemon.js';

import { VirtualReader } from './virtual-reader.js';
import { YubiKey } from './yubikey.js';

export class YubiKeyDesk implements AsyncDisposable {
  readonly readers: readonly VirtualReader[];
  readonly #folder: string;
  #daemon: PcscDaemon | undefined;

  private constructor(folder: string, readers: readonly VirtualReader[]) {
    this.#folder = folder;
    this.readers = readers;
  }

  /** One reader for each entry; `undefined` is an empty one. */
  static async start(cards: readonly (YubiKey | undefined)[] = [new YubiKey()]): Promise<YubiKeyDesk> {
    const folder = mkdtempSync(path.join(tmpdir(), 'touchstone-yubikey-'));
    const readers = await Promise.all(
      cards.map((card, index) => VirtualReader.listen(path.join(folder, `reader-${index}`), card)),
    );
    const desk = new YubiKeyDesk(folder, readers);
    try {
      await compile('reader-driver.c', desk.#driver);
      await desk.startDaemon();
      return desk;
    } catch (failure) {
      await desk[Symbol.asyncDispose]();
      throw failure;
    }
  }

  /** The first reader. */
  get reader(): VirtualReader {
    const [first] = this.readers;
    if (first === undefined) throw new Error('desk: no reader');
    return first;
  }

  /** The card in the first reader. */
  get key(): YubiKey {
    const { card } = this.reader;
    if (card === undefined) throw new Error('desk: no card in the first reader');
    return card;
  }

  /** What a program needs to find this pcscd and no other; the whole environment of the test is in it. */
  get environment(): NodeJS.ProcessEnv {
    return { ...process.env, ...this.variables };
  }

  /** Only the variable of this pcscd. */
  get variables(): Readonly<Record<string, string>> {
    return { PCSCLITE_CSOCK_NAME: path.join(this.#folder, 'run', 'pcscd.comm') };
  }

  /** Process id of pcscd; 0 while it is stopped. */
  get daemonPid(): number {
    return this.#daemon?.pid ?? 0;
  }

  async startDaemon(): Promise<void> {
    const sockets = this.readers.map((reader) => reader.socketPath);
    this.#daemon = await PcscDaemon.start(this.#folder, this.#driver, sockets);
  }

  async stopDaemon(): Promise<void> {
    await this.#daemon?.[Symbol.asyncDispose]();
    this.#daemon = undefined;
  }

  async restartDaemon(): Promise<void> {
    await this.stopDaemon();
    await this.startDaemon();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopDaemon();
    await Promise.all(this.readers.map((reader) => reader[Symbol.asyncDispose]()));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #driver(): string {
    return path.join(this.#folder, 'reader-driver.so');
  }
}
