/** Starting and stopping: one agent per socket, whatever lies at its path, and sockets that systemd made. */
import { spawn } from 'node:child_process';
import { chmodSync, closeSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nativeShims } from '../../src/platform/native-shims.js';
import type { Result } from '../../src/protocol/methods.js';
import { DemoAgent, TOUCHSTONE, type CommandResult } from '../support/demo-agent.js';
import { isRunning, processTree, waitForExit } from '../support/process-tree.js';

interface ErrorDocument {
  readonly error: { readonly code: string; readonly message: string; readonly hint: string };
}

describe('an agent', () => {
  let agent: DemoAgent;
  beforeEach(async () => {
    agent = new DemoAgent();
    await agent.init();
  });
  afterEach(async () => {
    await agent[Symbol.asyncDispose]();
  });

  function start(environment: NodeJS.ProcessEnv = agent.environment): Promise<CommandResult> {
    return agent.touchstone(['agent', 'start', '--allow-root', '--json'], { environment });
  }

  async function startError(environment?: NodeJS.ProcessEnv): Promise<ErrorDocument['error']> {
    const refused = await start(environment);
    expect(refused.status).not.toBe(0);
    return (JSON.parse(refused.stdout) as ErrorDocument).error;
  }

  it('is one, when ten are started at once', async () => {
    const started = await Promise.all(Array.from({ length: 10 }, () => start()));
    const pids = started.map(({ stdout, stderr, status }) => {
      if (status !== 0) throw new Error(stderr + stdout);
      return (JSON.parse(stdout) as { readonly pid: number }).pid;
    });
    expect(new Set(pids).size).toBe(1);
    expect(await agent.pid()).toBe(pids[0]);
    const runs = await agent.touchstone(['agent', 'run', '--allow-root']);
    expect(runs.status).toBe(1);
    expect(runs.stderr).toContain(`an agent already runs on ${agent.socket}`);
  });

  it('shares its state folder with no other agent, not even on another socket', async () => {
    await agent.start();
    const environment = {
      ...agent.environment,
      TOUCHSTONE_SOCK: path.join(agent.folder, 'run2', 'agent.sock'),
    };
    const error = await startError(environment);
    expect(error.message).toContain('lock');
    expect(existsSync(environment.TOUCHSTONE_SOCK)).toBe(false);
  });

  it('leaves a file alone that is no socket', async () => {
    mkdirSync(path.dirname(agent.socket), { mode: 0o700 });
    writeFileSync(agent.socket, 'precious');
    const error = await startError();
    expect(error.message).toContain('is not a socket');
    expect(readFileSync(agent.socket, 'utf8')).toBe('precious');
  });

  it('refuses a folder for its socket that others can enter', async () => {
    mkdirSync(path.dirname(agent.socket), { mode: 0o700 });
    chmodSync(path.dirname(agent.socket), 0o755);
    expect((await startError()).hint).toContain('0700');
    expect(existsSync(agent.socket)).toBe(false);
  });

  it('refuses socket paths that are too long, or relative', async () => {
    const long = path.join(agent.folder, 'x'.repeat(107 - agent.folder.length));
    expect(await startError({ ...agent.environment, TOUCHSTONE_SOCK: long })).toMatchObject({
      code: 'agent.socket-path',
    });
    expect(await startError({ ...agent.environment, TOUCHSTONE_SOCK: 'run/agent.sock' })).toMatchObject({
      code: 'usage.path-relative',
    });
    const longest = path.join(agent.folder, 'run', 'x'.repeat(107 - agent.folder.length - 5));
    expect(Buffer.byteLength(longest)).toBe(107);
    const environment = { ...agent.environment, TOUCHSTONE_SOCK: longest };
    expect((await start(environment)).status).toBe(0);
    await agent.must(['agent', 'stop'], { environment });
  });

  it('puts its socket into the runtime folder, private, and finds it again', async () => {
    const { TOUCHSTONE_SOCK: _, ...rest } = agent.environment;
    const runtime = path.join(agent.folder, 'runtime');
    mkdirSync(runtime, { mode: 0o755 });
    const environment = { ...rest, XDG_RUNTIME_DIR: runtime };
    expect((await start(environment)).status).toBe(0);
    const socket = path.join(runtime, 'touchstone', 'agent.sock');
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    expect(statSync(path.dirname(socket)).mode & 0o777).toBe(0o700);
    const status = JSON.parse(
      await agent.must(['agent', 'status', '--json'], { environment }),
    ) as Result<'status'>;
    expect(status.socket).toBe(socket);
    await agent.must(['agent', 'stop'], { environment });
    expect(existsSync(socket)).toBe(false);
  });

  it('does not run as root unless told to', async () => {
    if (process.getuid?.() !== 0) {
      expect((await agent.touchstone(['agent', 'start', '--json'])).status).toBe(0);
      return;
    }
    for (const command of ['start', 'run']) {
      const refused = await agent.touchstone(['agent', command, '--json']);
      expect(refused.status).toBe(2);
      expect((JSON.parse(refused.stdout) as ErrorDocument).error.code).toBe('agent.root-refused');
    }
    expect(existsSync(agent.socket)).toBe(false);
  });

  it('can be stopped while its front hangs', async () => {
    const keeper = await agent.start();
    const all = processTree(keeper);
    const status = JSON.parse(await agent.must(['agent', 'status', '--json'])) as Result<'status'>;
    process.kill(status.frontPid, 'SIGSTOP');
    const stopped = await agent.touchstone(['agent', 'stop']);
    expect(stopped.status).toBe(0);
    expect(await waitForExit(all, 1000)).toEqual([]);
    expect(existsSync(agent.socket)).toBe(false);
    expect((await agent.touchstone(['agent', 'stop'])).stdout).toContain('no agent was running');
  });

  it('takes over a socket that systemd listens on', async () => {
    const socket = path.join(agent.folder, 'activated.sock');
    const environment = { ...agent.environment, TOUCHSTONE_SOCK: socket };
    // What systemd does: descriptor 3 listens already, and the environment names the process that it is for.
    const listener = nativeShims().listenUnix(socket, 8);
    const handOver = 'export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=control; exec "$@"';
    const run = [process.execPath, TOUCHSTONE, 'agent', 'run', '--allow-root'];
    const manager = spawn('sh', ['-c', handOver, 'sh', ...run], {
      env: environment,
      stdio: ['ignore', 'ignore', 'ignore', listener],
    });
    try {
      // The connection waits in the socket until the agent accepts it.
      const status = JSON.parse(
        await agent.must(['agent', 'status', '--json'], { environment }),
      ) as Result<'status'>;
      expect(status.pid).toBe(manager.pid);
      process.kill(status.frontPid, 'SIGKILL');
      await waitForExit([status.frontPid], 2000);
      await agent.must(['agent', 'status'], { environment });
      await agent.must(['agent', 'stop'], { environment });
      expect(isRunning(status.pid)).toBe(false);
      // It belongs to systemd, which goes on listening.
      expect(existsSync(socket)).toBe(true);
    } finally {
      manager.kill('SIGKILL');
      closeSync(listener);
    }
  });
});
