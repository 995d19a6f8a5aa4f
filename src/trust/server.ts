/** A notary-server, asked about one repository: files of metadata, uploads, and the keys that it keeps itself. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseJsonStrict } from '../encoding/json.js';
import { printable } from '../encoding/utf8.js';
import { AgentError } from '../errors/agent-error.js';
import { isJsonObject } from '../formats/json-object.js';
import { KEY_TYPES, publicKeyOf, type NotaryKey } from '../formats/notary1/key.js';
import type { ConfigPlace } from '../registry/docker-config.js';
import type { HttpReply } from '../registry/http.js';
import { isLoopback } from '../registry/registry-session.js';
import type { Service } from '../registry/service.js';
import { ServerSession } from '../registry/session.js';
import { multipart } from './multipart.js';
import { MAX_METADATA_BYTES, type FileChoice, type MetadataSource } from './metadata-source.js';
import { rejectionOf, saysNotFound } from './rejection.js';
import { registryOf } from './repository-name.js';

const TRUST_SERVICE: Service = {
  noun: 'trust server',
  authorityOption: '--ca',
  unreachable: 'notary.unreachable',
  denied: 'notary.denied',
  reply: 'notary.reply',
};

const MAX_TIMESTAMP_BYTES = 1024 * 1024;
const MAX_KEY_BYTES = 256 * 1024;
const MAX_ERROR_BYTES = 1024 * 1024;
const SHOWN_NAME = 200;
const DOCKER_HUB_SERVER = 'https://notary.docker.io';

export interface TrustServerOptions extends ConfigPlace {
  /** URL; TOUCHSTONE_TRUST_SERVER, DOCKER_CONTENT_TRUST_SERVER, else the host of the registry. */
  readonly server?: string | undefined;
  /** PEM, trusted beside the usual authorities. */
  readonly ca?: string | undefined;
  /** Talk without TLS to a server that is not this machine. */
  readonly plainHttp?: boolean | undefined;
  /** Absolute time for everything that is asked, milliseconds since the epoch. */
  readonly deadline: number;
}

/** The roles whose key a server can keep. */
export type ServerRole = 'timestamp' | 'snapshot';

export class TrustServer implements MetadataSource {
  readonly repository: string;
  readonly #session: ServerSession;

  /** Nothing is asked yet. @throws AgentError `usage.invalid` for a URL that cannot be used */
  constructor(repository: string, options: TrustServerOptions) {
    this.repository = repository;
    const url = serverUrl(repository, options);
    this.#session = new ServerSession({
      service: TRUST_SERVICE,
      name: `${repository} at ${url.host}`,
      base: baseOf(repository, url),
      registry: registryOf(repository),
      scopeName: repository,
      ca: options.ca ?? dockerAuthority(url, options),
      deadline: options.deadline,
      place: options,
    });
  }

  /**
   * A file of metadata as it is on the server, unverified; undefined when there is none.
   * @throws AgentError `notary.unreachable`, `notary.denied`, `notary.reply` also for a file that is too large
   */
  async fetch(role: string, { sha256, version, maxBytes }: FileChoice = {}): Promise<Buffer | undefined> {
    const limit = role === 'timestamp' ? MAX_TIMESTAMP_BYTES : MAX_METADATA_BYTES;
    // A cache in between may otherwise answer with what was current five minutes ago.
    const headers: Record<string, string> =
      sha256 === undefined && version === undefined ? { 'cache-control': 'no-cache' } : {};
    const reply = await this.#session.call({
      method: 'GET',
      path: fileName(role, sha256, version),
      headers,
      maxBytes: Math.min(limit, maxBytes ?? limit),
    });
    if (reply.status === 404) return undefined;
    if (reply.status !== 200) throw this.#session.unexpected(`reading ${role}`, reply.status);
    return reply.body;
  }

  /**
   * Whether the server itself says that it has no such repository.
   * @throws AgentError `notary.reply` for any other answer that is not a root, `notary.unreachable`, `notary.denied`
   */
  async isUnknown(): Promise<boolean> {
    const headers = { 'cache-control': 'no-cache' };
    const path = fileName('root', undefined, undefined);
    const reply = await this.#session.call({ method: 'GET', path, headers, maxBytes: MAX_METADATA_BYTES });
    if (reply.status === 200) return false;
    if (saysNotFound(reply)) return true;
    throw this.#session.unexpected('looking for the repository', reply.status);
  }

  /** Address and repository, for messages. */
  get name(): string {
    return this.#session.name;
  }

  /**
   * Uploads the files of roles, all or nothing.
   * @throws AgentError `notary.conflict` when a version is not above the stored one, `notary.rejected` with the server's words
   */
  async upload(parts: ReadonlyMap<string, Buffer>): Promise<void> {
    const { contentType, body } = multipart(parts);
    const reply = await this.#session.call({
      method: 'POST',
      path: '',
      headers: { 'content-type': contentType },
      body,
      maxBytes: MAX_ERROR_BYTES,
      once: true,
    });
    if (reply.status !== 200) throw rejectionOf(this.repository, reply);
  }

  /** The key that the server signs `role` with; it makes one where there is none. @throws AgentError `notary.…` */
  async serverKey(role: ServerRole): Promise<NotaryKey> {
    const path = `${role}.key`;
    return this.#key(
      role,
      await this.#session.call({ method: 'GET', path, maxBytes: MAX_KEY_BYTES, scope: 'pull,push' }),
    );
  }

  /** A new key of the server for `role`, in use once a root names it. @throws AgentError `notary.…` */
  async rotateServerKey(role: ServerRole): Promise<NotaryKey> {
    const path = `${role}.key`;
    const call = { method: 'POST', path, maxBytes: MAX_KEY_BYTES, scope: '*', once: true } as const;
    return this.#key(role, await this.#session.call(call));
  }

  /** Removes everything that the server has of the repository. @throws AgentError `notary.…` */
  async deleteAll(): Promise<void> {
    const reply = await this.#session.call({
      method: 'DELETE',
      path: '',
      maxBytes: MAX_ERROR_BYTES,
      scope: '*',
      once: true,
    });
    if (reply.status !== 200 && reply.status !== 404)
      throw this.#session.unexpected('deleting everything', reply.status);
  }

  #key(role: ServerRole, reply: HttpReply): NotaryKey {
    if (reply.status !== 200) throw rejectionOf(this.repository, reply);
    const what = `reading the ${role} key of the trust server`;
    const value = parseJsonStrict(reply.body, what, 'notary.reply');
    const { keytype, keyval } = isJsonObject(value) ? value : {};
    const held = isJsonObject(keyval) ? keyval['public'] : undefined;
    const known = KEY_TYPES.find((type) => type === keytype);
    if (known === undefined || typeof held !== 'string') {
      throw new AgentError('notary.reply', { message: `${what}: it is of no known form` });
    }
    const key: NotaryKey = { keytype: known, public: held };
    publicKeyOf(key);
    return key;
  }
}

