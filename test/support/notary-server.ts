/** The real notary-server of the Debian package notary, over TLS on a free port; metadata in memory, or in a PostgreSQL of the test. */
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { BackgroundProgram } from './background-program.js';
import { startOnFreePort } from './free-port.js';
import { TempFolder } from './temp-folder.js';
import type { TestAuthority } from './test-authority.js';
import type { TokenServer } from './token-server.js';

/** Where timestamp and snapshot keys live: a signer on a port of this machine, or the server's own memory. */
export type TrustService =
  'local' | { readonly port: number; readonly algorithm?: 'ecdsa' | 'ed25519' | 'rsa' | undefined };

export interface NotaryServerOptions {
  readonly authority: TestAuthority;
  readonly trustService: TrustService;
  readonly tokens?: TokenServer | undefined;
  /** `postgres://…`; in memory when left out. */
  readonly database?: string | undefined;
}

/** What it answers to a plain request. */
export interface ServerAnswer {
  readonly status: number;
  readonly text: string;
}

const ANSWER_MS = 5_000;

export class NotaryServer implements AsyncDisposable {
  /** `https://localhost:PORT`. */
  readonly url: string;
  /** `localhost:PORT`. */
  readonly host: string;
  readonly authority: TestAuthority;
  readonly #folder: TempFolder;
  readonly #program: BackgroundProgram;

  private constructor(
    port: number,
    authority: TestAuthority,
    folder: TempFolder,
    program: BackgroundProgram,
  ) {
    this.host = `localhost:${port}`;
    this.url = `https://${this.host}`;
    this.authority = authority;
    this.#folder = folder;
    this.#program = program;
  }

  static async start(options: NotaryServerOptions): Promise<NotaryServer> {
    const { authority } = options;
    const folder = new TempFolder();
    try {
      return await startOnFreePort(async (port) => {
        const config = folder.join('server.json');
        writeFileSync(config, JSON.stringify(configuration(port, options)));
        const ca = readFileSync(authority.certificate);
        const program = await BackgroundProgram.start({
          program: 'notary-server',
          argv: ['-config', config],
          isReady: () => answers(port, ca),
        });
        return new NotaryServer(port, authority, folder, program);
      });
    } catch (failure) {
      folder[Symbol.dispose]();
      throw failure;
    }
  }

  /** Asks it for a path, for example `/_notary_server/health`. */
  get(path: string): Promise<ServerAnswer> {
    return get(Number(new URL(this.url).port), readFileSync(this.authority.certificate), path);
  }

  /** Its log so far, JSON lines. */
  get output(): string {
    return this.#program.output;
  }

  tail(): string {
    return this.#program.tail();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program.stop();
    this.#folder[Symbol.dispose]();
  }
}

function configuration(port: number, options: NotaryServerOptions): object {
  const { authority, trustService, tokens, database } = options;
  const files = authority.server('notary-server');
  return {
    server: {
      http_addr: `127.0.0.1:${port}`,
      tls_cert_file: files.certificate,
      tls_key_file: files.key,
    },
    trust_service: trustService === 'local' ? { type: 'local' } : remote(authority, trustService),
    logging: { level: 'info' },
    storage: database === undefined ? { backend: 'memory' } : { backend: 'postgres', db_url: database },
    ...(tokens === undefined ? {} : { auth: { type: 'token', options: tokens.settings } }),
  };
}

function remote(authority: TestAuthority, service: Exclude<TrustService, 'local'>): object {
  const client = authority.client('notary-server-client');
  return {
    type: 'remote',
    hostname: 'localhost',
    port: String(service.port),
    key_algorithm: service.algorithm ?? 'ecdsa',
    tls_ca_file: authority.certificate,
    tls_client_cert: client.certificate,
    tls_client_key: client.key,
  };
}

/** 200 without authentication, 401 with. */
async function answers(port: number, ca: Buffer): Promise<boolean> {
  const { status } = await get(port, ca, '/v2/').catch(() => ({ status: 0 }));
  return status === 200 || status === 401;
}

async function get(port: number, ca: Buffer, path: string): Promise<ServerAnswer> {
  const sent = request({ host: 'localhost', port, path, ca, timeout: ANSWER_MS, agent: false });
  sent.on('timeout', () => sent.destroy(new Error('the notary-server does not answer')));
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') };
}
