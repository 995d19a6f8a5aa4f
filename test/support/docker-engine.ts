/**
 * The real dockerd with folders of its own, in a mount namespace of its own: nothing on the machine sees its images, mounts or plugins.
 * It has no network of its own and reaches registries on the loopback interface. Needs root, as dockerd does.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { BackgroundProgram } from './background-program.js';
import { runProgram, type CommandResult } from './demo-agent.js';
import { firstDocker } from './docker-client.js';
import { TempFolder } from './temp-folder.js';

export interface DockerEngineOptions {
  /** Socket of an authorization plugin, which the engine asks about everything. */
  readonly authorizationSocket?: string | undefined;
  /** Where it listens; in a folder of its own when left out. */
  readonly socket?: string | undefined;
}

const PLUGIN = 'touchstone-authz';
/** Hides /etc/docker of the machine; the plugin is found there. Then becomes the engine. */
const START = 'mount -t tmpfs tmpfs /etc/docker && cp -r "$1"/. /etc/docker && shift && exec "$@"';

export class DockerEngine implements AsyncDisposable {
  /** `unix://…`. */
  readonly host: string;
  readonly #folder: TempFolder;
  readonly #program: BackgroundProgram;

  private constructor(host: string, folder: TempFolder, program: BackgroundProgram) {
    this.host = host;
    this.#folder = folder;
    this.#program = program;
  }

  static async start(options: DockerEngineOptions = {}): Promise<DockerEngine> {
    const folder = new TempFolder();
    try {
      const host = `unix://${options.socket ?? folder.join('docker.sock')}`;
      const program = await BackgroundProgram.start({
        program: 'unshare',
        argv: [
          '-m',
          'sh',
          '-c',
          START,
          'sh',
          etcFolder(folder, options),
          'dockerd',
          ...argvOf(folder, host, options),
        ],
        isReady: (output) => output.includes('API listen on'),
      });
      return new DockerEngine(host, folder, program);
    } catch (failure) {
      folder[Symbol.dispose]();
      throw failure;
    }
  }

  /** Runs the first docker CLI of the machine against it, without content trust. */
  docker(argv: readonly string[], input?: Uint8Array): Promise<CommandResult> {
    return runProgram(firstDocker().file, ['--host', this.host, ...argv], {
      environment: { PATH: process.env['PATH'], DOCKER_CONFIG: this.#folder.join('client') },
      input,
      timeoutMs: 60_000,
    });
  }

  tail(): string {
    return this.#program.tail();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program.stop();
    this.#folder[Symbol.dispose]();
  }
}

function argvOf(folder: TempFolder, host: string, options: DockerEngineOptions): readonly string[] {
  const file = folder.join('daemon.json');
  writeFileSync(file, '{}');
  return [
    ...['--config-file', file, '--host', host, '--pidfile', folder.join('docker.pid')],
    ...['--data-root', folder.join('data'), '--exec-root', folder.join('exec')],
    ...['--iptables=false', '--ip6tables=false', '--bridge=none', '--storage-driver=vfs'],
    ...(options.authorizationSocket === undefined ? [] : [`--authorization-plugin=${PLUGIN}`]),
  ];
}

function etcFolder(folder: TempFolder, { authorizationSocket }: DockerEngineOptions): string {
  const etc = folder.join('etc');
  mkdirSync(folder.join('etc', 'plugins'), { recursive: true });
  if (authorizationSocket !== undefined)
    writeFileSync(folder.join('etc', 'plugins', `${PLUGIN}.spec`), `unix://${authorizationSocket}`);
  return etc;
}
