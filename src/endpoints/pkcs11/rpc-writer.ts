/** Writes one answer (or, for tests and the benchmark, one call): header of the frame, id, signature, values. */
import type { RpcAttribute } from './rpc-attribute.js';

const FRAME_HEADER_BYTES = 12;

export class RpcWriter {
  #bytes = Buffer.allocUnsafe(256);
  #length = 0;

  /** @param callCode what the caller numbered its frame with */
  constructor(callCode: number, call: number, signature: string) {
    this.u32(callCode).u32(0).u32(0).u32(call).u32(signature.length);
    const begin = this.#grow(signature.length);
    for (let at = 0; at < signature.length; at += 1) this.#bytes[begin + at] = signature.charCodeAt(at);
  }

  byte(value: number): this {
    const at = this.#grow(1);
    this.#bytes[at] = value;
    return this;
  }

  u32(value: number): this {
    const at = this.#grow(4);
    this.#bytes.writeUInt32BE(value, at);
    return this;
  }

  /** `u` */
  ulong(value: number | bigint): this {
    const at = this.#grow(8);
    this.#bytes.writeBigUInt64BE(BigInt(value), at);
    return this;
  }

  /** `v` */
  version(major: number, minor: number): this {
    return this.byte(major).byte(minor);
  }

  raw(bytes: Uint8Array): this {
    const at = this.#grow(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  string(bytes: Uint8Array): this {
    return this.u32(bytes.length).raw(bytes);
  }

  /** `s`: padded with spaces; longer text is cut. */
  padded(text: string, width: number): this {
    return this.string(Buffer.from(text.slice(0, width).padEnd(width, ' '), 'latin1'));
  }

  /** `ay` */
  byteArray(bytes: Uint8Array): this {
    return this.byte(1).string(bytes);
  }

  /** `ay` or `au` without values: only how many there would be. */
  count(count: number): this {
    return this.byte(0).u32(count);
  }

  /** `au` */
  ulongArray(values: readonly number[]): this {
    this.byte(1).u32(values.length);
    for (const value of values) this.ulong(value);
    return this;
  }

  /** One of `aA`, whose number the caller writes first. */
  attribute({ type, length, wire }: RpcAttribute): this {
    this.u32(type);
    return wire === undefined ? this.byte(0) : this.byte(1).u32(length).raw(wire);
  }

  /** The whole frame. */
  frame(): Buffer {
    this.#bytes.writeUInt32BE(this.#length - FRAME_HEADER_BYTES, 8);
    return this.#bytes.subarray(0, this.#length);
  }

  #grow(length: number): number {
    const at = this.#length;
    this.#length += length;
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length));
      this.#bytes.copy(larger, 0, 0, at);
      this.#bytes = larger;
    }
    return at;
  }
}
