/** What bootstrap.sh does to a machine: a tree of its own, a PATH of its own, and stand-ins for apt-get, sudo and npm. */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runProgram, type CommandResult } from '../support/demo-agent.js';
import { PROJECT_ROOT } from '../support/project-root.js';

const BASE = 'bash cat chmod dirname env head mktemp node paste rm sort timeout touch'.split(' ');
const NEEDED = 'cc g++ make python3 openssl ssh-keygen'.split(' ');

function locate(program: string): string {
  return execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim();
}

describe('bootstrap.sh', () => {
  let tree: string;
  let bin: string;
  let log: string;

  beforeEach(() => {
    tree = mkdtempSync(path.join(tmpdir(), 'touchstone-bootstrap-'));
    bin = path.join(tree, 'bin');
    log = path.join(tree, 'log');
    for (const folder of [bin, path.join(tree, 'test/scripts'), path.join(tree, 'native-shims')]) {
      mkdirSync(folder, { recursive: true });
    }
    copyFileSync(
      path.join(PROJECT_ROOT, 'test/scripts/bootstrap.sh'),
      path.join(tree, 'test/scripts/bootstrap.sh'),
    );
    for (const file of [
      'package.json',
      'package-lock.json',
      'native-shims/a.c',
      'native-shims/a.h',
      'native-shims/binding.gyp',
    ]) {
      writeFileSync(path.join(tree, file), '{}');
    }
    for (const program of BASE) symlinkSync(locate(program), path.join(bin, program));
    becomeUser(0);
    for (const program of NEEDED) standIn(program, '');
    // Makes what the real one would leave behind.
    standIn(
      'npm',
      `case "$1" in
        ci) mkdir -p node_modules/typescript/bin test/build/scripts
          echo 'process.exitCode = 0' >node_modules/typescript/bin/tsc
          echo 'console.log("program", ...process.argv.slice(2))' >test/build/scripts/quickstart.js ;;
        run) mkdir -p native-shims/build/Release; : >native-shims/build/Release/touchstone_shims.node ;;
      esac`,
    );
    symlinkSync(locate('mkdir'), path.join(bin, 'mkdir'));
  });
  afterEach(() => {
    rmSync(tree, { recursive: true });
  });

  /** A program that writes its name and arguments to the log, then does `more`. */
  function standIn(program: string, more: string): void {
    writeFileSync(
      path.join(bin, program),
      `#!${locate('bash')}\necho "${program} $*" >>'${log}'\n${more}\n`,
      { mode: 0o755 },
    );
  }

  function calls(): readonly string[] {
    return existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [];
  }

  function bootstrap(argv: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<CommandResult> {
    return runProgram(locate('bash'), ['test/scripts/bootstrap.sh', ...argv], {
      cwd: tree,
      environment: { PATH: bin, ...environment },
    });
  }

  function becomeUser(uid: number): void {
    writeFileSync(path.join(bin, 'id'), `#!${locate('bash')}\necho ${uid}\n`, { mode: 0o755 });
  }

  it('does everything once, and the second time nothing at all', async () => {
    const first = await bootstrap(['quickstart', '--keep', 'two words']);
    expect(first).toMatchObject({ status: 0, stderr: '' });
    expect(first.stdout).toContain('program --keep two words');
    expect(calls()).toEqual([expect.stringMatching(/^npm ci/), 'npm run --silent build:native']);
    rmSync(log);
    expect((await bootstrap(['quickstart'])).status).toBe(0);
    expect(calls()).toEqual([]);
  });

  it('installs again only what changed', async () => {
    await bootstrap(['quickstart']);
    rmSync(log);
    writeFileSync(path.join(tree, 'native-shims/a.c'), 'changed');
    await bootstrap(['quickstart']);
    expect(calls()).toEqual(['npm run --silent build:native']);
    rmSync(log);
    writeFileSync(path.join(tree, 'package-lock.json'), '{"changed":true}');
    await bootstrap(['quickstart']);
    expect(calls()).toEqual([expect.stringMatching(/^npm ci/)]);
  });

  it('says what to install where there is no apt-get', async () => {
    rmSync(path.join(bin, 'openssl'));
    rmSync(path.join(bin, 'cc'));
    const result = await bootstrap(['quickstart'], { CI: 'true' });
    expect(result.status).toBe(2);
    expect(result.stdout).toContain('missing Debian packages: gcc openssl');
    expect(result.stderr).toContain('install these first');
    expect(calls()).toEqual([]);
  });

  it('names the packages first, then installs exactly those', async () => {
    rmSync(path.join(bin, 'openssl'));
    standIn('apt-get', `case "$*" in *install*) touch '${bin}/openssl'; chmod 755 '${bin}/openssl' ;; esac`);
    const result = await bootstrap(['quickstart'], { CI: 'true' });
    expect(result).toMatchObject({ status: 0, stderr: '' });
    expect(result.stdout.indexOf('missing Debian packages: openssl')).toBe(0);
    const apt = calls().filter((call) => call.startsWith('apt-get'));
    expect(apt).toHaveLength(2);
    expect(apt[0]).toMatch(/ update$/);
    expect(apt[1]).toMatch(/ install -y --no-install-recommends openssl$/);
  });

  it('stops when apt-get did not bring what was missing', async () => {
    rmSync(path.join(bin, 'openssl'));
    standIn('apt-get', '');
    const result = await bootstrap(['quickstart'], { CI: 'true' });
    expect(result.status).toBe(2);
    expect(result.stderr).toContain('still missing after apt-get install');
  });

  it('shows what a failing step said', async () => {
    standIn('npm', 'echo "the reason" >&2; exit 1');
    const result = await bootstrap(['quickstart']);
    expect(result.status).toBe(1);
    expect(result.stdout).toContain('FAIL npm ci');
    expect(result.stderr).toContain('the reason');
  });

  it('without root and without anybody to ask it installs nothing', async () => {
    rmSync(path.join(bin, 'openssl'));
    standIn('apt-get', '');
    standIn('sudo', '');
    becomeUser(1000);
    const result = await bootstrap(['quickstart']);
    expect(result.status).toBe(2);
    expect(result.stderr).toContain('nobody to ask');
    expect(calls()).toEqual([]);
  });

  it('with CI=true it uses sudo without a question', async () => {
    rmSync(path.join(bin, 'openssl'));
    standIn('apt-get', '');
    standIn('sudo', '');
    becomeUser(1000);
    await bootstrap(['quickstart'], { CI: 'true' });
    expect(calls().filter((call) => call.startsWith('sudo'))).toEqual([
      expect.stringMatching(/^sudo -n env DEBIAN_FRONTEND=noninteractive apt-get .* update$/),
      expect.stringMatching(/^sudo -n env DEBIAN_FRONTEND=noninteractive apt-get .* install -y .*openssl$/),
    ]);
  });

  it('refuses an old Node', async () => {
    rmSync(path.join(bin, 'node'));
    standIn('node', 'echo v20.18.3');
    const result = await bootstrap(['quickstart']);
    expect(result.status).toBe(2);
    expect(result.stderr).toContain('Node 20.19.0 or newer is needed, found: 20.18.3');
  });

  it('refuses an unknown mode', async () => {
    expect((await bootstrap(['everything'])).status).toBe(2);
  });
});
