/**
 * A token server as registries and notary-servers name it in their challenges: basic authentication in, a JWT (ES256, with its
 * certificate in `x5c`) out. One server for both kinds of services.
 */
import { randomUUID, sign, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { KeyPairFiles, TestAuthority } from './test-authority.js';

const ISSUER = 'touchstone-tests';
const SERVICE = 'touchstone-test-service';
const LIFE_SECONDS = 300;

/** What somebody may do with a repository: `pull`, `push`, `*`. */
type Action = string;

export interface TokenServerOptions {
  readonly authority: TestAuthority;
  /** Password by user. */
  readonly users: Readonly<Record<string, string>>;
  /** Which of the actions asked for `user` gets; all when left out. Undefined is somebody without a login, who gets `pull` when left out. */
  readonly grant?:
    | ((user: string | undefined, repository: string, asked: readonly Action[]) => readonly Action[])
    | undefined;
}

/** As both configurations write it. */
export interface TokenSettings {
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  readonly rootcertbundle: string;
}

export class TokenServer implements AsyncDisposable {
  readonly settings: TokenSettings;
  /** `user scope`, in the order they were asked for; `-` is nobody. */
  readonly log: string[] = [];
  readonly #server: Server;
  readonly #options: TokenServerOptions;
  readonly #key: KeyPairFiles;

  private constructor(server: Server, options: TokenServerOptions, key: KeyPairFiles) {
    this.#server = server;
    this.#options = options;
    this.#key = key;
    this.settings = {
      realm: `https://localhost:${(server.address() as AddressInfo).port}/token`,
      service: SERVICE,
      issuer: ISSUER,
      rootcertbundle: options.authority.certificate,
    };
  }

  static async start(options: TokenServerOptions): Promise<TokenServer> {
    const files = options.authority.server('token-server');
    const late: { server?: TokenServer } = {};
    const pair = { cert: readFileSync(files.certificate), key: readFileSync(files.key) };
    const server = createServer(pair, (request, response) => {
      late.server?.answer(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
    late.server = new TokenServer(server, options, files);
    return late.server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const scopes = new URL(request.url ?? '/', this.settings.realm).searchParams.getAll('scope');
    const login = loginOf(request);
    if (login !== undefined && this.#options.users[login.user] !== login.password) {
      response.writeHead(401).end('{"details":"incorrect username or password"}');
      return;
    }
    const asked = scopes.flatMap((scope) => scope.split(' ')).filter((scope) => scope !== '');
    this.log.push(...asked.map((scope) => `${login?.user ?? '-'} ${scope}`));
    const token = this.#token(login?.user, asked);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ token, access_token: token, expires_in: LIFE_SECONDS }));
  }

  #token(user: string | undefined, scopes: readonly string[]): string {
    const seconds = Math.floor(Date.now() / 1000);
    const certificate = new X509Certificate(readFileSync(this.#key.certificate));
    const header = { typ: 'JWT', alg: 'ES256', x5c: [certificate.raw.toString('base64')] };
    const claims = {
      iss: ISSUER,
      sub: user ?? '',
      aud: SERVICE,
      exp: seconds + LIFE_SECONDS,
      nbf: seconds - 10,
      iat: seconds,
      jti: randomUUID(),
      access: scopes.flatMap((scope) => this.#access(user, scope)),
    };
    const text = [header, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    const key = { key: readFileSync(this.#key.key), dsaEncoding: 'ieee-p1363' } as const;
    return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`;
  }

  /** `repository:NAME:ACTIONS`, where the name may hold a port. */
  #access(user: string | undefined, scope: string): readonly object[] {
    const [, type, name, actions] = /^([a-z]+):(.+):([a-z*,]+)$/.exec(scope) ?? [];
    if (type === undefined || name === undefined || actions === undefined) return [];
    const asked = actions.split(',');
    const { grant } = this.#options;
    const given =
      grant?.(user, name, asked) ?? (user === undefined ? asked.filter((one) => one === 'pull') : asked);
    return given.length === 0 ? [] : [{ type, name, actions: given }];
  }
}

function loginOf(request: IncomingMessage): { readonly user: string; readonly password: string } | undefined {
  const [, encoded] = /^Basic (.+)$/.exec(request.headers.authorization ?? '') ?? [];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
