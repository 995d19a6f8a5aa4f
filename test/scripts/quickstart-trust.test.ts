/** `npm run quickstart -- trust` as a stranger runs it. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runProgram, type CommandResult } from '../support/demo-agent.js';
import { PROJECT_ROOT } from '../support/project-root.js';

describe('npm run quickstart -- trust', () => {
  let home: string;

  beforeEach(() => {
    home = mkdtempSync(path.join(tmpdir(), 'touchstone-home-'));
    mkdirSync(path.join(home, 'tmp'));
  });
  afterEach(() => {
    rmSync(home, { recursive: true });
  });

  function run(program: string, argv: readonly string[], searched?: string): Promise<CommandResult> {
    const environment = { ...process.env, HOME: home, TMPDIR: path.join(home, 'tmp') };
    return runProgram(program, argv, {
      cwd: PROJECT_ROOT,
      timeoutMs: 60_000,
      environment: searched === undefined ? environment : { ...environment, PATH: searched },
    });
  }

  function expectNothingLeft(): void {
    expect(readdirSync(path.join(home, 'tmp'))).toEqual([]);
    for (const name of ['.config', '.local', '.docker', '.notary'])
      expect(existsSync(path.join(home, name))).toBe(false);
  }

  it('plays the whole story within a minute, and leaves nothing behind', async () => {
    const result = await run('bash', ['test/scripts/bootstrap.sh', 'quickstart', 'trust']);
    expect(result).toMatchObject({ status: 0, stderr: '' });
    expect(result.stdout).toMatch(/docker trust inspect shows it: v1 [0-9a-f]{64}/);
    expect(result.stdout).toMatch(/notary list shows it: v1 [0-9a-f]{64}/);
    expect(result.stdout).toContain('DOCKER_CONTENT_TRUST=1, and ran it: hello from v1');
    expect(result.stdout).toContain('the unsigned one is refused: No valid trust data for unsigned');
    expect(result.stdout).toContain('signed by dev (alice), missing qa');
    expect(result.stdout).toMatch(/the team rule passes, and names what to run: .*@sha256:[0-9a-f]{64}/);
    expect(result.stdout).toContain('0 processes left');
    expectNothingLeft();
  }, 90_000);

  it('says so where no engine can run, and goes on without', async () => {
    const folders = [path.dirname(process.execPath), '/usr/bin', '/bin'].join(':');
    const program = path.join(PROJECT_ROOT, 'test/build/scripts/quickstart-trust.js');
    const result = await run(process.execPath, [program], folders);
    expect(result).toMatchObject({ status: 0, stderr: '' });
    expect(result.stdout).toContain('it cannot run on this machine');
    expect(result.stdout).not.toContain('DOCKER_CONTENT_TRUST');
    expect(result.stdout).toMatch(/the team rule passes/);
    expectNothingLeft();
  }, 90_000);

  it('refuses options it does not know', async () => {
    const result = await run('bash', ['test/scripts/bootstrap.sh', 'quickstart', 'trust', '--fast']);
    expect(result.status).toBe(1);
    expectNothingLeft();
  }, 120_000);
});
