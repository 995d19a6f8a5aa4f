/** A pcscd of the test's own: it sees the test's readers and nothing else of this machine, and ends with the test. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MOUNT_NAMESPACE } from '../mount-namespace.js';

/** Has to begin with "Yubico" for libykcs11 and to hold "yubikey" for yubico-piv-tool. */
const READER_NAME = 'Yubico YubiKey OTP+FIDO+CCID';
const PROGRAM = '/usr/sbin/pcscd';
const START_MS = 20_000;
const LOOK_MS = 5;

/**
 * In a mount namespace of its own: the socket folder is ours, the drivers of real readers are out of reach (a wrong PIN of
 * a test must never go to somebody's own key), and the kernel ends pcscd with the process that started it.
 */
const SCRIPT = `
mount -t tmpfs tmpfs /run && mkdir /run/pcscd && mount --bind "$1" /run/pcscd || exit 1
for folder in /usr/lib/pcsc/drivers /dev/bus/usb; do
  [ ! -d "$folder" ] || mount -t tmpfs tmpfs "$folder" || exit 1
done
exec setpriv --pdeathsig KILL "$2" --foreground --config "$3"
`;

export class PcscDaemon implements AsyncDisposable {
  readonly #process: ChildProcess;

  private constructor(
    /** Its socket, for PCSCLITE_CSOCK_NAME. */
    readonly socketPath: string,
    child: ChildProcess,
  ) {
    this.#process = child;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** @param folder its own, removed by the caller @param driver the built reader-driver.c @param readers socket paths */
  static async start(folder: string, driver: string, readers: readonly string[]): Promise<PcscDaemon> {
    const [config, run] = [path.join(folder, 'reader.conf.d'), path.join(folder, 'run')];
    for (const each of [config, run]) {
      rmSync(each, { recursive: true, force: true });
      mkdirSync(each);
    }
    writeFileSync(
      path.join(config, 'readers'),
      readers.map((socket) => readerEntry(socket, driver)).join('\n'),
    );
    const [program, ...words] = MOUNT_NAMESPACE;
    const child = spawn(program, [...words, 'sh', '-c', SCRIPT, 'sh', run, PROGRAM, config], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const daemon = new PcscDaemon(path.join(run, 'pcscd.comm'), child);
    await daemon.#listening();
    return daemon;
  }

  /** Ends it as a crash would. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill('SIGKILL');
    await once(this.#process, 'exit');
  }

  async #listening(): Promise<void> {
    let said = '';
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4096)));
    const deadline = Date.now() + START_MS;
    while (!(await accepts(this.socketPath))) {
      if (this.#process.exitCode !== null) throw new Error(`pcscd ended: ${said}`);
      if (Date.now() > deadline) {
        await this[Symbol.asyncDispose]();
        throw new Error(`pcscd did not start: ${said}`);
      }
      await delay(LOOK_MS);
    }
  }
}

function readerEntry(socket: string, driver: string): string {
  return `FRIENDLYNAME "${READER_NAME}"\nDEVICENAME ${socket}\nLIBPATH ${driver}\nCHANNELID 0\n`;
}

function accepts(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => {
      resolve(false);
    });
  });
}
