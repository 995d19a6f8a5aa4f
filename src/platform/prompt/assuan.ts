/** Lines of the Assuan protocol, as pinentry speaks it: one LF each, at most 1,000 bytes, parameters percent-escaped. */
import { AgentError } from '../../errors/agent-error.js';

/** With the LF; libassuan's own limit. */
const MAX_LINE_BYTES = 1000;
/** A pinentry that says more than this before it answers talks nonsense. */
const MAX_LINES = 100;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const PERCENT = 0x25;
const SPACE = 0x20;
/** First byte after `D `. */
const DATA_AT = 2;

/** What one line of a server says. */
export type AssuanReply =
  | { readonly kind: 'ok' }
  | { readonly kind: 'error'; readonly code: number }
  /** A piece of the answer; a copy that the caller overwrites. */
  | { readonly kind: 'data'; readonly bytes: Buffer }
  /** Status, comment or question: nothing that an answer consists of. */
  | { readonly kind: 'other' };

/** Cuts a stream into lines. One buffer, overwritten by `wipe`: a line may be a PIN. */
export class AssuanLines {
  readonly #line = Buffer.alloc(MAX_LINE_BYTES);
  #length = 0;
  #lines = 0;

  /** @param chunk overwritten @throws AgentError `prompt.failed` when a line or the talk is too long */
  push(chunk: Buffer, onReply: (reply: AssuanReply) => void): void {
    try {
      for (const byte of chunk) {
        if (byte !== LINE_FEED) {
          if (this.#length + 1 >= MAX_LINE_BYTES) throw nonsense('a line is too long');
          this.#line[this.#length] = byte;
          this.#length += 1;
          continue;
        }
        this.#lines += 1;
        if (this.#lines > MAX_LINES) throw nonsense('it talks too much');
        onReply(parseReply(this.#line.subarray(0, this.#length)));
        this.#line.fill(0, 0, this.#length);
        this.#length = 0;
      }
    } finally {
      chunk.fill(0);
    }
  }

  wipe(): void {
    this.#line.fill(0);
    this.#length = 0;
  }
}

/** The parameter of a command: `%`, line ends and control characters escaped, what is too long for a line cut at a character. */
function escapeParameter(text: string, maxBytes: number): string {
  let escaped = '';
  for (const character of text) {
    const next = /[\p{Cc}%]/u.test(character) ? percentBytes(character) : character;
    if (Buffer.byteLength(escaped) + Buffer.byteLength(next) > maxBytes) break;
    escaped += next;
  }
  return escaped;
}

/** The whole line of a command, within the limit. */
export function commandLine(command: string, parameter?: string): string {
  if (parameter === undefined) return `${command}\n`;
  const room = MAX_LINE_BYTES - Buffer.byteLength(command) - 2;
  return `${command} ${escapeParameter(parameter, room)}\n`;
}

/** @throws AgentError `prompt.failed` for what no Assuan server says */
function parseReply(line: Buffer): AssuanReply {
  const end = line.at(-1) === CARRIAGE_RETURN ? line.length - 1 : line.length;
  const bytes = line.subarray(0, end);
  if (isWord(bytes, 'OK')) return { kind: 'ok' };
  if (isWord(bytes, 'D')) return { kind: 'data', bytes: unescape(bytes.subarray(DATA_AT)) };
  if (isWord(bytes, 'S') || isWord(bytes, 'INQUIRE') || bytes.length === 0 || bytes[0] === 0x23)
    return { kind: 'other' };
  const error = isWord(bytes, 'ERR') ? /^ERR (\d{1,10})/.exec(bytes.toString('latin1')) : null;
  if (error?.[1] === undefined) throw nonsense('what it says is not Assuan');
  return { kind: 'error', code: Number(error[1]) };
}

function isWord(line: Buffer, word: string): boolean {
  if (line.length < word.length || (line.length > word.length && line[word.length] !== SPACE)) return false;
  return line.toString('latin1', 0, word.length) === word;
}

function unescape(escaped: Buffer): Buffer {
  const bytes = Buffer.alloc(escaped.length);
  let length = 0;
  for (let at = 0; at < escaped.length; at += 1) {
    let byte = escaped[at] ?? 0;
    if (byte === PERCENT) {
      byte = hexDigit(escaped[at + 1]) * 16 + hexDigit(escaped[at + 2]);
      at += 2;
    }
    bytes[length] = byte;
    length += 1;
  }
  return bytes.subarray(0, length);
}

function hexDigit(byte: number | undefined): number {
  const digit = '0123456789abcdef'.indexOf(String.fromCharCode(byte ?? 0).toLowerCase());
  if (digit < 0) throw nonsense('it escapes wrongly');
  return digit;
}

function percentBytes(character: string): string {
  return [...Buffer.from(character, 'utf8')]
    .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
    .join('');
}

function nonsense(what: string): AgentError {
  return new AgentError('prompt.failed', { message: `talking to pinentry: ${what}` });
}
