/**
 * Reading what the agent answers. The agent is trusted (its uid was checked), yet a broken one must end in a clear
 * error, so everything is checked for its shape here and nowhere else. No schema library: start-up time counts.
 */
import { AgentError, type ErrorData, type ErrorDetails } from '../errors/agent-error.js';
import { ERROR_TABLE, type ErrorCode } from '../errors/codes.js';

export type Fields = Readonly<Record<string, unknown>>;

/** A JSON object, or undefined when the text is anything else. */
export function parseReply(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** True for plain JSON objects. */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The error in a JSON-RPC error object `{code, message, data}` or in bare ErrorData; undefined when there is none. A code of a newer
 * agent that this client does not know keeps its words.
 */
export function errorFromReply(error: Fields): AgentError | undefined {
  const data = isFields(error['data']) ? error['data'] : error;
  const message = firstText(data['message'], error['message']);
  const code = codeOf(data['code']) ?? codeOf(error['code']);
  if (message === undefined && code === undefined) return undefined;
  const hint = firstText(data['hint']);
  const known: ErrorCode = code ?? 'internal.unexpected';
  const reply: ErrorData = {
    code: known,
    message: message ?? ERROR_TABLE[known].sentence,
    hint: hint ?? ERROR_TABLE[known].hint,
    details: isFields(data['details']) ? (data['details'] as ErrorDetails) : undefined,
  };
  return AgentError.fromData(reply);
}

function firstText(...candidates: readonly unknown[]): string | undefined {
  return candidates.find(
    (candidate): candidate is string => typeof candidate === 'string' && candidate !== '',
  );
}

function codeOf(value: unknown): ErrorCode | undefined {
  if (typeof value === 'string') return Object.hasOwn(ERROR_TABLE, value) ? (value as ErrorCode) : undefined;
  if (typeof value !== 'number') return undefined;
  const codes = Object.keys(ERROR_TABLE) as ErrorCode[];
  return codes.find((code) => ERROR_TABLE[code].rpc === value);
}
