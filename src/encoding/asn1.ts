/** DER (X.690) as far as certificates need it: a writer, and a reader that takes only the one canonical form of lengths. */
import { AgentError } from '../errors/agent-error.js';
import type { ErrorCode } from '../errors/codes.js';

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  utcTime: 0x17,
  generalizedTime: 0x18,
} as const;

const LONG_FORM = 0x80;
const MAX_LENGTH_BYTES = 3;

/** Tag of a constructed, context-specific element. */
export function contextTag(number: number): number {
  return 0xa0 + number;
}

/** One element: tag, length, content. */
export function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.from([tag]), lengthBytes(body.length), body]);
}

/** Non-negative INTEGER of big-endian bytes. */
export function derUnsigned(bytes: Uint8Array): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  const digits = bytes.subarray(start);
  const sign = (digits[0] ?? 0) >= 0x80 ? Buffer.from([0]) : Buffer.alloc(0);
  return der(TAG.integer, sign, digits.length === 0 ? Buffer.from([0]) : digits);
}

/** OBJECT IDENTIFIER of dotted numbers. */
export function derOid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap(base128);
  return der(TAG.oid, Buffer.from(bytes));
}

/** UTCTime until 2049, GeneralizedTime from 2050 on (RFC 5280 section 4.1.2.5); whole seconds. */
export function derTime(time: Date): Buffer {
  const digits = time
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(/[-:T]/g, '');
  return time.getUTCFullYear() < 2050
    ? der(TAG.utcTime, Buffer.from(digits.slice(2)))
    : der(TAG.generalizedTime, Buffer.from(digits));
}

/** Elements one after another. */
export class DerReader {
  readonly #bytes: Buffer;
  readonly #what: string;
  readonly #code: ErrorCode;
  #offset = 0;

  /** @param what named in errors, which have the given code */
  constructor(bytes: Buffer, what: string, code: ErrorCode) {
    this.#bytes = bytes;
    this.#what = what;
    this.#code = code;
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#bytes.length;
  }

  /** Tag of the next element, undefined at the end. */
  peek(): number | undefined {
    return this.#bytes[this.#offset];
  }

  /** Content of the next element, which must have this tag; a view. @throws AgentError */
  content(tag: number): Buffer {
    if (this.peek() !== tag) throw this.malformed('an element is missing or of another type');
    const { start, length } = this.#length();
    const end = start + length;
    if (end > this.#bytes.length) throw this.malformed('it ends early');
    this.#offset = end;
    return this.#bytes.subarray(start, end);
  }

  /** The next element whole, with tag and length. @throws AgentError */
  element(tag: number): Buffer {
    const start = this.#offset;
    this.content(tag);
    return this.#bytes.subarray(start, this.#offset);
  }

  /** A reader of what is inside the next element. @throws AgentError */
  inside(tag: number): DerReader {
    return new DerReader(this.content(tag), this.#what, this.#code);
  }

  /** @throws AgentError when something is left */
  end(): void {
    if (!this.isAtEnd) throw this.malformed('something follows that does not belong there');
  }

  malformed(problem: string): AgentError {
    return new AgentError(this.#code, { message: `${this.#what}: ${problem}` });
  }

  #length(): { readonly start: number; readonly length: number } {
    const first = this.#bytes[this.#offset + 1] ?? LONG_FORM;
    const start = this.#offset + 2;
    if (first < LONG_FORM) return { start, length: first };
    const count = first - LONG_FORM;
    if (count < 1 || count > MAX_LENGTH_BYTES || start + count > this.#bytes.length)
      throw this.malformed('a length is not valid');
    const length = this.#bytes.readUIntBE(start, count);
    if (!lengthBytes(length).equals(this.#bytes.subarray(start - 1, start + count)))
      throw this.malformed('a length is not the shortest');
    return { start: start + count, length };
  }
}

function lengthBytes(length: number): Buffer {
  if (length < LONG_FORM) return Buffer.from([length]);
  const count = length < 0x100 ? 1 : length < 0x1_0000 ? 2 : MAX_LENGTH_BYTES;
  const bytes = Buffer.alloc(1 + count);
  bytes[0] = LONG_FORM + count;
  bytes.writeUIntBE(length, 1, count);
  return bytes;
}

function base128(value: number): readonly number[] {
  const digits = [value & 0x7f];
  for (let left = value >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | LONG_FORM);
  return digits;
}
