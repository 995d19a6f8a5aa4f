/**
 * A whole running agent, attacked from outside by a process of the same user. Attacker and agent both run without
 * capabilities; every attack is also tried on an ordinary process, where it has to succeed.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DemoAgent, runProgram, TOUCHSTONE } from '../support/demo-agent.js';
import { isRunning, processTree, waitForExit } from '../support/process-tree.js';
import { listFiles } from '../support/source-tree.js';
import { UNPRIVILEGED } from '../support/unprivileged.js';

const KEY = 'touchstone/release#ssh';
const MARK = 'a-secret-of-the-shell-that-started-it';
const [SETPRIV = 'env', ...DROP] = UNPRIVILEGED;

/** Tries everything that reads or changes another process; prints what worked. */
const ATTACK = `
  const fs = require('node:fs');
  const attempts = {
    memory: (pid) => { const fd = fs.openSync('/proc/' + pid + '/mem', 'r+'); fs.closeSync(fd); },
    environment: (pid) => fs.readFileSync('/proc/' + pid + '/environ'),
    maps: (pid) => { if (fs.readFileSync('/proc/' + pid + '/maps').length === 0) throw new Error('empty'); },
    descriptors: (pid) => fs.readdirSync('/proc/' + pid + '/fd').map((fd) => fs.readlinkSync('/proc/' + pid + '/fd/' + fd)),
    executable: (pid) => fs.readlinkSync('/proc/' + pid + '/exe'),
  };
  for (const [name, attempt] of Object.entries(attempts)) {
    try { attempt(process.argv[1]); console.log(name); } catch {}
  }`;

async function attack(pid: number): Promise<readonly string[]> {
  const done = await runProgram(SETPRIV, [...DROP, process.execPath, '-e', ATTACK, String(pid)]);
  return done.stdout.split('\n').filter((line) => line !== '');
}

