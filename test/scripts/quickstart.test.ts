/** `npm run quickstart` as a stranger runs it, without any network. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runProgram, type CommandResult } from '../support/demo-agent.js';
import { isRunning, processTree, waitForExit } from '../support/process-tree.js';
import { PROJECT_ROOT } from '../support/project-root.js';

describe('npm run quickstart', () => {
  let home: string;

  beforeEach(() => {
    home = mkdtempSync(path.join(tmpdir(), 'touchstone-home-'));
    mkdirSync(path.join(home, 'tmp'));
  });
  afterEach(() => {
    rmSync(home, { recursive: true });
  });

  /** In a network namespace of its own, without any interface that is up. */
  function quickstart(argv: readonly string[]): Promise<CommandResult> {
    const command = ['bash', 'test/scripts/bootstrap.sh', 'quickstart', ...argv];
    return runProgram('unshare', ['--net', '--map-root-user', ...command], {
      cwd: PROJECT_ROOT,
      timeoutMs: 60_000,
      environment: { ...process.env, HOME: home, TMPDIR: path.join(home, 'tmp') },
    });
  }

  it('works without network, and leaves neither processes nor files', async () => {
    const result = await quickstart([]);
    expect(result).toMatchObject({ status: 0, stderr: '' });
    expect(result.stdout).toContain('Verified OK');
    expect(result.stdout).toContain('Good "file" signature for release@quickstart.example');
    expect(result.stdout).toMatch(
      /verified the audit log, .*: \d+ lines, \d+ signatures, 0 lines not sealed/,
    );
    expect(result.stdout).toContain('0 processes left');
    const pid = Number(/started the agent: pid (\d+)/.exec(result.stdout)?.[1]);
    expect(pid).toBeGreaterThan(0);
    expect(isRunning(pid)).toBe(false);
    expect(readdirSync(path.join(home, 'tmp'))).toEqual([]);
    expect(existsSync(path.join(home, '.config'))).toBe(false);
    expect(existsSync(path.join(home, '.local'))).toBe(false);
  }, 90_000);

  it('keeps the agent when asked to', async () => {
    const result = await quickstart(['--keep']);
    expect(result.status).toBe(0);
    const pid = Number(/started the agent: pid (\d+)/.exec(result.stdout)?.[1]);
    expect(isRunning(pid)).toBe(true);
    const tree = processTree(pid);
    process.kill(pid, 'SIGTERM');
    expect(await waitForExit(tree, 10_000)).toEqual([]);
  }, 90_000);

  it('refuses options it does not know', async () => {
    expect((await quickstart(['--fast'])).status).toBe(1);
  }, 120_000);
});
