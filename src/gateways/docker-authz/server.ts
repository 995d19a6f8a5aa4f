/** The plugin as the engine sees it: three paths of HTTP on a Unix socket. Whatever goes wrong here is a refusal. */
import { once } from 'node:events';
import { lstatSync, unlinkSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { AgentError, asAgentError } from '../../errors/agent-error.js';
import { errnoOf } from '../../platform/errno.js';
import { readEngineRequest, type EngineRequest } from './request.js';
import type { RequestJudge, RequestVerdict } from './request-judge.js';

/** The engine passes on bodies below 1 MiB, as base64, and headers. */
const MAX_BYTES = 4 * 1024 * 1024;
const CONTENT_TYPE = 'application/vnd.docker.plugins.v1.1+json';

export type Note = (what: string, facts: Readonly<Record<string, unknown>>) => void;

export class AuthzServer implements AsyncDisposable {
  readonly #http: Server;
  readonly #judge: RequestJudge;
  readonly #note: Note;

  private constructor(judge: RequestJudge, note: Note) {
    this.#judge = judge;
    this.#note = note;
    this.#http = createServer((request, response) => {
      void this.#answer(request, response);
    });
  }

  /** @param place path of the socket, or the descriptor of one that listens already @throws AgentError `gateway.listen` */
  static async listen(place: string | number, judge: RequestJudge, note: Note): Promise<AuthzServer> {
    if (typeof place === 'string') await removeStale(place);
    const server = new AuthzServer(judge, note);
    server.#http.listen(typeof place === 'string' ? { path: place } : { fd: place });
    try {
      await once(server.#http, 'listening');
    } catch (cause) {
      throw listenError(place, errnoOf(cause), cause);
    }
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#http, 'close');
    this.#http.close();
    this.#http.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      send(response, await this.#document(request));
    } catch (thrown) {
      const { message } = asAgentError(thrown);
      this.#note('failed', { message });
      // The engine refuses on any error of its plugin.
      send(response, { Allow: false, Err: message });
    }
  }

  async #document(request: IncomingMessage): Promise<object> {
    switch (request.url) {
      case '/Plugin.Activate':
        request.resume();
        return { Implements: ['authz'] };
      case '/AuthZPlugin.AuthZReq': {
        const asked = readEngineRequest(await readBody(request));
        const verdict = await this.#judge.judge(asked);
        this.#record(asked, verdict);
        return verdict.allowed ? { Allow: true } : { Allow: false, Msg: verdict.reason };
      }
      case '/AuthZPlugin.AuthZRes':
        // What the engine has done is done.
        request.resume();
        return { Allow: true };
      default:
        request.resume();
        throw new AgentError('usage.invalid', { message: 'the plugin has no such call' });
    }
  }

  #record({ method, uri, user }: EngineRequest, { allowed, reason }: RequestVerdict): void {
    if (reason === '') return;
    const mark = uri.indexOf('?');
    const path = mark === -1 ? uri : uri.slice(0, mark);
    this.#note(allowed ? 'allowed' : 'refused', { user, method, path, reason });
  }
}

function send(response: ServerResponse, document: object): void {
  const text = JSON.stringify(document);
  response.writeHead(200, { 'content-type': CONTENT_TYPE, 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BYTES) throw new AgentError('limits.frame-too-large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** A socket that nobody listens on is what a killed plugin leaves behind. */
async function removeStale(path: string): Promise<void> {
  const facts = lstatSync(path, { throwIfNoEntry: false });
  if (facts === undefined) return;
  if (!facts.isSocket()) throw listenError(path, 'it exists and is not a socket');
  if (await isServed(path)) throw listenError(path, 'another program listens there');
  unlinkSync(path);
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}

function listenError(place: string | number, what: string, cause?: unknown): AgentError {
  return new AgentError('gateway.listen', {
    message: `listening on ${typeof place === 'string' ? place : 'the inherited socket'}: ${what}`,
    hint: 'stop the plugin that runs, or set socket in docker-authz.toml; its folder has to exist',
    cause,
  });
}
