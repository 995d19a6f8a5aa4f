/**
 * Positions of keys in TOML text that a parser has already accepted: tables, arrays of tables, dotted keys, inline
 * tables and arrays. It recognises only what is needed to find where keys begin.
 */

/** Keys and array indices from the top of the document. */
export type TomlPath = readonly (string | number)[];

/** Counted from 1; columns in UTF-16 units. */
export interface TomlPosition {
  readonly line: number;
  readonly column: number;
}

/** Unambiguous map key of a path. */
export function pathKey(path: TomlPath): string {
  return JSON.stringify(path.map(String));
}

/** Position of every key and array element, by `pathKey`. */
export function locateKeys(text: string): ReadonlyMap<string, TomlPosition> {
  return new PositionScanner(text).scan();
}

const BLANK = /[ \t]*/y;
const GAP = /(?:[ \t\r\n]|#[^\n]*)*/y;
const BARE_KEY = /[A-Za-z0-9_-]+/y;
const BASIC_STRING = /"(?:[^"\\\n]|\\.)*"/y;
const LITERAL_STRING = /'[^'\n]*'/y;
const LONG_BASIC_STRING = /"""(?:[^"\\]|\\[^]|"{1,2}(?!"))*"{3,5}/y;
const LONG_LITERAL_STRING = /'''(?:[^']|'{1,2}(?!'))*'{3,5}/y;
const SCALAR = /[^,\]}#\r\n]+/y;

class PositionScanner {
  readonly #text: string;
  readonly #positions = new Map<string, TomlPosition>();
  /** Elements seen so far of each array of tables. */
  readonly #elements = new Map<string, number>();
  #offset = 0;
  #line = 1;
  #lineStart = 0;

  constructor(text: string) {
    this.#text = text;
  }

  scan(): ReadonlyMap<string, TomlPosition> {
    let table: TomlPath = [];
    this.#take(GAP);
    while (this.#offset < this.#text.length) {
      const before = this.#offset;
      if (this.#peek('[')) table = this.#header();
      else this.#pair(table);
      this.#take(GAP);
      // The parser accepted this text; if we do not follow, positions of the rest are simply not known.
      if (this.#offset === before) break;
    }
    return this.#positions;
  }

  #header(): TomlPath {
    const at = this.#position();
    const isArray = this.#text.startsWith('[[', this.#offset);
    this.#skip(isArray ? 2 : 1);
    const keys = this.#dottedKey();
    this.#skip(isArray ? 2 : 1);
    const path: (string | number)[] = [];
    for (const [depth, key] of keys.entries()) {
      path.push(key);
      const list = pathKey(path);
      if (isArray && depth === keys.length - 1)
        this.#elements.set(list, (this.#elements.get(list) ?? -1) + 1);
      const element = this.#elements.get(list);
      if (element !== undefined) {
        this.#record(path, at);
        path.push(element);
      }
    }
    this.#record(path, at);
    return path;
  }

  #pair(table: TomlPath): void {
    const at = this.#position();
    const keys = this.#dottedKey();
    const path = [...table];
    for (const key of keys) {
      path.push(key);
      this.#record(path, at);
    }
    this.#skip(1);
    this.#take(BLANK);
    this.#value(path);
  }

  #value(path: TomlPath): void {
    if (this.#peek('[')) {
      this.#array(path);
      return;
    }
    if (this.#peek('{')) {
      this.#inlineTable(path);
      return;
    }
    for (const string of [LONG_BASIC_STRING, LONG_LITERAL_STRING, BASIC_STRING, LITERAL_STRING]) {
      if (this.#take(string) !== '') return;
    }
    this.#take(SCALAR);
  }

  #array(path: TomlPath): void {
    this.#skip(1);
    this.#take(GAP);
    for (let index = 0; this.#offset < this.#text.length && !this.#peek(']'); index += 1) {
      this.#record([...path, index], this.#position());
      this.#value([...path, index]);
      this.#separator();
    }
    this.#skip(1);
  }

  #inlineTable(path: TomlPath): void {
    this.#skip(1);
    this.#take(GAP);
    while (this.#offset < this.#text.length && !this.#peek('}')) {
      this.#pair(path);
      this.#separator();
    }
    this.#skip(1);
  }

  #separator(): void {
    this.#take(GAP);
    if (this.#peek(',')) this.#skip(1);
    this.#take(GAP);
  }

  #dottedKey(): string[] {
    const keys: string[] = [];
    do {
      if (keys.length > 0) this.#skip(1);
      this.#take(BLANK);
      keys.push(this.#key());
      this.#take(BLANK);
    } while (this.#peek('.'));
    return keys;
  }

  #key(): string {
    const basic = this.#take(BASIC_STRING);
    if (basic !== '') return unescapeKey(basic);
    const literal = this.#take(LITERAL_STRING);
    return literal !== '' ? literal.slice(1, -1) : this.#take(BARE_KEY);
  }

  #peek(character: string): boolean {
    return this.#text.startsWith(character, this.#offset);
  }

  #skip(length: number): void {
    this.#offset += length;
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#offset;
    const taken = pattern.exec(this.#text)?.[0] ?? '';
    let feed = taken.indexOf('\n');
    while (feed !== -1) {
      this.#line += 1;
      this.#lineStart = this.#offset + feed + 1;
      feed = taken.indexOf('\n', feed + 1);
    }
    this.#offset += taken.length;
    return taken;
  }

  #position(): TomlPosition {
    return { line: this.#line, column: this.#offset - this.#lineStart + 1 };
  }

  #record(path: TomlPath, position: TomlPosition): void {
    const key = pathKey(path);
    if (!this.#positions.has(key)) this.#positions.set(key, position);
  }
}

function unescapeKey(quoted: string): string {
  const longForm = /\\U([0-9a-fA-F]{8})/g;
  try {
    return JSON.parse(
      quoted.replace(longForm, (_, hex: string) => String.fromCodePoint(parseInt(hex, 16))),
    ) as string;
  } catch {
    return quoted.slice(1, -1);
  }
}
