/** What a notary-server says when it does not do what it was asked: `{"errors":[{"code","message","detail"}]}`. */
import { parseJsonStrict } from '../encoding/json.js';
import { printable } from '../encoding/utf8.js';
import { AgentError } from '../errors/agent-error.js';
import { isJsonObject } from '../formats/json-object.js';
import type { HttpReply } from '../registry/http.js';

const MAX_WORDS = 300;
const SERVER_FAILURE = 500;

/** `notary.conflict` for a version that is not above the stored one, `notary.reply` for a server that failed, else `notary.rejected`, with its words. */
export function rejectionOf(repository: string, reply: HttpReply): AgentError {
  const first = firstError(reply.body);
  const code = codeOf(first);
  if (code === 'VERSION') {
    return new AgentError('notary.conflict', {
      message: `publishing ${repository}: somebody else has published in the meantime`,
    });
  }
  const words = wordsOf(first);
  // What fails inside the server says nothing about what it was given.
  return new AgentError(reply.status >= SERVER_FAILURE ? 'notary.reply' : 'notary.rejected', {
    message: `asking the trust server about ${repository}: it said ${words === '' ? `status ${reply.status}` : words}`,
    details: { status: reply.status, serverCode: printable(code, MAX_WORDS) },
  });
}

/** Whether the answer is a notary-server's own for metadata that it does not have: anything on the web answers 404. */
export function saysNotFound({ status, body }: HttpReply): boolean {
  return status === 404 && codeOf(firstError(body)) === 'METADATA_NOT_FOUND';
}

function codeOf({ code }: Readonly<Record<string, unknown>>): string {
  return typeof code === 'string' ? code : '';
}

function wordsOf(error: Readonly<Record<string, unknown>>): string {
  const { message, detail } = error;
  const inner = isJsonObject(detail) ? detail : {};
  const reason = isJsonObject(inner['Error']) ? inner['Error']['Msg'] : detail;
  const texts = [message, inner['Name'], reason].filter((one) => typeof one === 'string' && one !== '');
  return printable([...new Set(texts)].join(': '), MAX_WORDS);
}

function firstError(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value = parseJsonStrict(body, 'reading an error', 'notary.reply');
    const errors = isJsonObject(value) ? value['errors'] : undefined;
    const first: unknown = Array.isArray(errors) ? errors[0] : undefined;
    return isJsonObject(first) ? first : {};
  } catch {
    return {};
  }
}
