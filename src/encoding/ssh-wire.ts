/** SSH data types (RFC 4251 section 5): bounded reader, and writer. All lengths are checked before anything is read. */
import { AgentError } from '../errors/agent-error.js';
import type { ErrorCode } from '../errors/codes.js';

/** Reads a byte string from front to back; every failure is an AgentError with the code given at construction. */
export class SshReader {
  readonly #bytes: Buffer;
  readonly #what: string;
  readonly #code: ErrorCode;
  #offset = 0;

  /** @param what named in errors; @param code of errors, default `usage.invalid`. */
  constructor(bytes: Uint8Array, what: string, code: ErrorCode = 'usage.invalid') {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
    this.#code = code;
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  /** `byte`. */
  u8(): number {
    return this.#bytes.readUInt8(this.#advance(1));
  }

  /** `uint32`. */
  u32(): number {
    return this.#bytes.readUInt32BE(this.#advance(4));
  }

  /** `byte[n]`; a view, not a copy. */
  raw(length: number): Buffer {
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** `string`; a view, not a copy. */
  string(): Buffer {
    return this.raw(this.u32());
  }

  /** `string` holding printable ASCII, such as a name. */
  name(): string {
    const text = this.string().toString('latin1');
    if (!/^[\x20-\x7e]*$/.test(text)) throw this.#failure('a name is not printable ASCII');
    return text;
  }

  /** Non-negative `mpint` as its magnitude, right-aligned in `length` bytes. */
  mpint(length: number): Buffer {
    const encoded = this.string();
    const [first = 0, second = 0] = encoded;
    if (first >= 0x80) throw this.#failure('a negative mpint');
    if (first === 0 && encoded.length > 0 && second < 0x80)
      throw this.#failure('an mpint that is not minimal');
    const digits = first === 0 ? encoded.subarray(1) : encoded;
    if (digits.length > length) throw this.#failure(`an mpint over ${length} bytes`);
    const magnitude = Buffer.alloc(length);
    magnitude.set(digits, length - digits.length);
    return magnitude;
  }

  /** Fails when bytes are left. */
  end(): void {
    if (this.remaining !== 0) throw this.#failure(`${this.remaining} bytes too many`);
  }

  #advance(length: number): number {
    const start = this.#offset;
    if (length > this.remaining) throw this.#failure(`ends early, at byte ${start}`);
    this.#offset = start + length;
    return start;
  }

  #failure(problem: string): AgentError {
    return new AgentError(this.#code, { message: `reading ${this.#what}: ${problem}` });
  }
}

/** Collects fields and joins them once. */
export class SshWriter {
  readonly #parts: Uint8Array[] = [];

  /** `byte`. */
  u8(value: number): this {
    this.#parts.push(Buffer.from([value]));
    return this;
  }

  /** `uint32`. */
  u32(value: number): this {
    const field = Buffer.allocUnsafe(4);
    field.writeUInt32BE(value);
    this.#parts.push(field);
    return this;
  }

  /** `byte[n]`. */
  raw(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    return this;
  }

  /** `string`; text is written as UTF-8. */
  string(value: Uint8Array | string): this {
    const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
    return this.u32(bytes.length).raw(bytes);
  }

  /** Non-negative `mpint` of a big-endian magnitude. */
  mpint(magnitude: Uint8Array): this {
    let start = 0;
    while (start < magnitude.length && magnitude[start] === 0) start += 1;
    const digits = magnitude.subarray(start);
    const needsSign = (digits[0] ?? 0) >= 0x80;
    return this.string(needsSign ? Buffer.concat([Buffer.alloc(1), digits]) : digits);
  }

  toBuffer(): Buffer {
    return Buffer.concat(this.#parts);
  }
}
