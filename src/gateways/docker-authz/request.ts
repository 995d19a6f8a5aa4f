/** What the engine tells an authorization plugin about a request. */
import { parseJsonStrict } from '../../encoding/json.js';
import { AgentError } from '../../errors/agent-error.js';
import { isJsonObject } from '../../formats/json-object.js';

export interface EngineRequest {
  readonly method: string;
  /** As in the request line: path and query. */
  readonly uri: string;
  /** Who asked, where clients show certificates; empty otherwise. */
  readonly user: string;
  /** Empty also when the engine had one and did not pass it on. */
  readonly body: Buffer;
  readonly contentType: string;
}

const WHAT = 'reading what the engine asks';
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** @throws AgentError `usage.invalid` */
export function readEngineRequest(bytes: Buffer): EngineRequest {
  const value = parseJsonStrict(bytes, WHAT);
  if (!isJsonObject(value)) throw new AgentError('usage.invalid', { message: `${WHAT}: no object` });
  const body = textOf(value, 'RequestBody');
  if (!BASE64.test(body))
    throw new AgentError('usage.invalid', { message: `${WHAT}: RequestBody is not base64` });
  return {
    method: textOf(value, 'RequestMethod'),
    uri: textOf(value, 'RequestUri'),
    user: textOf(value, 'User'),
    body: Buffer.from(body, 'base64'),
    contentType: contentTypeOf(value['RequestHeaders']),
  };
}

function textOf(value: Readonly<Record<string, unknown>>, name: string): string {
  const field = value[name] ?? '';
  if (typeof field === 'string') return field;
  throw new AgentError('usage.invalid', { message: `${WHAT}: ${name} is not a string` });
}

function contentTypeOf(headers: unknown): string {
  if (!isJsonObject(headers)) return '';
  const values = Object.entries(headers).filter(([name]) => name.toLowerCase() === 'content-type');
  return values.map(([, value]) => String(value).toLowerCase()).join(', ');
}
