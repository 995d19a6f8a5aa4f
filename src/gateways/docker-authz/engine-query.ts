/** Questions to the engine, over its own socket: GET requests, which the plugin lets pass like every other. */
import { request, type IncomingMessage } from 'node:http';
import { parseJsonStrict } from '../../encoding/json.js';
import { AgentError } from '../../errors/agent-error.js';
import { isJsonObject } from '../../formats/json-object.js';
import { errnoOf } from '../../platform/errno.js';
import type { LocalContainers, LocalDigests } from './image-judge.js';

const MAX_BYTES = 4 * 1024 * 1024;

/** @param socket of the engine, absolute */
export function localDigestsOf(socket: string, timeoutMs: number): LocalDigests {
  return async (reference) => {
    const image = await ask(socket, `/images/${reference}/json`, timeoutMs);
    const digests = image?.['RepoDigests'];
    if (image === undefined) return undefined;
    if (Array.isArray(digests)) return digests.filter((one) => typeof one === 'string');
    throw failure('its answer is no image');
  };
}

/** @param socket of the engine, absolute */
export function localContainersOf(socket: string, timeoutMs: number): LocalContainers {
  return async (reference) => {
    const container = await ask(socket, `/containers/${reference}/json`, timeoutMs);
    if (container === undefined) return undefined;
    const { Id: id, Image: image, HostConfig: host } = container;
    if (typeof id === 'string' && typeof image === 'string') return { id, image, host };
    throw failure('its answer is no container');
  };
}

/** The object that it answers, undefined for 404. */
async function ask(
  socket: string,
  path: string,
  timeoutMs: number,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const { status, body } = await get(socket, path, timeoutMs);
  if (status === 404) return undefined;
  const value = status === 200 ? parseJsonStrict(body, 'reading an answer of the engine') : undefined;
  if (isJsonObject(value)) return value;
  throw failure(`it answered ${status}`);
}

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

function get(socketPath: string, path: string, timeoutMs: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path, method: 'GET', headers: { host: 'docker' } });
    const timer = setTimeout(() => outgoing.destroy(failure('no answer in time')), timeoutMs);
    outgoing.on('response', (reply) => {
      readAll(reply).then(
        (body) => {
          clearTimeout(timer);
          resolve({ status: reply.statusCode ?? 0, body });
        },
        (cause: unknown) => {
          outgoing.destroy(cause instanceof AgentError ? cause : failure(errnoOf(cause)));
        },
      );
    });
    outgoing.on('error', (cause) => {
      clearTimeout(timer);
      reject(cause instanceof AgentError ? cause : failure(errnoOf(cause)));
    });
    outgoing.end();
  });
}

async function readAll(reply: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of reply as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BYTES) throw failure('its answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function failure(what: string): AgentError {
  return new AgentError('usage.file', { message: `asking the engine: ${what}` });
}
