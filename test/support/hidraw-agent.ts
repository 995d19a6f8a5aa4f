/**
 * A demo agent with two tokens: the embedded SoftHSM for the root, and an OTP slot of the key in a `HidrawBed`. It runs a copy of
 * the built program in which one process, the token host of the slot, begins with the test bed's libraries preloaded: a
 * configuration cannot do that, on purpose.
 */
import { cpSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DemoAgent, runProgram, type CommandOptions, type CommandResult } from './demo-agent.js';
import type { HidrawBed } from './hidraw-bed.js';
import { PROJECT_ROOT } from './project-root.js';

const LINKED = ['node_modules', 'native-shims', 'softhsm-config'];

const HOST = `import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
const { PRELOADED, UMOCKDEV_DIR } = process.env;
if (PRELOADED === undefined) {
  await import('./real-tokenhost.js');
} else {
  const host = fileURLToPath(new URL('./real-tokenhost.js', import.meta.url));
  const env = { UMOCKDEV_DIR, LD_PRELOAD: PRELOADED, TOUCHSTONE_PARENT: String(process.pid) };
  const child = spawn(process.execPath, [...process.execArgv, host], { stdio: ['ignore', 'inherit', 'inherit', 3], env });
  child.on('exit', (code) => process.exit(code ?? 1));
}
`;

export class HidrawAgent extends DemoAgent {
  readonly passphraseFile: string;
  readonly #program: string;
  readonly #bed: HidrawBed;

  constructor(bed: HidrawBed, passphrase: string) {
    super();
    this.#bed = bed;
    this.passphraseFile = this.writePin('passphrase', passphrase);
    const root = path.join(this.folder, 'program');
    this.#program = path.join(root, 'dist/bin/touchstone.js');
    cpSync(path.join(PROJECT_ROOT, 'dist'), path.join(root, 'dist'), { recursive: true });
    cpSync(path.join(PROJECT_ROOT, 'package.json'), path.join(root, 'package.json'));
    for (const name of LINKED) symlinkSync(path.join(PROJECT_ROOT, name), path.join(root, name));
    const host = path.join(root, 'dist/bin/tokenhost.js');
    renameSync(host, path.join(root, 'dist/bin/real-tokenhost.js'));
    writeFileSync(host, HOST);
  }

  override touchstone(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const environment = this.environment;
    return runProgram(process.execPath, [this.#program, ...argv], { environment, ...options });
  }

  /** Configuration and running agent; the token `slot` is slot 2 of the key with this serial number. */
  async begin(serial: number, domain: string, lines: readonly string[] = []): Promise<void> {
    await this.init(domain);
    const { LD_PRELOAD = '', UMOCKDEV_DIR = '' } = this.#bed.environment;
    const fields = [
      '[[token]]',
      'name = "slot"',
      'kind = "yubikey-otp"',
      `serial = ${serial}`,
      'slot = 2',
      `env = { PRELOADED = "${LD_PRELOAD}", UMOCKDEV_DIR = "${UMOCKDEV_DIR}" }`,
      ...lines,
    ];
    this.configure((toml) => `${toml}\n${fields.join('\n')}\n`);
    await this.start();
  }

  /** `token setup --otp` with passphrase and PIN from files, and these words. */
  setUpSlot(...argv: readonly string[]): Promise<CommandResult> {
    const pins = ['--pin-file', this.passphraseFile, '--root-pin-file', this.pinFile];
    return this.touchstone(['token', 'setup', '--otp', ...pins, ...argv], { timeoutMs: 60_000 });
  }

  /** `unlock --token slot` with the passphrase, or with another one. */
  unlockSlot(passphraseFile = this.passphraseFile): Promise<CommandResult> {
    return this.touchstone(['unlock', '--token', 'slot', '--pin-file', passphraseFile], {
      timeoutMs: 60_000,
    });
  }
}
