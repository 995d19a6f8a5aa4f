/** Our CLI reading a trust server, with a home and a trust folder of its own. */
import { runProgram, TOUCHSTONE, type CommandResult } from './demo-agent.js';
import type { NotaryServer } from './notary-server.js';
import { TempFolder } from './temp-folder.js';

export class TrustReader implements Disposable {
  readonly folder = new TempFolder();
  readonly #server: NotaryServer;

  constructor(server: NotaryServer) {
    this.#server = server;
  }

  run(...argv: readonly string[]): Promise<CommandResult> {
    const { url, authority } = this.#server;
    const environment = {
      PATH: process.env['PATH'],
      HOME: this.folder.path,
      XDG_STATE_HOME: this.folder.join('state'),
      TOUCHSTONE_TRUST_SERVER: url,
    };
    return runProgram(process.execPath, [TOUCHSTONE, 'trust', ...argv, '--ca', authority.certificate], {
      environment,
      cwd: this.folder.path,
    });
  }

  async must(...argv: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run(...argv);
    if (status === 0) return stdout;
    throw new Error(`trust ${argv.join(' ')}: exit ${status}\n${stderr}${stdout}`);
  }

  async json(...argv: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
    return JSON.parse(await this.must(...argv, '--json')) as Record<string, unknown>;
  }

  /** Exit status and error code. */
  async refusal(...argv: readonly string[]): Promise<readonly unknown[]> {
    const { status, stdout, stderr } = await this.run(...argv, '--json');
    const { error } = JSON.parse(stdout === '' ? stderr : stdout) as {
      readonly error: { readonly code: string };
    };
    return [status, error.code];
  }

  [Symbol.dispose](): void {
    this.folder[Symbol.dispose]();
  }
}
