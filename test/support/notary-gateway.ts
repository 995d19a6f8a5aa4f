/** `touchstone gateway notary-signer` in front of a demo agent, as a program of its own. */
import { BackgroundProgram } from './background-program.js';
import { TOUCHSTONE, type DemoAgent } from './demo-agent.js';
import type { KeyPairFiles, TestAuthority } from './test-authority.js';

export interface NotaryGatewayOptions {
  readonly agent: DemoAgent;
  readonly authority: TestAuthority;
  /** A free one when left out. */
  readonly port?: number | undefined;
  /** Further words of its command line. */
  readonly argv?: readonly string[] | undefined;
}

export class NotaryGateway implements AsyncDisposable {
  readonly port: number;
  readonly #program: BackgroundProgram;

  private constructor(port: number, program: BackgroundProgram) {
    this.port = port;
    this.#program = program;
  }

  static async start(options: NotaryGatewayOptions): Promise<NotaryGateway> {
    const { agent, authority, port = 0, argv = [] } = options;
    const files: KeyPairFiles = authority.server('gateway');
    const words = ['gateway', 'notary-signer', '--listen', `127.0.0.1:${port}`, ...argv];
    const tls = [
      '--tls-cert',
      files.certificate,
      '--tls-key',
      files.key,
      '--client-ca',
      authority.certificate,
    ];
    const program = await BackgroundProgram.start({
      program: process.execPath,
      argv: [TOUCHSTONE, ...words, ...tls],
      environment: agent.environment,
      isReady: (output) => portOf(output) !== undefined,
    });
    return new NotaryGateway(portOf(program.output) ?? 0, program);
  }

  /** Its log so far. */
  log(): readonly Readonly<Record<string, unknown>>[] {
    const lines = this.#program.output.split('\n').filter((line) => line.startsWith('{'));
    return lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  }

  tail(): string {
    return this.#program.tail();
  }

  get hasEnded(): boolean {
    return this.#program.hasEnded;
  }

  /** Tells it to stop, and returns when it is gone. */
  stop(): Promise<void> {
    return this.#program.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function portOf(output: string): number | undefined {
  const digits = /"port":(\d+),"msg":"listening"/.exec(output)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
