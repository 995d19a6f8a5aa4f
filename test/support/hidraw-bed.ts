/**
 * A machine with one virtual YubiKey at /dev/hidraw0 (the next number with each plug), for programs that run with `environment`: the unmodified node-hid finds it
 * through udev and reaches it by the ioctls of the kernel. umockdev stands in for the kernel.
 *
 *     await using bed = await HidrawBed.start(key);
 *     new TokenHostClient(bed.environment)
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Duplex, Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { VirtualOtpKey } from './virtual-otp-key.js';

const BRIDGE = fileURLToPath(new URL('./hidraw-bridge.py', import.meta.url));
const PRELOAD = 'libumockdev-preload.so.0';

type Bridge = ChildProcessByStdio<Writable, Readable, null>;

export class HidrawBed implements AsyncDisposable {
  readonly key: VirtualOtpKey;
  /** Variables for programs that are to see the key. */
  readonly environment: Readonly<Record<string, string>>;
  readonly #bridge: Bridge;
  readonly #control: Duplex;
  readonly #exited: Promise<unknown>;
  readonly #folder: string;
  #isGone = false;

  private constructor(key: VirtualOtpKey, bridge: Bridge, folder: string, root: string) {
    this.#folder = folder;
    this.key = key;
    this.#bridge = bridge;
    this.#control = bridge.stdio[3] as Duplex;
    this.#exited = new Promise((resolve) => bridge.once('exit', resolve));
    // It may end first; whoever waits for it sees that.
    bridge.stdin.on('error', () => undefined);
    this.environment = { LD_PRELOAD: PRELOAD, UMOCKDEV_DIR: root };
  }

  static start(key: VirtualOtpKey): Promise<HidrawBed> {
    const folder = mkdtempSync(path.join(tmpdir(), 'touchstone-hidraw-'));
    // Debian's own Python: the bindings are packages of Debian.
    const bridge = spawn('/usr/bin/python3', [BRIDGE], {
      env: { ...process.env, LD_PRELOAD: PRELOAD, TMPDIR: folder },
      stdio: ['pipe', 'pipe', 'inherit', 'pipe'],
    }) as Bridge;
    return new Promise((resolve, reject) => {
      let bed: HidrawBed | undefined;
      bridge.once('error', reject);
      bridge.once('exit', (code) => {
        reject(new Error(`hidraw bridge: exit ${String(code)}`));
      });
      createInterface({ input: bridge.stdout }).on('line', (line) => {
        if (bed !== undefined) bridge.stdin.write(`${bed.#perform(line)}\n`);
        else if (line.startsWith('ROOT ')) {
          bed = new HidrawBed(key, bridge, folder, line.slice('ROOT '.length));
          resolve(bed);
        }
      });
    });
  }

  /** Pulls the key out: its node goes away, and open handles with it. */
  async unplug(): Promise<void> {
    this.#isGone = true;
    await this.#order('unplug');
  }

  /** Puts it in again; handles from before stay dead. */
  async plug(): Promise<void> {
    await this.#order('plug');
    this.#isGone = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#bridge.kill('SIGKILL');
    await this.#exited;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #perform(line: string): string {
    const [what, hex = ''] = line.split(' ');
    if (this.#isGone) return 'gone';
    if (what === 'GET') return this.key.getReport().toString('hex');
    this.key.setReport(Buffer.from(hex, 'hex'));
    return 'ok';
  }

  #order(what: 'plug' | 'unplug'): Promise<void> {
    return new Promise((resolve) => {
      this.#control.once('data', () => {
        resolve();
      });
      this.#control.write(`${what}\n`);
    });
  }
}