/** Addresses on which `pid` listens for TCP connections, as in /proc/net/tcp. */
function tcpListeners(pid: number): readonly string[] {
  const sockets = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return [];
      }
    }),
  );
  return ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/net/${table}`, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === '0A' && sockets.has(fields[9] ?? ''))
      .map((fields) => fields[1] ?? ''),
  );
}

async function becomesListener(pid: number, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    if (tcpListeners(pid).length > 0) return true;
    await delay(20);
  }
  return false;
}

const SLEEPER = 'console.log(1); setInterval(() => {}, 1000)';

/** An ordinary Node process of the same user; port 0, so that no other test is in its way. */
class OrdinaryProcess implements AsyncDisposable {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = spawn(SETPRIV, [...DROP, process.execPath, '--inspect-port=0', '-e', SLEEPER], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, TOUCHSTONE_MARK: MARK },
    });
  }

  async ready(): Promise<number> {
    await new Promise((resolve) => this.#child.stdout?.once('data', resolve));
    return this.#child.pid ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await waitForExit([this.#child.pid ?? 0], 5000);
  }
}

describe('a running agent', () => {
  const agent = new DemoAgent();
  let processes: readonly number[] = [];

  async function start(): Promise<void> {
    const started = await runProgram(
      SETPRIV,
      [...DROP, process.execPath, TOUCHSTONE, 'agent', 'start', '--allow-root', '--log-level', 'debug'],
      { environment: { ...agent.environment, SECRET_OF_THE_SHELL: MARK, NODE_OPTIONS: '--title=marked' } },
    );
    if (started.status !== 0) throw new Error(started.stderr);
    processes = processTree(await agent.pid());
  }

  beforeAll(async () => {
    await agent.init();
    await start();
    await agent.setUpToken();
    await agent.derive(KEY);
    processes = processTree(await agent.pid());
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
  });

  async function signs(): Promise<boolean> {
    const argv = ['sign', 'file', '--key', KEY, '-o', '-', '-'];
    return (await agent.touchstone(argv, { input: 'message' })).stdout.startsWith(
      '-----BEGIN SSH SIGNATURE-----',
    );
  }

  it('consists of keeper, front and one token host', () => {
    const programs = processes.map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
    for (const program of ['keeper.js', 'front.js', 'tokenhost.js']) {
      expect(programs.filter((each) => each.includes(program))).toHaveLength(1);
    }
  });

  it('keeps its memory, environment and descriptors from other processes of its user', async () => {
    await using ordinary = new OrdinaryProcess();
    const open = await attack(await ordinary.ready());
    expect([...open].sort()).toEqual(['descriptors', 'environment', 'executable', 'maps', 'memory']);
    for (const pid of processes) expect(await attack(pid)).toEqual([]);
  });

  it('leaves no core file and can gain no privileges', () => {
    for (const pid of processes) {
      expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/^Max core file size\s+0\s+0\s/m);
      expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/^NoNewPrivs:\s+1$/m);
      expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/^Umask:\s+0077$/m);
    }
  });

  it('inherits nothing of the environment that it was not meant to', () => {
    for (const pid of processes) {
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
      expect(environment).toContain('TOUCHSTONE_');
      expect(environment).not.toContain(MARK);
      expect(environment).not.toContain('NODE_OPTIONS');
    }
  });

  it('opens no debugger after SIGUSR1', async () => {
    await using ordinary = new OrdinaryProcess();
    const pid = await ordinary.ready();
    process.kill(pid, 'SIGUSR1');
    expect(await becomesListener(pid, 5000)).toBe(true);
    for (const each of processes) process.kill(each, 'SIGUSR1');
    for (const each of processes) expect(await becomesListener(each, 300)).toBe(false);
    expect(processes.filter(isRunning)).toEqual(processes);
    expect(await signs()).toBe(true);
  });

  it('is back within a second when its front is killed, with the keys still loaded', async () => {
    const { frontPid } = JSON.parse(await agent.must(['agent', 'status', '--json'])) as {
      readonly frontPid: number;
    };
    process.kill(frontPid, 'SIGKILL');
    const begin = performance.now();
    let back = false;
    while (!back && performance.now() - begin < 10_000) back = await signs();
    expect(back).toBe(true);
    processes = processTree(await agent.pid());
    expect(processes).not.toContain(frontPid);
  });

  it('writes no PIN to the disk, even at the most verbose level', async () => {
    const pin = readFileSync(agent.pinFile, 'utf8').trim();
    await agent.touchstone(['lock']);
    await agent.unlock();
    const files = listFiles(agent.stateDir, '');
    expect(files).toContain('keyring.json');
    const written = files.map((file) => readFileSync(path.join(agent.stateDir, file), 'latin1')).join('\n');
    expect(written).toContain('"msg":"listening"');
    expect(written).not.toContain(pin);
    expect(written).not.toContain(Buffer.from(pin).toString('base64'));
    expect(written).not.toContain(Buffer.from(pin).toString('hex'));
  });

  it('opens no debugger for SIGUSR1 while it starts', async () => {
    await agent.stop();
    // A signal before Node has a handler simply ends the process: what must never happen is a listener.
    const starting = start().catch(() => undefined);
    const seen = new Set<number>();
    const listening = new Set<number>();
    const deadline = Date.now() + 1500;
    while (Date.now() < deadline) {
      for (const pid of agentProcesses(agent.stateDir)) {
        if (Math.random() < 0.3) process.kill(pid, 'SIGUSR1');
        if (listensNow(pid)) listening.add(pid);
        seen.add(pid);
      }
      await delay(5);
    }
    await starting;
    expect(seen.size).toBeGreaterThan(0);
    expect([...listening]).toEqual([]);
  });
});

/** A process that ended in between listens to nothing. */
function listensNow(pid: number): boolean {
  try {
    return tcpListeners(pid).length > 0;
  } catch {
    return false;
  }
}

/** Processes whose command line names the state folder and one of the agent's own programs. */
function agentProcesses(stateDir: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return command.includes(stateDir) && /dist\/bin\/(keeper|front)\.js/.test(command);
      } catch {
        return false;
      }
    });
}
