/**
 * A small registry after the OCI distribution specification 1.1, with the referrers API, in memory. It can ask for credentials the two
 * ways registries do, speak TLS, and be told to misbehave.
 */
import { createHash, randomUUID } from 'node:crypto';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface OciRegistryOptions {
  /** `user:password`, asked for directly or by way of a token. */
  readonly login?: { readonly kind: 'basic' | 'bearer'; readonly userPassword: string } | undefined;
  readonly tls?: { readonly key: string; readonly cert: string } | undefined;
  readonly referrers?: boolean | undefined;
  /** Blobs are handed out by way of a redirect to this origin. */
  readonly blobOrigin?: string | undefined;
  /** Called before each request; an answer of its own stands instead of the registry's. */
  readonly intercept?: ((method: string, path: string, response: ServerResponse) => boolean) | undefined;
}

interface StoredManifest {
  readonly type: string;
  readonly content: Buffer;
}

interface StoredRepository {
  readonly blobs: Map<string, Buffer>;
  readonly manifests: Map<string, StoredManifest>;
  readonly tags: Map<string, string>;
}

const TOKEN = 'a-token-of-the-test-registry';
const INDEX = 'application/vnd.oci.image.index.v1+json';

export class OciRegistry implements AsyncDisposable {
  /** `localhost:PORT`. */
  readonly host: string;
  /** `METHOD PATH authorization-scheme`, in the order they came. */
  readonly log: string[] = [];
  readonly #server: Server;
  readonly #options: OciRegistryOptions;
  readonly #repositories = new Map<string, StoredRepository>();

  private constructor(server: Server, options: OciRegistryOptions) {
    this.#server = server;
    this.#options = options;
    this.host = `localhost:${String((server.address() as AddressInfo).port)}`;
  }

