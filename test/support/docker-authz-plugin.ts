/** `touchstone gateway docker-authz` as a program of its own, with its files in a folder of the test. */
import { writeFileSync } from 'node:fs';
import { BackgroundProgram } from './background-program.js';
import { TOUCHSTONE } from './demo-agent.js';
import { TempFolder } from './temp-folder.js';

export interface DockerAuthzPluginOptions {
  /** The team rule, TOML. */
  readonly policy: string;
  /** Lines for `[trust]`. */
  readonly trust: readonly string[];
  readonly allow?: readonly string[] | undefined;
  /** Lines for `[engine]`; the digests of the engine are checked when left out. */
  readonly engine?: readonly string[] | undefined;
}

export class DockerAuthzPlugin implements AsyncDisposable {
  readonly #folder: TempFolder;
  #program: BackgroundProgram | undefined;

  private constructor(folder: TempFolder) {
    this.#folder = folder;
  }

  static async start(options: DockerAuthzPluginOptions): Promise<DockerAuthzPlugin> {
    const plugin = new DockerAuthzPlugin(new TempFolder());
    plugin.write(options);
    await plugin.restart();
    return plugin;
  }

  /** Where the engine finds it. */
  get socket(): string {
    return this.#folder.join('touchstone-authz.sock');
  }

  /** Where the engine has to listen. */
  get engineSocket(): string {
    return this.#folder.join('docker.sock');
  }

  /** Environment `production`, files and folders of this plugin. */
  write({ policy, trust, allow = ['pull'], engine = [] }: DockerAuthzPluginOptions): void {
    writeFileSync(this.#folder.join('teams.toml'), policy);
    const lines = [
      'version = 1',
      `socket = ${JSON.stringify(this.socket)}`,
      `policy = ${JSON.stringify(this.#folder.join('teams.toml'))}`,
      'environment = "production"',
      `allow = ${JSON.stringify(allow)}`,
      '[trust]',
      `folder = ${JSON.stringify(this.#folder.join('trust'))}`,
      ...trust,
      '[engine]',
      `socket = ${JSON.stringify(this.engineSocket)}`,
      ...engine,
    ];
    writeFileSync(this.#folder.join('docker-authz.toml'), `${lines.join('\n')}\n`);
  }

  async restart(): Promise<void> {
    await this.stop();
    this.#program = await BackgroundProgram.start({
      program: process.execPath,
      argv: [TOUCHSTONE, 'gateway', 'docker-authz', '--config', this.#folder.join('docker-authz.toml')],
      environment: { PATH: process.env['PATH'], HOME: this.#folder.path },
      isReady: (output) => output.includes('"msg":"listening"'),
    });
  }

  async stop(): Promise<void> {
    await this.#program?.stop();
    this.#program = undefined;
  }

  tail(): string {
    return this.#program?.tail() ?? 'the plugin does not run';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    this.#folder[Symbol.dispose]();
  }
}
