/** Hardened processes, seen from the kernel and from outside. They are children: there is no way back. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { SCRUBBED_NODE_FLAGS, scrubEnvironment } from '../../src/platform/hardening.js';
import { NativeChild } from '../support/native-child.js';
import { waitForExit } from '../support/process-tree.js';
import { PROJECT_ROOT } from '../support/project-root.js';

const BUILT = pathToFileURL(path.join(PROJECT_ROOT, 'dist', 'platform', 'hardening.js')).href;

function statusOf(pid: number, field: string): string | undefined {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return new RegExp(`^${field}:\\s+(.*)$`, 'm').exec(status)?.[1];
}

describe('hardening', () => {
  it('is what the kernel shows afterwards, and was not before', async () => {
    const script = `
      const { hardenThisProcess } = await import(${JSON.stringify(BUILT)});
      say(shims.hardeningFacts());
      await hear();
      hardenThisProcess();
      say(shims.hardeningFacts());
      await hear();`;
    await using child = new NativeChild(script);
    expect(await child.heard()).toMatchObject({ dumpable: 1, noNewPrivs: 0 });
    expect(statusOf(child.pid, 'NoNewPrivs')).toBe('0');
    child.tell('harden');
    expect(await child.heard()).toEqual({ dumpable: 0, coreLimit: 0, noNewPrivs: 1 });
    expect(statusOf(child.pid, 'NoNewPrivs')).toBe('1');
    expect(statusOf(child.pid, 'Umask')).toBe('0077');
    expect(readFileSync(`/proc/${child.pid}/limits`, 'utf8')).toMatch(/^Max core file size\s+0\s+0\s/m);
  });

  it('binds a process to the life of its parent', async () => {
    const grandchild = `
      import(${JSON.stringify(BUILT)}).then(({ hardenThisProcess }) => {
        hardenThisProcess({ parent: process.ppid });
        console.log('bound');
        setInterval(() => {}, 1000);
      });`;
    const script = `
      const { spawn } = await import('node:child_process');
      const bound = spawn(process.execPath, ['-e', process.argv[1]], { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(bound.stdout, 'data');
      say(bound.pid);
      await hear();`;
    await using child = new NativeChild(script, { args: [grandchild] });
    const pid = Number(await child.heard());
    expect(await waitForExit([pid], 50)).toEqual([pid]);
    child.process.kill('SIGKILL');
    expect(await waitForExit([pid], 10_000)).toEqual([]);
  });

  it('ends a process whose parent has already changed', async () => {
    await using child = new NativeChild(`shims.dieWithParent(process.pid); say('still here');`);
    expect(await child.ended()).toEqual({ code: 1, signal: null });
  });
});

describe('the options of node', () => {
  /** Answers the inspector's address as soon as there is one, or null after so many looks. */
  const script = `
    const { url } = await import('node:inspector');
    const { setTimeout } = await import('node:timers/promises');
    say('ready');
    await hear();
    for (let look = 0; look < Number(process.argv[1]) && url() === undefined; look++) await setTimeout(10);
    say(url() ?? null);
    await hear();`;

  async function inspectorAfterSignal(looks: number, flags: readonly string[]): Promise<unknown> {
    await using child = new NativeChild(script, { flags, args: [String(looks)] });
    await child.heard();
    child.process.kill('SIGUSR1');
    child.tell('look');
    try {
      return await child.heard();
    } catch {
      // Where node knows --disable-sigusr1 the signal ends the process: nothing listens either.
      return null;
    }
  }

  it('keep SIGUSR1 from opening an inspector, which it does without them', async () => {
    expect(await inspectorAfterSignal(1000, ['--inspect-port=0'])).toMatch(/^ws:/);
    expect(await inspectorAfterSignal(40, SCRUBBED_NODE_FLAGS)).toBeNull();
  });
});

describe('the environment of a process', () => {
  it('is a fixed list and what was asked for', () => {
    const kept = {
      PATH: '/bin',
      HOME: '/home/a',
      LC_ALL: 'C',
      TZ: 'UTC',
      XDG_RUNTIME_DIR: '/run/user/1',
      TOUCHSTONE_SOCK: '/s',
      LISTEN_FDS: '1',
      NOTIFY_SOCKET: '/n',
      CREDENTIALS_DIRECTORY: '/c',
    };
    const dropped = {
      NODE_OPTIONS: '--inspect',
      LD_PRELOAD: '/evil.so',
      SSH_AUTH_SOCK: '/a',
      AWS_SECRET_ACCESS_KEY: 'x',
      NODE_EXTRA_CA_CERTS: '/x',
      OPENSSL_CONF: '/x',
      path: '/lower',
      XLC_ALL: 'C',
    };
    expect(scrubEnvironment({ ...dropped, ...kept, LANG: undefined })).toEqual(kept);
    expect(scrubEnvironment({ ...dropped, ...kept }, ['SSH_AUTH_SOCK', 'GONE'])).toEqual({
      ...kept,
      SSH_AUTH_SOCK: '/a',
    });
  });
});