  static async start(options: OciRegistryOptions = {}): Promise<OciRegistry> {
    const late: { registry?: OciRegistry } = {};
    const listener: RequestListener = (request, response) => {
      void late.registry?.serve(request, response);
    };
    const server =
      options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener);
    await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
    late.registry = new OciRegistry(server, options);
    return late.registry;
  }

  /** Content of a manifest by tag or digest. */
  manifest(name: string, reference: string): Buffer | undefined {
    const stored = this.#repository(name);
    return stored.manifests.get(stored.tags.get(reference) ?? reference)?.content;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', `http://${this.host}`);
    const method = request.method ?? '';
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const scheme = (request.headers.authorization ?? 'none').split(' ')[0] ?? 'none';
    this.log.push(`${method} ${url.pathname} ${scheme}`);
    if (this.#options.intercept?.(method, url.pathname, response) === true) return;
    if (url.pathname === '/token') this.#giveToken(request, response);
    else if (!this.#isAllowed(request)) this.#challenge(response);
    else this.#answer(method, url, { body, type: request.headers['content-type'] ?? '' }, response);
  }

  #answer(
    method: string,
    url: URL,
    sent: { readonly body: Buffer; readonly type: string },
    response: ServerResponse,
  ): void {
    const match = /^\/v2\/(.+)\/(manifests|blobs|referrers)\/(.*)$/.exec(url.pathname);
    const [, name = '', area = '', rest = ''] = match ?? [];
    const repository = this.#repository(name);
    if (area === 'manifests' && method === 'PUT') this.#putManifest(repository, rest, sent, response);
    else if (area === 'manifests') this.#getManifest(repository, rest, response);
    else if (area === 'blobs' && method === 'POST')
      response.writeHead(202, { location: `/v2/${name}/blobs/uploads/${randomUUID()}?state=x` }).end();
    else if (area === 'blobs' && method === 'PUT') putBlob(repository, url, sent.body, response);
    else if (area === 'blobs') this.#getBlob(repository, url, rest, response);
    else if (area === 'referrers' && this.#options.referrers !== false)
      listReferrers(repository, rest, response);
    else response.writeHead(404).end('{"errors":[]}');
  }

  #putManifest(
    repository: StoredRepository,
    reference: string,
    sent: { readonly body: Buffer; readonly type: string },
    response: ServerResponse,
  ): void {
    const digest = digestOf(sent.body);
    const fields = JSON.parse(sent.body.toString('utf8')) as {
      readonly subject?: { readonly digest: string };
    };
    repository.manifests.set(digest, { type: sent.type, content: sent.body });
    if (!reference.startsWith('sha256:')) repository.tags.set(reference, digest);
    const isListed = fields.subject !== undefined && this.#options.referrers !== false;
    const subject = isListed ? { 'oci-subject': fields.subject.digest } : {};
    response.writeHead(201, { 'docker-content-digest': digest, ...subject }).end();
  }

  #getManifest(repository: StoredRepository, reference: string, response: ServerResponse): void {
    const stored = repository.manifests.get(repository.tags.get(reference) ?? reference);
    if (stored === undefined) response.writeHead(404).end('{"errors":[]}');
    else response.writeHead(200, { 'content-type': stored.type }).end(stored.content);
  }

  #getBlob(repository: StoredRepository, url: URL, digest: string, response: ServerResponse): void {
    const { blobOrigin } = this.#options;
    const blob = repository.blobs.get(digest);
    if (blob === undefined) response.writeHead(404).end();
    else if (blobOrigin !== undefined)
      response.writeHead(307, { location: new URL(url.pathname, blobOrigin).href }).end();
    else response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(blob);
  }

  #isAllowed(request: IncomingMessage): boolean {
    const { login } = this.#options;
    if (login === undefined) return true;
    const wanted = login.kind === 'bearer' ? `Bearer ${TOKEN}` : basic(login.userPassword);
    return request.headers.authorization === wanted;
  }

  #challenge(response: ServerResponse): void {
    const scheme = this.#options.tls === undefined ? 'http' : 'https';
    const header =
      this.#options.login?.kind === 'bearer'
        ? `Bearer realm="${scheme}://${this.host}/token",service="test \\"registry\\"",scope="x"`
        : 'Basic realm="test"';
    response.writeHead(401, { 'www-authenticate': header }).end('{"errors":[]}');
  }

  #giveToken(request: IncomingMessage, response: ServerResponse): void {
    const isKnown = request.headers.authorization === basic(this.#options.login?.userPassword ?? '');
    if (isKnown) response.writeHead(200).end(JSON.stringify({ token: TOKEN }));
    else response.writeHead(401).end('{}');
  }

  #repository(name: string): StoredRepository {
    const known = this.#repositories.get(name);
    if (known !== undefined) return known;
    const made: StoredRepository = { blobs: new Map(), manifests: new Map(), tags: new Map() };
    this.#repositories.set(name, made);
    return made;
  }
}

function putBlob(repository: StoredRepository, url: URL, body: Buffer, response: ServerResponse): void {
  const digest = url.searchParams.get('digest') ?? '';
  if (digestOf(body) !== digest || url.searchParams.get('state') !== 'x') {
    response.writeHead(400).end();
    return;
  }
  repository.blobs.set(digest, body);
  response.writeHead(201).end();
}

function listReferrers(repository: StoredRepository, digest: string, response: ServerResponse): void {
  const manifests = [...repository.manifests].flatMap(([own, { type, content }]) => {
    const fields = JSON.parse(content.toString('utf8')) as {
      readonly subject?: { readonly digest: string };
      readonly artifactType?: string;
      readonly annotations?: object;
    };
    if (fields.subject?.digest !== digest) return [];
    const { artifactType, annotations } = fields;
    return [{ mediaType: type, digest: own, size: content.length, artifactType, annotations }];
  });
  const index = JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests });
  response.writeHead(200, { 'content-type': INDEX }).end(index);
}

function digestOf(content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

function basic(userPassword: string): string {
  return `Basic ${Buffer.from(userPassword).toString('base64')}`;
}
