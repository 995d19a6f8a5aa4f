/** `npm run quickstart -- trust` as a stranger runs it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runProgram, TOUCHSTONE, type CommandResult } from '../support/demo-agent.js';
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

  it('keeps everything when asked to, until it is told to stop', async () => {
    const environment = { ...process.env, HOME: home, TMPDIR: path.join(home, 'tmp') };
    const program = path.join(PROJECT_ROOT, 'test/build/scripts/quickstart-trust.js');
    const child = spawn(process.execPath, [program, '--keep'], { env: environment });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (said += chunk));
    const ended = once(child, 'exit');
    await expect.poll(() => said, { timeout: 60_000 }).toContain('Ctrl-C here');
    const exported = [...said.matchAll(/^export (\w+)=(.+)$/gm)].map(([, name = '', value = '']) => [
      name,
      value,
    ]);
    const list = /^touchstone trust inspect (\S+)$/m.exec(said)?.[1] ?? '';
    const kept = { ...environment, ...(Object.fromEntries(exported) as Record<string, string>) };
    const inspected = await runProgram(process.execPath, [TOUCHSTONE, 'trust', 'inspect', list], {
      environment: kept,
    });
    expect(inspected).toMatchObject({ status: 0 });
    expect(inspected.stdout).toContain('alice');
    child.kill('SIGINT');
    expect(await ended).toEqual([130, null]);
    expectNothingLeft();
  }, 90_000);

  it('refuses options it does not know', async () => {
    const result = await run('bash', ['test/scripts/bootstrap.sh', 'quickstart', 'trust', '--fast']);
    expect(result.status).toBe(1);
    expectNothingLeft();
  }, 120_000);
});
