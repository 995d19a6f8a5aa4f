/** Talking to one repository of one registry: scheme, authorization, redirects, errors. What is said is in `repository.ts`. */
import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { AgentError } from '../errors/agent-error.js';
import { authorize } from './authorization.js';
import { parseChallenge } from './challenge.js';
import { findCredential, registryAuthority, type ConfigPlace } from './docker-config.js';
import { httpCall, type HttpReply } from './http.js';
import type { ImageReference } from './image-reference.js';

const RETRY_PAUSES_MS = [50, 150, 450] as const;
const MAX_REDIRECTS = 3;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** Docker's own registry answers under another name than the one people write. */
const DOCKER_HUB_HOST = 'registry-1.docker.io';

export interface SessionOptions extends ConfigPlace {
  /** Talk without TLS to registries that are not this machine. */
  readonly plainHttp?: boolean | undefined;
  /** PEM, trusted beside the usual authorities; with it a registry of this machine is asked over TLS as well. */
  readonly ca?: string | undefined;
  /** Absolute time for everything that is asked, milliseconds since the epoch. */
  readonly deadline: number;
}

export interface RegistryCall {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT';
  /** Below `/v2/NAME/`, or a whole address that the registry named. */
  readonly path: string | URL;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Buffer | undefined;
  readonly maxBytes: number;
}

export class RegistrySession {
  /** `HOST/NAME`, for messages. */
  readonly name: string;
  readonly #base: URL;
  readonly #reference: ImageReference;
  readonly #options: SessionOptions;
  readonly #ca: string | undefined;
  readonly #tokens = new Map<string, string>();

  constructor(reference: ImageReference, options: SessionOptions) {
    const { registry, repository } = reference;
    this.name = `${registry}/${repository}`;
    this.#reference = reference;
    this.#options = options;
    this.#ca = options.ca ?? registryAuthority(registry, options);
    const host = registry === 'docker.io' ? DOCKER_HUB_HOST : registry;
    const isPlain = options.plainHttp === true || (isLoopback(registry) && this.#ca === undefined);
    this.#base = new URL(`${isPlain ? 'http' : 'https'}://${host}/v2/${repository}/`);
  }

  /** Address of a path below the repository, or of what the registry named relative to it. */
  resolve(path: string): URL {
    return new URL(path, this.#base);
  }

  /**
   * Asks, authorizing and following redirects as needed; any status below 500 except 401 and 403 is an answer.
   * @throws AgentError `registry.denied`, `registry.unreachable`, `registry.reply`, `limits.deadline`
   */
  async call(call: RegistryCall): Promise<HttpReply> {
    const scope = call.method === 'GET' || call.method === 'HEAD' ? 'pull' : 'pull,push';
    const url = typeof call.path === 'string' ? this.resolve(call.path) : call.path;
    let reply = await this.#try(call, url, scope);
    if (reply.status === 401) {
      this.#tokens.set(scope, await this.#authorization(reply, scope));
      reply = await this.#try(call, url, scope);
    }
    if (reply.status === 401 || reply.status === 403) throw this.#denied(reply.status, scope);
    if (isPassing(reply.status)) throw this.unexpected(call.method, reply.status);
    return reply;
  }

  /** The error for an answer that makes no sense here. */
  unexpected(what: string, status: number): AgentError {
    return new AgentError('registry.reply', {
      message: `${what} at ${this.name}: the registry answered with status ${status}`,
      details: { status },
    });
  }

  /** Asks again after trouble that passes; an upload that was begun cannot be sent twice. */
  async #try(call: RegistryCall, url: URL, scope: string): Promise<HttpReply> {
    const pauses = typeof call.path === 'string' ? RETRY_PAUSES_MS : [];
    for (const pause of pauses) {
      const reply = await this.#follow(call, url, this.#tokens.get(scope));
      if (!isPassing(reply.status)) return reply;
      await delay(pause + randomInt(pause));
    }
    return this.#follow(call, url, this.#tokens.get(scope));
  }

  async #follow(call: RegistryCall, start: URL, authorization: string | undefined): Promise<HttpReply> {
    let url = start;
    for (let hops = 0; ; hops += 1) {
      const isHome = url.origin === this.#base.origin;
      const own: Record<string, string> = isHome && authorization !== undefined ? { authorization } : {};
      const reply = await httpCall({
        method: call.method,
        url,
        headers: { ...call.headers, ...own },
        body: call.body,
        deadline: this.#options.deadline,
        maxBytes: call.maxBytes,
        ca: this.#ca,
      });
      const { location } = reply.headers;
      if (!REDIRECTS.has(reply.status) || location === undefined) return reply;
      const next = new URL(location, url);
      const isDowngrade = url.protocol === 'https:' && next.protocol !== 'https:';
      if (call.body !== undefined || isDowngrade || hops === MAX_REDIRECTS) {
        throw this.unexpected('following a redirect', reply.status);
      }
      url = next;
    }
  }

  async #authorization(reply: HttpReply, scope: string): Promise<string> {
    const challenge = parseChallenge(reply.headers['www-authenticate'] ?? '');
    if (challenge === undefined) throw this.#denied(reply.status, scope);
    return authorize({
      challenge,
      credential: await findCredential(this.#reference.registry, this.#options),
      scope: `repository:${this.#reference.repository}:${scope}`,
      registry: this.#base,
      deadline: this.#options.deadline,
      ca: this.#ca,
    });
  }

  #denied(status: number, scope: string): AgentError {
    return new AgentError('registry.denied', {
      message: `${this.name}: the registry does not allow to ${scope === 'pull' ? 'pull' : 'push'} (status ${status})`,
      hint: `log in with "docker login ${this.#reference.registry}", then try again`,
      details: { status },
    });
  }
}

/** docker-registry answers 500 for a blob that somebody else is just storing. */
function isPassing(status: number): boolean {
  return status === 429 || status >= 500;
}

function isLoopback(registry: string): boolean {
  const { hostname } = new URL(`http://${registry}`);
  return hostname === 'localhost' || hostname.startsWith('127.') || hostname === '[::1]';
}
