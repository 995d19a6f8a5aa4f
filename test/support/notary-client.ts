/** The real notary CLI with a trust folder of its own. */
import { cpSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { runProgram, type CommandResult } from './demo-agent.js';
import { WITHOUT_YKCS11 } from './hidden-ykcs11.js';
import type { NotaryServer } from './notary-server.js';
import { TempFolder } from './temp-folder.js';

const PASSPHRASE = 'correct horse battery';
const COMMAND_MS = 60_000;
const ROLES = ['ROOT', 'TARGETS', 'SNAPSHOT', 'DELEGATION'];

export interface NotaryClientOptions {
  /** `user:password` for a server that asks for tokens. */
  readonly login?: string | undefined;
  /** Further fields of its configuration, for example `trust_pinning`. */
  readonly configuration?: object | undefined;
}

export class NotaryClient implements Disposable {
  /** Its working folder; relative files of `trust_pinning` start here. */
  readonly folder = new TempFolder();
  readonly trustDir = this.folder.join('trust');
  /** Passphrase of every key it makes. */
  readonly passphrase = PASSPHRASE;
  readonly #server: NotaryServer;
  readonly #environment: NodeJS.ProcessEnv;

  constructor(server: NotaryServer, options: NotaryClientOptions = {}) {
    this.#server = server;
    const login =
      options.login === undefined ? {} : { NOTARY_AUTH: Buffer.from(options.login).toString('base64') };
    this.#environment = {
      PATH: process.env['PATH'],
      HOME: this.folder.path,
      ...Object.fromEntries(ROLES.map((role) => [`NOTARY_${role}_PASSPHRASE`, PASSPHRASE])),
      ...login,
    };
    const configuration = {
      trust_dir: this.trustDir,
      remote_server: { url: server.url, root_ca: server.authority.certificate },
      ...options.configuration,
    };
    writeFileSync(this.folder.join('config.json'), JSON.stringify(configuration));
  }

  /** Runs `notary ARGV`, whatever becomes of it. */
  run(...argv: readonly string[]): Promise<CommandResult> {
    return this.#run(argv, undefined);
  }

  /** Runs `notary ARGV`, which asks whether one is sure, and has to succeed. */
  async confirm(...argv: readonly string[]): Promise<void> {
    const { status, stdout, stderr } = await this.#run(argv, 'yes\n');
    if (status !== 0) throw new Error(`notary ${argv.join(' ')}: exit ${status}\n${stderr}${stdout}`);
  }

  #run(argv: readonly string[], input: string | undefined): Promise<CommandResult> {
    const [program = '', ...words] = [
      ...WITHOUT_YKCS11,
      'notary',
      '-c',
      this.folder.join('config.json'),
      ...argv,
    ];
    return runProgram(program, words, {
      environment: this.#environment,
      cwd: this.folder.path,
      timeoutMs: COMMAND_MS,
      input,
    });
  }

  /** Runs `notary ARGV`, which has to succeed; answers its output. */
  async must(...argv: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run(...argv);
    if (status === 0) return stdout;
    throw new Error(`notary ${argv.join(' ')}: exit ${status}\n${stderr}${stdout}\n${this.#server.tail()}`);
  }

  /** Copies the private keys of another client, as a second machine of the same publisher would have them. */
  takeKeysOf(other: { readonly trustDir: string }): void {
    cpSync(path.join(other.trustDir, 'private'), path.join(this.trustDir, 'private'), { recursive: true });
  }

  [Symbol.dispose](): void {
    this.folder[Symbol.dispose]();
  }
}
