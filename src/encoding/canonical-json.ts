/**
 * OLPC canonical JSON as TUF and Notary sign it: keys sorted by their UTF-8 bytes, no white space, integers only, and in strings nothing
 * escaped but `"` and `\`.
 */
import { AgentError } from '../errors/agent-error.js';
import type { ErrorCode } from '../errors/codes.js';

// Go's encoder escapes these and the two line separators, the canonical form does not.
const ESCAPED_BY_GO = /[<>&\u2028\u2029]/g;
/** JSON itself has to escape what is below, which the canonical form cannot. */
const CONTROL_LIMIT = 0x20;
const LONE_SURROGATE = /\p{Cs}/u;

/**
 * Canonical text of a JSON value.
 * @param what the document, named in the error
 * @throws AgentError `code` for fractions, numbers beyond 2^53, control characters, lone surrogates, and what JSON does not know
 */
export function canonicalJson(value: unknown, what: string, code: ErrorCode): string {
  switch (typeof value) {
    case 'string':
      return canonicalString(value, what, code);
    case 'number':
      if (Number.isSafeInteger(value) && !Object.is(value, -0)) return String(value);
      throw new AgentError(code, { message: `${what}: a number that is not an integer` });
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value)
        ? `[${value.map((one) => canonicalJson(one, what, code)).join(',')}]`
        : canonicalObject(value as Readonly<Record<string, unknown>>, what, code);
    default:
      throw new AgentError(code, { message: `${what}: a value that JSON does not know` });
  }
}

/** The same text as Go's encoder writes it: `<`, `>`, `&`, U+2028 and U+2029 escaped. */
export function escapeAsGo(json: string): string {
  return json.replace(ESCAPED_BY_GO, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function canonicalObject(value: Readonly<Record<string, unknown>>, what: string, code: ErrorCode): string {
  const keys = Object.keys(value).filter((key) => value[key] !== undefined);
  const members = keys
    .sort(byUtf8)
    .map((key) => `${canonicalString(key, what, code)}:${canonicalJson(value[key], what, code)}`);
  return `{${members.join(',')}}`;
}

/** UTF-16 order is another one above the basic plane. */
function byUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'));
}

function canonicalString(text: string, what: string, code: ErrorCode): string {
  if (!isWritable(text)) {
    throw new AgentError(code, { message: `${what}: a control character or a lone surrogate in a text` });
  }
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

function isWritable(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    if (text.charCodeAt(at) < CONTROL_LIMIT) return false;
  }
  return !LONE_SURROGATE.test(text);
}
