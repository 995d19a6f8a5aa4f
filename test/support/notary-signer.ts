/** The real notary-signer of the Debian package notary, keys in memory. */
import { writeFileSync } from 'node:fs';
import { BackgroundProgram } from './background-program.js';
import { startOnFreePort } from './free-port.js';
import { isListening } from './listening.js';
import { TempFolder } from './temp-folder.js';
import type { TestAuthority } from './test-authority.js';

export class NotarySigner implements AsyncDisposable {
  readonly port: number;
  readonly #folder: TempFolder;
  readonly #program: BackgroundProgram;

  private constructor(port: number, folder: TempFolder, program: BackgroundProgram) {
    this.port = port;
    this.#folder = folder;
    this.#program = program;
  }

  static async start(authority: TestAuthority): Promise<NotarySigner> {
    const folder = new TempFolder();
    const files = authority.server('notary-signer');
    try {
      return await startOnFreePort(async (port) => {
        const config = folder.join('signer.json');
        writeFileSync(
          config,
          JSON.stringify({
            server: {
              grpc_addr: `127.0.0.1:${port}`,
              tls_cert_file: files.certificate,
              tls_key_file: files.key,
              client_ca_file: authority.certificate,
            },
            logging: { level: 'info' },
            storage: { backend: 'memory' },
          }),
        );
        const program = await BackgroundProgram.start({
          program: 'notary-signer',
          argv: ['-config', config],
          isReady: () => isListening(port),
        });
        return new NotarySigner(port, folder, program);
      });
    } catch (failure) {
      folder[Symbol.dispose]();
      throw failure;
    }
  }

  tail(): string {
    return this.#program.tail();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program.stop();
    this.#folder[Symbol.dispose]();
  }
}
