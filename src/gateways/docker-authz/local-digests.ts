/** Asking the engine under which digests it has an image: one GET, which a plugin lets pass like every other. */
import { request, type IncomingMessage } from 'node:http';
import { parseJsonStrict } from '../../encoding/json.js';
import { AgentError } from '../../errors/agent-error.js';
import { isJsonObject } from '../../formats/json-object.js';
import { errnoOf } from '../../platform/errno.js';
import type { LocalDigests } from './image-judge.js';

const MAX_BYTES = 4 * 1024 * 1024;

/** @param socket of the engine, absolute */
export function localDigestsOf(socket: string, timeoutMs: number): LocalDigests {
  return async (reference) => {
    const { status, body } = await ask(socket, `/images/${reference}/json`, timeoutMs);
    if (status === 404) return undefined;
    const value = status === 200 ? parseJsonStrict(body, 'reading an image of the engine') : undefined;
    const digests = isJsonObject(value) ? value['RepoDigests'] : undefined;
    if (Array.isArray(digests)) return digests.filter((one) => typeof one === 'string');
    throw failure(`it answered ${status}`);
  };
}

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

function ask(socketPath: string, path: string, timeoutMs: number): Promise<Answer> {
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
  return new AgentError('usage.file', { message: `asking the engine for its image: ${what}` });
}
