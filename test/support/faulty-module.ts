/** Builds faulty-module.c with the system's compiler and tells it what to do wrong. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROJECT_ROOT } from './project-root.js';

export const FAULTY_PIN = '123456';

export class FaultyModule implements Disposable {
  /** Absolute path of the built module. */
  readonly path: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly #folder: string;
  readonly #plan: string;

  constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), 'touchstone-faulty-'));
    this.path = join(this.#folder, 'faulty.so');
    this.#plan = join(this.#folder, 'plan');
    this.environment = { FAULTY_PLAN: this.#plan };
    const source = join(PROJECT_ROOT, 'test/support/faulty-module.c');
    const headers = join(PROJECT_ROOT, 'node_modules/pkcs11js/includes');
    const flags = ['-shared', '-fPIC', '-O1', '-Wall', '-Wextra', '-Werror', '-I', headers];
    try {
      execFileSync('cc', [...flags, '-o', this.path, source], { stdio: 'pipe', encoding: 'utf8' });
    } catch (cause) {
      const missing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
      throw new Error(
        missing ? 'no C compiler: install gcc (package build-essential)' : 'faulty-module.c: not built',
        {
          cause,
        },
      );
    }
    this.behave({});
  }

  /** From now on: function name (or `token`, `key`, `tries`) → action; everything else works, and the PIN counter starts anew. */
  behave(plan: Readonly<Record<string, string>>): void {
    for (const suffix of ['log', 'tries']) rmSync(`${this.#plan}.${suffix}`, { force: true });
    this.change(plan);
  }

  /** Like `behave`, but what happened so far stays. */
  change(plan: Readonly<Record<string, string>>): void {
    const lines = Object.entries(plan).map(([name, action]) => `${name}=${action}\n`);
    writeFileSync(this.#plan, lines.join(''));
  }

  /** Names of logins, signatures and destroyed objects since `behave`, in order. */
  log(): readonly string[] {
    const file = `${this.#plan}.log`;
    return existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : [];
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
