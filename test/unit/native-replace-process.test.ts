/** execve: the same process id, and nothing else of what was before. */
import { describe, expect, it } from 'vitest';
import { NativeChild, type NativeChildOptions } from '../support/native-child.js';

const SIGPIPE_BIT = 1n << 12n;

/** Everything a replaced child printed, and how it ended. */
async function outputOf(script: string, options: NativeChildOptions = {}): Promise<readonly string[]> {
  await using child = new NativeChild(script, options);
  let text = '';
  child.process.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
  expect(await child.ended()).toEqual({ code: 0, signal: null });
  return [String(child.pid), ...text.trimEnd().split('\n')];
}

function ignoredSignals(lines: readonly string[]): bigint {
  const line = lines.find((each) => each.startsWith('SigIgn:'));
  return BigInt(`0x${line?.split(/\s+/)[1] ?? 'missing'}`);
}

describe('replacing the process', () => {
  it('keeps the process id and gives exactly the environment that was named', async () => {
    const script = `
      shims.replaceProcess('/bin/sh', ['another-name', '-c', 'echo $$ $0; exec /usr/bin/env'], ['A=1', 'B=two words']);`;
    const env = { ...process.env, SECRET_FROM_BEFORE: 'x' };
    const [pid, shell, ...variables] = await outputOf(script, { env });
    expect(shell).toBe(`${String(pid)} another-name`);
    // The shell itself may add these.
    const given = variables.filter((each) => !/^(PWD|OLDPWD|SHLVL|_)=/.test(each));
    expect(given.sort()).toEqual(['A=1', 'B=two words']);
  });

  it('starts the new program without ignored or blocked signals, which node has', async () => {
    const before = await outputOf(`
      const { readFileSync } = await import('node:fs');
      process.stdin.destroy();
      process.stdout.write(readFileSync('/proc/self/status'));`);
    expect(ignoredSignals(before) & SIGPIPE_BIT).toBe(SIGPIPE_BIT);
    const after = await outputOf(`shims.replaceProcess('/bin/cat', ['cat', '/proc/self/status'], []);`);
    expect(ignoredSignals(after)).toBe(0n);
    expect(after).toContain('SigBlk:\t0000000000000000');
  });

  it('leaves only the standard descriptors open, and those it was told to keep', async () => {
    const script = `
      const { openSync, existsSync } = await import('node:fs');
      const fds = [openSync('/dev/null'), openSync('/dev/null')];
      console.log(fds[1], existsSync('/proc/self/fd/251'));
      const look = 'for f in 0 1 2 251 ' + fds.join(' ') + '; do test -e /proc/$$/fd/$f && echo $f; done; true';
      shims.replaceProcess('/bin/sh', ['sh', '-c', look], [], process.argv[1] === 'keep' ? [fds[1]] : undefined);`;
    // Node does not mark so high a number when it inherits one.
    const through = ['bash', '-c', 'exec 251</dev/null; exec "$@"', 'bash'];
    const [, before = '', ...plain] = await outputOf(script, { through });
    expect(before).toMatch(/^\d+ true$/);
    expect(plain).toEqual(['0', '1', '2']);
    const [, named = '', ...kept] = await outputOf(script, { through, args: ['keep'] });
    expect(kept).toEqual(['0', '1', '2', named.split(' ')[0]]);
  });

  it('throws when there is no such program, and node goes on as before', async () => {
    const lines = await outputOf(`
      const { readFileSync } = await import('node:fs');
      try { shims.replaceProcess('/nonexistent', ['x'], []); } catch (error) { console.log(error.code); }
      try { shims.replaceProcess('/dev/null', ['x'], []); } catch (error) { console.log(error.code); }
      try { shims.replaceProcess('/bin/true', ['x'], [], [1000]); } catch (error) { console.log(error.code); }
      process.stdin.destroy();
      process.stdout.write(readFileSync('/proc/self/status'));`);
    expect(lines.slice(1, 4)).toEqual(['ENOENT', 'EACCES', 'EBADF']);
    expect(ignoredSignals(lines) & SIGPIPE_BIT).toBe(SIGPIPE_BIT);
  });
});
