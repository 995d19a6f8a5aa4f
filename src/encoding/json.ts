/**
 * JSON (RFC 8259) read strictly: UTF-8 only, no duplicate keys, no `__proto__`, no lone surrogates, bounded depth. Two readers that
 * treat duplicates differently would otherwise see two documents in one byte string.
 */
import { isUtf8 } from 'node:buffer';
import { AgentError } from '../errors/agent-error.js';
import type { ErrorCode } from '../errors/codes.js';
import { syntaxErrorOffset } from './json-syntax.js';

const MAX_DEPTH = 32;

/** Not `includes`: the optimiser takes that for free to repeat, and searches the whole text again for every string in it. */
const ESCAPE = /\\/;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const DOT = 0x2e;
const SMALL_E = 0x65;
const CAPITAL_E = 0x45;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** Above this many keys in one object, a set is faster than comparing. */
const LINEAR_KEYS = 16;

/** Numbers with a point or an exponent are other values, or none, to other readers: documents that are signed hold `integers` alone. */
export type JsonNumbers = 'any' | 'integers';

/**
 * Parses JSON text or bytes.
 * @param what the document, named in errors together with line and column.
 * @param numbers what is taken inside an object or a list
 * @throws AgentError `code` (default `usage.invalid`); details hold `line` and `column`, counted from 1.
 */
export function parseJsonStrict(
  source: string | Buffer,
  what: string,
  code: ErrorCode = 'usage.invalid',
  numbers: JsonNumbers = 'any',
): unknown {
  if (typeof source !== 'string' && !isUtf8(source)) {
    throw new AgentError(code, { message: `${what}: not UTF-8` });
  }
  const text = typeof source === 'string' ? source : source.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which may be a payload.
    throw failure({ text, offset: syntaxErrorOffset(text), what, code }, 'not JSON');
  }
  if (typeof value === 'object' && value !== null) checkKeys(text, what, code, numbers);
  return value;
}

interface Place {
  readonly text: string;
  readonly offset: number;
  readonly what: string;
  readonly code: ErrorCode;
}

/** One pass over text that is known to be JSON: about 1 us for a request of 300 bytes. */
function checkKeys(text: string, what: string, code: ErrorCode, numbers: JsonNumbers): void {
  const hasEscapes = ESCAPE.test(text);
  const open: KeySet[] = [];
  let offset = 0;
  while (offset < text.length) {
    const unit = text.charCodeAt(offset);
    if (unit === QUOTE) {
      const end = stringEnd(text, offset);
      const problem = stringProblem(text, { start: offset, end, hasEscapes }, open.at(-1));
      if (problem !== undefined) throw failure({ text, offset, what, code }, problem);
      offset = end;
      continue;
    }
    if (unit === OPEN_BRACE || unit === OPEN_BRACKET) {
      if (open.length === MAX_DEPTH)
        throw failure({ text, offset, what, code }, `nested deeper than ${MAX_DEPTH}`);
      open.push(new KeySet());
    } else if (unit === CLOSE_BRACE || unit === CLOSE_BRACKET) {
      open.pop();
    } else if (numbers === 'integers' && isFraction(text, offset)) {
      throw failure({ text, offset, what, code }, 'a number that is not written as an integer');
    }
    offset += 1;
  }
}

/** Outside of strings only numbers have a point, and only in numbers an E follows a digit. */
function isFraction(text: string, offset: number): boolean {
  const unit = text.charCodeAt(offset);
  if (unit === DOT) return true;
  return (unit === SMALL_E || unit === CAPITAL_E) && /\d/.test(text.charAt(offset - 1));
}

interface StringSpan {
  /** Offset of the opening quote. */
  readonly start: number;
  /** Offset after the closing quote. */
  readonly end: number;
  readonly hasEscapes: boolean;
}

function stringProblem(text: string, span: StringSpan, keys: KeySet | undefined): string | undefined {
  const isKey = isFollowedByColon(text, span.end);
  if (!isKey && !span.hasEscapes) return undefined;
  let content = text.slice(span.start + 1, span.end - 1);
  if (span.hasEscapes && content.includes('\\')) {
    content = JSON.parse(text.slice(span.start, span.end)) as string;
    if (/\p{Cs}/u.test(content)) return 'a lone surrogate';
  }
  return isKey ? keys?.add(content) : undefined;
}

/** Offset after the closing quote of the string that opens at `start`. */
function stringEnd(text: string, start: number): number {
  let quote = text.indexOf('"', start + 1);
  while (isEscaped(text, quote)) quote = text.indexOf('"', quote + 1);
  return quote + 1;
}

function isEscaped(text: string, quote: number): boolean {
  let before = quote - 1;
  while (text.charCodeAt(before) === BACKSLASH) before -= 1;
  return (quote - before) % 2 === 0;
}

/** In well-formed JSON only keys have a colon after them. */
function isFollowedByColon(text: string, end: number): boolean {
  let offset = end;
  let unit = text.charCodeAt(offset);
  while (unit === 0x20 || unit === 0x0a || unit === 0x0d || unit === 0x09) {
    offset += 1;
    unit = text.charCodeAt(offset);
  }
  return unit === COLON;
}

class KeySet {
  readonly #few: string[] = [];
  #many: Set<string> | undefined;

  /** Returns what is wrong with the key, if anything. */
  add(key: string): string | undefined {
    if (key === '__proto__') return 'the key __proto__ is not allowed';
    if (this.#many?.has(key) ?? this.#few.includes(key)) return 'a duplicate key';
    if (this.#many !== undefined) {
      this.#many.add(key);
      return undefined;
    }
    this.#few.push(key);
    if (this.#few.length > LINEAR_KEYS) this.#many = new Set(this.#few);
    return undefined;
  }
}

function failure(place: Place, problem: string): AgentError {
  const before = place.text.slice(0, place.offset);
  const line = before.split('\n').length;
  const column = place.offset - (before.lastIndexOf('\n') + 1) + 1;
  return new AgentError(place.code, {
    message: `${place.what}: ${problem} at line ${line}, column ${column}`,
    details: { line, column },
  });
}
