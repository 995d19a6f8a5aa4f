/** `touchstone gateway notary-signer` in front of a demo agent, as a program of its own. */
import { chmodSync, chownSync, copyFileSync } from 'node:fs';
import { BackgroundProgram } from './background-program.js';
import { TOUCHSTONE, type DemoAgent } from './demo-agent.js';
import { TempFolder } from './temp-folder.js';
import type { TestAuthority } from './test-authority.js';

export interface NotaryGatewayOptions {
  readonly agent: DemoAgent;
  readonly authority: TestAuthority;
  /** Further words of its command line. */
  readonly argv?: readonly string[] | undefined;
  /** User that it runs as; needs root. */
  readonly uid?: number | undefined;
}

export class NotaryGateway implements AsyncDisposable {
  readonly port: number;
  readonly #program: BackgroundProgram;
  readonly #folder: TempFolder;

  private constructor(port: number, program: BackgroundProgram, folder: TempFolder) {
    this.port = port;
    this.#program = program;
    this.#folder = folder;
  }

  static async start(options: NotaryGatewayOptions): Promise<NotaryGateway> {
    const { agent, argv = [], uid } = options;
    const folder = new TempFolder();
    try {
      const command = [process.execPath, TOUCHSTONE, 'gateway', 'notary-signer', '--listen', '127.0.0.1:0'];
      const as =
        uid === undefined ? ['env'] : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
      const [program = '', ...words] = [...as, ...command, ...tlsOptions(folder, options), ...argv];
      const own = { TOUCHSTONE_SOCK: agent.socket, HOME: '/nonexistent' };
      const running = await BackgroundProgram.start({
        program,
        argv: words,
        environment: uid === undefined ? agent.environment : { ...process.env, ...own },
        isReady: (output) => portOf(output) !== undefined,
      });
      return new NotaryGateway(portOf(running.output) ?? 0, running, folder);
    } catch (failure) {
      folder[Symbol.dispose]();
      throw failure;
    }
  }

  /** Its log so far. */
  log(): readonly Readonly<Record<string, unknown>>[] {
    const lines = this.#program.output.split('\n').filter((line) => line.startsWith('{'));
    return lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  }

  /** Process id; the words in front of the command become the gateway itself. */
  get pid(): number {
    return this.#program.pid;
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
    this.#folder[Symbol.dispose]();
  }
}

/** Copies, which may belong to another user than the authority of the test. */
function tlsOptions(folder: TempFolder, { authority, uid }: NotaryGatewayOptions): readonly string[] {
  const { certificate, key } = authority.server('gateway');
  const files = { 'tls-cert': certificate, 'tls-key': key, 'client-ca': authority.certificate };
  if (uid !== undefined) chmodSync(folder.path, 0o711);
  return Object.entries(files).flatMap(([name, file]) => {
    const copy = folder.join(name);
    copyFileSync(file, copy);
    if (uid !== undefined) chownSync(copy, uid, uid);
    return [`--${name}`, copy];
  });
}

function portOf(output: string): number | undefined {
  const digits = /"port":(\d+),"msg":"listening"/.exec(output)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
