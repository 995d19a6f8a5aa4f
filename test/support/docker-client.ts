/** The real docker CLI with a configuration folder of its own: `docker trust`, and trusted push and pull where an engine is given. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { runProgram, type CommandResult } from './demo-agent.js';
import { WITHOUT_YKCS11 } from './hidden-ykcs11.js';
import type { NotaryServer } from './notary-server.js';
import { TempFolder } from './temp-folder.js';

const PASSPHRASE = 'correct horse battery';
const COMMAND_MS = 60_000;

export interface DockerProgram {
  readonly file: string;
  /** For example `20.10.24+dfsg1`. */
  readonly version: string;
}

/** Every docker CLI of this machine that has `docker trust`: Debian's, and another one that comes first on the path. */
export function dockerPrograms(): readonly DockerProgram[] {
  const places = ['/usr/bin', ...(process.env['PATH'] ?? '').split(':')];
  const files = places.map((folder) => path.join(folder, 'docker')).filter((file) => existsSync(file));
  return [...new Set(files.map((file) => realpathSync(file)))].flatMap((file) => {
    const version = /version ([0-9.]+[^ ,]*)/.exec(output(file, ['--version']))?.[1];
    const knowsTrust = output(file, ['trust', '--help']).includes('Manage trust');
    return version !== undefined && knowsTrust ? [{ file, version }] : [];
  });
}

/** The first of them: Debian's 20.10 on the machines this runs on. */
export function firstDocker(): DockerProgram {
  const [first] = dockerPrograms();
  if (first === undefined) throw new Error('no docker CLI with "docker trust" on this machine');
  return first;
}

function output(file: string, argv: readonly string[]): string {
  return spawnSync(file, argv, { encoding: 'utf8', timeout: 45_000 }).stdout;
}

export interface DockerClientOptions {
  readonly server: NotaryServer;
  readonly program?: DockerProgram | undefined;
  /** `unix://…` of an engine. */
  readonly engine?: string | undefined;
  /** Login at a registry. */
  readonly login?: { readonly registry: string; readonly userPassword: string } | undefined;
}

export class DockerClient implements Disposable {
  readonly folder = new TempFolder();
  /** Passphrase of every key it makes. */
  readonly passphrase = PASSPHRASE;
  readonly trustDir = this.folder.join('trust');
  readonly #options: DockerClientOptions;
  readonly #program: DockerProgram;

  constructor(options: DockerClientOptions) {
    this.#options = options;
    this.#program = options.program ?? firstDocker();
    const { server, login } = options;
    const tls = this.folder.join('tls', server.host);
    mkdirSync(tls, { recursive: true });
    copyFileSync(server.authority.certificate, path.join(tls, 'ca.crt'));
    const auths =
      login === undefined
        ? {}
        : { [login.registry]: { auth: Buffer.from(login.userPassword).toString('base64') } };
    writeFileSync(this.folder.join('config.json'), JSON.stringify({ auths }));
  }

  /** Runs `docker ARGV`, whatever becomes of it. Push and pull check content trust. */
  run(...argv: readonly string[]): Promise<CommandResult> {
    return this.#run(argv, { DOCKER_CONTENT_TRUST: '1' });
  }

  /** Runs `docker ARGV` with content trust, which has to succeed; answers its output. */
  async must(...argv: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run(...argv);
    if (status === 0) return stdout;
    throw new Error(
      `docker ${argv.join(' ')}: exit ${status}\n${stderr}${stdout}\n${this.#options.server.tail()}`,
    );
  }

  /** Runs `docker ARGV` without content trust, whatever becomes of it. */
  untrusted(...argv: readonly string[]): Promise<CommandResult> {
    return this.#run(argv, {});
  }

  [Symbol.dispose](): void {
    this.folder[Symbol.dispose]();
  }

  #run(argv: readonly string[], more: NodeJS.ProcessEnv): Promise<CommandResult> {
    const { server, engine } = this.#options;
    const [program = '', ...words] = [...WITHOUT_YKCS11, this.#program.file, ...argv];
    const environment = {
      PATH: process.env['PATH'],
      HOME: this.folder.path,
      DOCKER_CONFIG: this.folder.path,
      DOCKER_HOST: engine ?? `unix://${this.folder.join('no-engine.sock')}`,
      DOCKER_CONTENT_TRUST_SERVER: server.url,
      DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE: PASSPHRASE,
      DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE: PASSPHRASE,
      ...more,
    };
    return runProgram(program, words, { environment, cwd: this.folder.path, timeoutMs: COMMAND_MS });
  }
}
