/** The Debian package docker-registry (distribution 2.8), serving a folder of its own on a free port of the loopback interface. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TokenServer } from './token-server.js';

const START_MS = 20_000;

export interface DockerRegistryOptions {
  /** Whose tokens it asks for. */
  readonly tokens?: TokenServer | undefined;
}

export class DockerRegistry implements AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly #process: ChildProcess;
  readonly #folder: string;

  private constructor(host: string, child: ChildProcess, folder: string) {
    this.host = host;
    this.#process = child;
    this.#folder = folder;
  }

  static async start(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
    const folder = mkdtempSync(path.join(tmpdir(), 'touchstone-registry-'));
    const config = path.join(folder, 'config.yml');
    writeFileSync(
      config,
      [
        'version: 0.1',
        'log: { level: info, formatter: json }',
        `storage: { filesystem: { rootdirectory: ${JSON.stringify(path.join(folder, 'data'))} } }`,
        'http: { addr: "127.0.0.1:0" }',
        // JSON is YAML.
        ...(options.tokens === undefined
          ? []
          : [`auth: { token: ${JSON.stringify(options.tokens.settings)} }`]),
        '',
      ].join('\n'),
    );
    const child = spawn('docker-registry', ['serve', config], { stdio: ['ignore', 'pipe', 'pipe'] });
    try {
      return new DockerRegistry(await listeningOn(child), child, folder);
    } catch (failure) {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
      throw failure;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function listeningOn(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const timer = setTimeout(() => {
      reject(new Error(`docker-registry did not start: ${said}`));
    }, START_MS);
    const look = (chunk: Buffer): void => {
      said += chunk.toString('utf8');
      const host = /listening on (127\.0\.0\.1:[0-9]+)/.exec(said)?.[1];
      if (host === undefined) return;
      clearTimeout(timer);
      resolve(host);
    };
    child.stdout?.on('data', look);
    child.stderr?.on('data', look);
    child.on('error', reject);
    child.on('exit', (status) => {
      reject(new Error(`docker-registry ended with ${String(status)}: ${said}`));
    });
  });
}