function fileName(role: string, sha256: string | undefined, version: number | undefined): string {
  if (sha256 !== undefined) return `${role}.${sha256}.json`;
  return version === undefined ? `${role}.json` : `${version}.${role}.json`;
}

/** A name must not lead to another path of the server: keys of an agent may be of any name that is no file. */
function baseOf(repository: string, url: URL): URL {
  const path = `v2/${repository}/_trust/tuf/`;
  const base = new URL(path, url);
  if (!repository.startsWith('/') && base.pathname === `${url.pathname}${path}`) return base;
  throw new AgentError('usage.invalid', {
    message: `the repository ${JSON.stringify(printable(repository, SHOWN_NAME))} is none that a trust server could have`,
  });
}

/** Ends in a slash, so that paths can be put below. */
function serverUrl(repository: string, options: TrustServerOptions): URL {
  const named = [
    options.server,
    options.env['TOUCHSTONE_TRUST_SERVER'],
    options.env['DOCKER_CONTENT_TRUST_SERVER'],
  ];
  const text = named.find((one) => one !== undefined && one !== '') ?? defaultServer(repository, options);
  const url = URL.canParse(text) ? new URL(text.endsWith('/') ? text : `${text}/`) : undefined;
  const isWeb = url?.protocol === 'https:' || url?.protocol === 'http:';
  if (url === undefined || !isWeb || url.username !== '' || url.search !== '' || url.hash !== '') {
    throw new AgentError('usage.invalid', {
      message: 'the address of the trust server is not a plain https URL',
      hint: 'write for example --server https://notary.example',
    });
  }
  if (url.protocol === 'http:' && options.plainHttp !== true && !isLoopback(url.host)) {
    throw new AgentError('usage.invalid', {
      message: `the trust server ${url.host} would be asked without TLS`,
      hint: 'write https://, or add --plain-http when the network is trusted',
    });
  }
  return url;
}

function defaultServer(repository: string, { plainHttp }: TrustServerOptions): string {
  const registry = registryOf(repository);
  if (registry === 'docker.io') return DOCKER_HUB_SERVER;
  return `${plainHttp === true ? 'http' : 'https'}://${registry}`;
}

/** The authority that docker keeps for a trust server: `tls/HOST:PORT/ca.crt` in its folder. */
function dockerAuthority(url: URL, { env, home }: ConfigPlace): string | undefined {
  const folder = env['DOCKER_CONFIG'] ?? '';
  try {
    return readFileSync(
      join(folder === '' ? join(home, '.docker') : folder, 'tls', url.host, 'ca.crt'),
      'utf8',
    );
  } catch {
    return undefined;
  }
}
