/** Talking to one server about one repository: authorization, redirects, another try, errors. What is said is in `repository.ts`. */
import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { AgentError } from '../errors/agent-error.js';
import { authorize } from './authorization.js';
import { parseChallenge } from './challenge.js';
import { findCredential, type ConfigPlace } from './docker-config.js';
import { httpCall, type HttpMethod, type HttpReply } from './http.js';
import type { Service } from './service.js';

const RETRY_PAUSES_MS = [50, 150, 450] as const;
const MAX_REDIRECTS = 3;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export interface SessionTarget {
  readonly service: Service;
  /** For messages, `HOST/NAME`. */
  readonly name: string;
  /** Paths are below it; ends in a slash. */
  readonly base: URL;
  /** Whose credentials are used, as references write it. */
  readonly registry: string;
  /** As token scopes name it. */
  readonly scopeName: string;
  /** PEM, trusted beside the usual authorities. */
  readonly ca?: string | undefined;
  /** Absolute time for everything that is asked, milliseconds since the epoch. */
  readonly deadline: number;
  readonly place: ConfigPlace;
}

/** Actions of a token. */
export type SessionScope = 'pull' | 'pull,push' | '*';

export interface SessionCall {
  readonly method: HttpMethod;
  /** Below the base, or a whole address that the server named. */
  readonly path: string | URL;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Buffer | undefined;
  readonly maxBytes: number;
  /** `pull` for GET and HEAD, `pull,push` for the rest when left out. */
  readonly scope?: SessionScope | undefined;
  /** What was sent may have been done although the answer says trouble: it is not sent twice. */
  readonly once?: true | undefined;
}

export class ServerSession {
  readonly #target: SessionTarget;
  readonly #tokens = new Map<SessionScope, string>();

  constructor(target: SessionTarget) {
    this.#target = target;
  }

  /** For messages. */
  get name(): string {
    return this.#target.name;
  }

  /** Address of a path below the base, or of what the server named relative to it. */
  resolve(path: string): URL {
    return new URL(path, this.#target.base);
  }

  /**
   * Asks, authorizing and following redirects as needed; any status below 500 except 401 and 403 is an answer.
   * @throws AgentError `denied`, `unreachable`, `reply` of the service, `limits.deadline`
   */
  async call(call: SessionCall): Promise<HttpReply> {
    const isReading = call.method === 'GET' || call.method === 'HEAD';
    const scope = call.scope ?? (isReading ? 'pull' : 'pull,push');
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
    const { service, name } = this.#target;
    return new AgentError(service.reply, {
      message: `${what} at ${name}: the ${service.noun} answered with status ${status}`,
      details: { status },
    });
  }

  /** Asks again after trouble that passes; an upload that was begun cannot be sent twice. */
  async #try(call: SessionCall, url: URL, scope: SessionScope): Promise<HttpReply> {
    const pauses = typeof call.path === 'string' && call.once !== true ? RETRY_PAUSES_MS : [];
    for (const pause of pauses) {
      const reply = await this.#follow(call, url, this.#tokens.get(scope));
      if (!isPassing(reply.status)) return reply;
      await delay(pause + randomInt(pause));
    }
    return this.#follow(call, url, this.#tokens.get(scope));
  }

  async #follow(call: SessionCall, start: URL, authorization: string | undefined): Promise<HttpReply> {
    const { service, base, deadline, ca } = this.#target;
    let url = start;
    for (let hops = 0; ; hops += 1) {
      const isHome = url.origin === base.origin;
      const own: Record<string, string> = isHome && authorization !== undefined ? { authorization } : {};
      const { method, body, maxBytes } = call;
      const headers = { ...call.headers, ...own };
      const reply = await httpCall({ service, method, url, headers, body, deadline, maxBytes, ca });
      const { location } = reply.headers;
      if (!REDIRECTS.has(reply.status) || location === undefined) return reply;
      const next = new URL(location, url);
      const isDowngrade = url.protocol === 'https:' && next.protocol !== 'https:';
      if (body !== undefined || isDowngrade || hops === MAX_REDIRECTS) {
        throw this.unexpected('following a redirect', reply.status);
      }
      url = next;
    }
  }

  async #authorization(reply: HttpReply, scope: SessionScope): Promise<string> {
    const { service, base, registry, scopeName, ca, deadline, place } = this.#target;
    const challenge = parseChallenge(reply.headers['www-authenticate'] ?? '');
    if (challenge === undefined) throw this.#denied(reply.status, scope);
    return authorize({
      service,
      challenge,
      credential: await findCredential(registry, place),
      scope: `repository:${scopeName}:${scope}`,
      server: base,
      deadline,
      ca,
    });
  }

  #denied(status: number, scope: SessionScope): AgentError {
    const { service, name, registry } = this.#target;
    const words = { pull: 'pull', 'pull,push': 'push', '*': 'administer' } as const;
    return new AgentError(service.denied, {
      message: `${name}: the ${service.noun} does not allow to ${words[scope]} (status ${status})`,
      hint: `log in with "docker login ${registry}", then try again`,
      details: { status },
    });
  }
}

/** docker-registry answers 500 for a blob that somebody else is just storing. */
function isPassing(status: number): boolean {
  return status === 429 || status >= 500;
}
