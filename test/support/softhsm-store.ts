/** A private SoftHSM store in a folder of its own, with as many initialised tokens as a test wants. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const SOFTHSM_MODULE = '/usr/lib/softhsm/libsofthsm2.so';
export const PIN = '654321';
export const SO_PIN = '12345678';

export class SoftHsmStore implements Disposable {
  readonly folder: string;
  readonly tokens: string;
  readonly environment: Readonly<Record<string, string>>;

  constructor(...labels: readonly string[]) {
    this.folder = mkdtempSync(join(tmpdir(), 'touchstone-softhsm-'));
    this.tokens = join(this.folder, 'tokens');
    mkdirSync(this.tokens, { mode: 0o700 });
    const configuration = join(this.folder, 'softhsm2.conf');
    writeFileSync(
      configuration,
      `directories.tokendir = ${this.tokens}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n`,
    );
    this.environment = { SOFTHSM2_CONF: configuration };
    for (const label of labels) this.addToken(label);
  }

  addToken(label: string): void {
    execFileSync(
      'softhsm2-util',
      ['--init-token', '--free', '--label', label, '--so-pin', SO_PIN, '--pin', PIN],
      { env: { ...process.env, ...this.environment }, stdio: 'pipe' },
    );
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
