/**
 * A complete Touchstone of its own in a private folder, driven only through the built CLI as a person would drive
 * it: configuration, embedded SoftHSM token, running agent, keys. Nothing outside the folder is touched.
 */
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { processTree, waitForExit } from './process-tree.js';
import { PROJECT_ROOT } from './project-root.js';

export interface CommandResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly timeoutMs?: number;
  readonly input?: string | Uint8Array | undefined;
  readonly environment?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

/** Runs a program to its end, or to its deadline (then the status is -1). */
export function runProgram(
  program: string,
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, argv, {
      env: options.environment ?? process.env,
      cwd: options.cwd,
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: options.timeoutMs ?? 30_000,
      killSignal: 'SIGKILL',
    });
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output.stdout += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (output.stderr += chunk));
    child.on('error', reject);
    child.on('close', (status) => {
      resolve({ status: status ?? -1, ...output });
    });
    // A program that does not read its input may close it first; its exit status tells the story.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
  });
}

export const TOUCHSTONE = path.join(PROJECT_ROOT, 'dist/bin/touchstone.js');

export interface DemoOptions {
  readonly domain?: string;
  /** Rewrites touchstone.toml before the agent starts. */
  readonly configure?: (toml: string) => string;
}

export class DemoAgent implements AsyncDisposable {
  readonly folder: string;
  readonly pinFile: string;
  readonly configFile: string;
  readonly policyFile: string;
  readonly stateDir: string;
  readonly socket: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Everything that ran below the agent when it was last looked at. */
  #processes: readonly number[] = [];

  /** Makes the folder and nothing else. */
  constructor() {
    this.folder = mkdtempSync(path.join(tmpdir(), 'touchstone-demo-'));
    const configDir = path.join(this.folder, 'config');
    this.configFile = path.join(configDir, 'touchstone.toml');
    this.policyFile = path.join(configDir, 'policy.toml');
    this.stateDir = path.join(this.folder, 'state');
    this.socket = path.join(this.folder, 'run', 'agent.sock');
    this.pinFile = path.join(this.folder, 'pin');
    writeFileSync(this.pinFile, `${String(randomInt(10_000_000, 100_000_000))}\n`, { mode: 0o600 });
    this.environment = {
      ...process.env,
      TOUCHSTONE_CONFIG: this.configFile,
      TOUCHSTONE_STATE: this.stateDir,
      TOUCHSTONE_SOCK: this.socket,
      SOFTHSM2_CONF: path.join(this.folder, 'not-used.conf'),
      // Whoever runs the tests shall not be told to touch keys.
      DBUS_SESSION_BUS_ADDRESS: undefined,
    };
  }

  /** Runs `touchstone ARGV` and answers what it did, whatever that was. */
  touchstone(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return runProgram(process.execPath, [TOUCHSTONE, ...argv], { environment: this.environment, ...options });
  }

  /** Runs `touchstone ARGV`, which has to succeed; answers its output. */
  async must(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
    const result = await this.touchstone(argv, options);
    if (result.status !== 0) {
      throw new Error(
        `touchstone ${argv.join(' ')}: exit ${result.status}\n${result.stderr}${result.stdout}`,
      );
    }
    return result.stdout;
  }

  init(domain = 'demo.example'): Promise<string> {
    return this.must(['init', '--softhsm', '--domain', domain]);
  }

  configuration(): string {
    return readFileSync(this.configFile, 'utf8');
  }

  /** Writes another PIN into the folder; answers the file. */
  writePin(name: string, pin: string): string {
    const file = path.join(this.folder, name);
    writeFileSync(file, `${pin}\n`, { mode: 0o600 });
    return file;
  }

  /** Rewrites touchstone.toml; before `start`, or followed by a restart. */
  configure(change: (toml: string) => string): void {
    writeFileSync(this.configFile, change(this.configuration()), { mode: 0o600 });
  }

  /** Starts the agent in the background; answers the pid of its keeper. */
  async start(): Promise<number> {
    await this.must(['agent', 'start', '--allow-root']);
    return this.pid();
  }

  async pid(): Promise<number> {
    const status = JSON.parse(await this.must(['agent', 'status', '--json'])) as { readonly pid: number };
    this.#processes = processTree(status.pid);
    return status.pid;
  }

  setUpToken(): Promise<string> {
    return this.must(['token', 'setup', '--pin-file', this.pinFile]);
  }

  unlock(argv: readonly string[] = []): Promise<string> {
    return this.must(['unlock', '--pin-file', this.pinFile, ...argv]);
  }

  derive(key: string): Promise<string> {
    return this.must(['key', 'derive', key]);
  }

  /** Stops the agent; answers the processes of it that still run afterwards (there should be none). */
  async stop(): Promise<readonly number[]> {
    const status = await this.touchstone(['agent', 'status', '--json']);
    if (status.status === 0) await this.pid();
    await this.touchstone(['agent', 'stop']);
    return waitForExit(this.#processes, 5000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of await this.stop()) process.kill(pid, 'SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A demo agent that runs, with its token set up and unlocked. */
export async function startDemoAgent(options: DemoOptions = {}): Promise<DemoAgent> {
  const agent = new DemoAgent();
  try {
    await agent.init(options.domain);
    if (options.configure !== undefined) agent.configure(options.configure);
    await agent.start();
    await agent.setUpToken();
    return agent;
  } catch (failure) {
    await agent[Symbol.asyncDispose]();
    throw failure;
  }
}
