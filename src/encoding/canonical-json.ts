/**
 * OLPC canonical JSON as TUF and Notary sign it: keys sorted by their UTF-8 bytes, no white space, integers only, and in strings nothing
 * escaped but `"` and `\`.
 */
import { isUtf8 } from 'node:buffer';
import { AgentError } from '../errors/agent-error.js';
import type { ErrorCode } from '../errors/codes.js';
import { parseJsonStrict } from './json.js';

/**
 * `notary` refuses control characters, which Go escapes in the file and not in what is signed. `tuf` writes them raw, as PEM needs it, and
 * refuses keys with characters beyond the basic plane: clients that sort by UTF-16 put those elsewhere, and no signature satisfies both.
 */
export type CanonicalDialect = 'notary' | 'tuf';

// Go's encoder escapes these and the two line separators, the canonical form does not.
const ESCAPED_BY_GO = /[<>&\u2028\u2029]/g;
/** JSON itself has to escape what is below, which the canonical form cannot. */
const CONTROL_LIMIT = 0x20;
const LONE_SURROGATE = /\p{Cs}/u;
const SURROGATE = /[\ud800-\udfff]/;
const CONTROLS = /\p{Cc}/gu;

/**
 * Canonical text of a JSON value.
 * @param what the document, named in the error
 * @throws AgentError `code` for fractions, numbers beyond 2^53, lone surrogates, what JSON does not know, and what the dialect refuses
 */
export function canonicalJson(
  value: unknown,
  what: string,
  code: ErrorCode,
  dialect: CanonicalDialect = 'notary',
): string {
  return new Writer(what, code, dialect).value(value);
}

/**
 * Reads what `canonicalJson` of the dialect `tuf` wrote. Raw control characters make that no JSON, so they are escaped before it is read;
 * one that stands outside of a string is a syntax error still.
 * @throws AgentError `code` for anything but canonical bytes
 */
export function parseCanonicalJson(bytes: Buffer, what: string, code: ErrorCode): unknown {
  if (!isUtf8(bytes)) throw new AgentError(code, { message: `${what}: not UTF-8` });
  const escaped = bytes.toString('utf8').replace(CONTROLS, (control) => `\\u${hex4(control)}`);
  const value = parseJsonStrict(escaped, what, code, 'integers');
  if (Buffer.from(canonicalJson(value, what, code, 'tuf'), 'utf8').equals(bytes)) return value;
  throw new AgentError(code, { message: `${what}: it is not canonical JSON` });
}

/** The same text as Go's encoder writes it: `<`, `>`, `&`, U+2028 and U+2029 escaped. */
export function escapeAsGo(json: string): string {
  return json.replace(ESCAPED_BY_GO, (unit) => `\\u${hex4(unit)}`);
}

class Writer {
  readonly #what: string;
  readonly #code: ErrorCode;
  readonly #dialect: CanonicalDialect;

  constructor(what: string, code: ErrorCode, dialect: CanonicalDialect) {
    this.#what = what;
    this.#code = code;
    this.#dialect = dialect;
  }

  value(value: unknown): string {
    switch (typeof value) {
      case 'string':
        return this.#string(value);
      case 'number':
        if (Number.isSafeInteger(value) && !Object.is(value, -0)) return String(value);
        throw this.#refused('a number that is not an integer');
      case 'boolean':
        return value ? 'true' : 'false';
      case 'object':
        if (value === null) return 'null';
        return Array.isArray(value)
          ? `[${value.map((one) => this.value(one)).join(',')}]`
          : this.#object(value as Readonly<Record<string, unknown>>);
      default:
        throw this.#refused('a value that JSON does not know');
    }
  }

  #object(value: Readonly<Record<string, unknown>>): string {
    const keys = Object.keys(value).filter((key) => value[key] !== undefined);
    const members = this.#sorted(keys).map((key) => `${this.#string(key)}:${this.value(value[key])}`);
    return `{${members.join(',')}}`;
  }

  #sorted(keys: string[]): readonly string[] {
    if (!keys.some((key) => SURROGATE.test(key))) return keys.sort();
    if (this.#dialect === 'tuf') throw this.#refused('a key with a character beyond U+FFFF');
    return keys.sort(byUtf8);
  }

  #string(text: string): string {
    const isWritable = this.#dialect === 'tuf' || !hasControls(text);
    if (isWritable && !LONE_SURROGATE.test(text)) return `"${text.replace(/["\\]/g, '\\$&')}"`;
    throw this.#refused(
      this.#dialect === 'tuf'
        ? 'a lone surrogate in a text'
        : 'a control character or a lone surrogate in a text',
    );
  }

  #refused(problem: string): AgentError {
    return new AgentError(this.#code, { message: `${this.#what}: ${problem}` });
  }
}

/** UTF-16 order is another one above the basic plane. */
function byUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'));
}

function hasControls(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    if (text.charCodeAt(at) < CONTROL_LIMIT) return true;
  }
  return false;
}

function hex4(unit: string): string {
  return unit.charCodeAt(0).toString(16).padStart(4, '0');
}
