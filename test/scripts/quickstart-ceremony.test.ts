/** `npm run quickstart -- ceremony` as a stranger runs it. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runProgram, type CommandResult } from '../support/demo-agent.js';
import { PROJECT_ROOT } from '../support/project-root.js';

describe('npm run quickstart -- ceremony', () => {
  let home: string;

  beforeEach(() => {
    home = mkdtempSync(path.join(tmpdir(), 'touchstone-home-'));
    mkdirSync(path.join(home, 'tmp'));
  });
  afterEach(() => {
    rmSync(home, { recursive: true });
  });

  function run(program: string, ...argv: readonly string[]): Promise<CommandResult> {
    const environment = { ...process.env, HOME: home, TMPDIR: path.join(home, 'tmp') };
    return runProgram(program, argv, { cwd: PROJECT_ROOT, timeoutMs: 240_000, environment });
  }

  it(
    'plays a rehearsal and a rotation, and leaves what three verifiers agree on',
    { timeout: 300_000 },
    async () => {
      const { status, stdout, stderr } = await run(
        'bash',
        'test/scripts/bootstrap.sh',
        'quickstart',
        'ceremony',
        '--keep',
      );
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toContain('nothing of that can verify: REHEARSAL');
      expect(stdout).toMatch(/the root key of carol .* leaves/);
      expect(stdout).toMatch(/gets no PIN: Bob's token \(serial [0-9a-f]+\) is not there/);
      expect(stdout).toContain(
        'by the keys of v1: 2 of 2 (alice, bob); by the keys of v2: 2 of 2 (alice, bob)',
      );
      expect(stdout).toContain('downloaded the file: what clients download');
      expect(stdout).toContain(
        'closed, sealed by alice and bob, replayed from its files alone, and published',
      );
      expect(stdout).toContain('3 documents agree');
      expect(stdout).toContain('root 1 to 2 verified');
      const kept = /the ceremonies are in (\S+);/.exec(stdout)?.[1] ?? '';
      expect(readdirSync(path.join(home, 'tmp'))).toEqual([path.basename(kept)]);
      expect(readFileSync(path.join(kept, 'root-2.html'), 'utf8')).toContain('bob signed root v2 with key');
      expect(existsSync(path.join(home, '.config'))).toBe(false);

      const metadata = path.join(kept, 'updates/metadata');
      const second = path.join(metadata, '2.root.json');
      const good = readFileSync(second, 'utf8');
      const [moment = ''] = /20\d\d(?=-\d\d-\d\dT)/.exec(good) ?? [];
      writeFileSync(second, good.replace(moment, String(Number(moment) + 1)));
      const support = path.join(PROJECT_ROOT, 'test/support');
      const shell = await run('bash', path.join(support, 'tuf-root-chain.sh'), metadata);
      expect([shell.status, shell.stderr.trim()]).toEqual([
        1,
        '2.root.json: 0 of 2 signatures by the keys of 1.root.json',
      ]);
      const python = await run('/usr/bin/python3', path.join(support, 'tuf-second-opinion.py'), metadata);
      expect([python.status, python.stderr.trim()]).toEqual([1, 'root 2: 0 of 2']);
    },
  );

  it('refuses options it does not know', { timeout: 120_000 }, async () => {
    expect((await run('bash', 'test/scripts/bootstrap.sh', 'quickstart', 'ceremony', '--fast')).status).toBe(
      1,
    );
    expect(readdirSync(path.join(home, 'tmp'))).toEqual([]);
  });
});
