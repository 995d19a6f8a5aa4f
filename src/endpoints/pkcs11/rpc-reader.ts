/**
 * Reads the arguments of one call. The message is whole and bounded before it comes here; every length inside is checked against
 * what is left of it, and nothing is allocated that a number in it asks for.
 */
import { AgentError } from '../../errors/agent-error.js';
import { RPC_CALLS, type RpcCall } from './rpc-calls.js';
import { wireForm, type AttributeRoom, type RpcAttribute } from './rpc-attribute.js';

/** Attributes in one template, counted with nested ones. */
const MAX_ATTRIBUTES = 256;
/** Templates inside templates. */
const MAX_DEPTH = 8;
const NO_BYTES = 0xffffffff;
const NO_MECHANISM = 0xffffffff;

export interface RpcMechanism {
  readonly type: number;
  readonly parameter: Buffer;
}

export class RpcReader {
  readonly #bytes: Buffer;
  #offset = 0;
  #attributes = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /**
   * What begins every message: the id of a call and the signature of its arguments.
   * @throws AgentError `pkcs11.malformed` for an unknown id or another signature
   */
  call(): RpcCall {
    const call = RPC_CALLS[this.u32() - 1];
    if (call === undefined) throw malformed('no such call');
    if (!this.#isNext(call.request)) throw malformed('another signature');
    return call;
  }

  /** `y` */
  byte(): number {
    return this.#bytes.readUInt8(this.#advance(1));
  }

  /** 32 bits. */
  u32(): number {
    return this.#bytes.readUInt32BE(this.#advance(4));
  }

  /** `u`; exact up to 2^53, which is beyond every handle and flag of ours. */
  ulong(): number {
    const at = this.#advance(8);
    return this.#bytes.readUInt32BE(at) * 2 ** 32 + this.#bytes.readUInt32BE(at + 4);
  }

  /** `fy` and `fu`: how many the caller has room for; 0 asks for their number. */
  room(): number {
    return this.u32();
  }

  /** Bytes with a length in front; undefined for a null pointer. A view, not a copy. */
  string(): Buffer | undefined {
    const length = this.u32();
    if (length === NO_BYTES) return undefined;
    const at = this.#advance(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** `ay`; a null pointer reads as no bytes. A view, not a copy. */
  byteArray(): Buffer {
    const isValid = this.#flag();
    if (isValid) return this.string() ?? Buffer.alloc(0);
    if (this.u32() !== 0) throw malformed('bytes without a value');
    return Buffer.alloc(0);
  }

  /**
   * `M`, or undefined where the caller cancels with a null pointer. Parameters have no length of their own and differ between the
   * versions of p11-kit, so they are what is left in front of the arguments that follow.
   * @param following bytes of those arguments
   */
  mechanism(following: number): RpcMechanism | undefined {
    const type = this.u32();
    const length = this.#bytes.length - this.#offset - following;
    if (length < 0) throw malformed('ends early');
    const at = this.#advance(length);
    return type === NO_MECHANISM ? undefined : { type, parameter: this.#bytes.subarray(at, at + length) };
  }

  /** `aA` */
  attributes(depth = 0): readonly RpcAttribute[] {
    if (depth > MAX_DEPTH) throw malformed('templates nested too deeply');
    return this.#list(() => this.#attribute(depth));
  }

  /** `fA` */
  attributeRooms(depth = 0): readonly AttributeRoom[] {
    if (depth > MAX_DEPTH) throw malformed('templates nested too deeply');
    return this.#list(() => {
      const type = this.u32();
      const room = this.u32();
      if (room > 0 && wireForm(type) === 'attributes') this.attributeRooms(depth + 1);
      return { type, room };
    });
  }

  /** @throws AgentError `pkcs11.malformed` when anything is left */
  end(): void {
    if (this.#offset !== this.#bytes.length) throw malformed('bytes after the last argument');
  }

  #list<T>(item: () => T): readonly T[] {
    const count = this.u32();
    this.#attributes += count;
    if (this.#attributes > MAX_ATTRIBUTES) throw malformed('too many attributes');
    return Array.from({ length: count }, item);
  }

  #attribute(depth: number): RpcAttribute {
    const type = this.u32();
    if (!this.#flag()) return { type, length: 0, wire: undefined };
    const length = this.u32();
    const begin = this.#offset;
    switch (wireForm(type)) {
      case 'byte':
        if (length > 1) throw malformed('a truth value of another length');
        this.byte();
        break;
      case 'ulong':
        if (length > 8) throw malformed('a number of another length');
        this.#advance(8);
        break;
      case 'attributes':
        this.attributes(depth + 1);
        break;
      case 'mechanisms':
        this.#advance(this.u32() * 8);
        break;
      case 'bytes':
        return { type, length, wire: this.#counted(length) };
    }
    return { type, length, wire: this.#bytes.subarray(begin, this.#offset) };
  }

  /** A null pointer and no bytes are the same value. */
  #counted(length: number): Buffer {
    const begin = this.#offset;
    const value = this.string();
    if ((value?.length ?? 0) !== length) throw malformed('a value of another length');
    return value === undefined ? Buffer.alloc(4) : this.#bytes.subarray(begin, this.#offset);
  }

  /** Whether the text with a length in front is this one. Without a call of Buffer: two of these are read for every signature. */
  #isNext(expected: string): boolean {
    if (this.u32() !== expected.length) return false;
    const begin = this.#advance(expected.length);
    for (let at = 0; at < expected.length; at += 1) {
      if (this.#bytes[begin + at] !== expected.charCodeAt(at)) return false;
    }
    return true;
  }

  #flag(): boolean {
    const value = this.byte();
    if (value > 1) throw malformed('a flag that is neither 0 nor 1');
    return value === 1;
  }

  #advance(length: number): number {
    const at = this.#offset;
    if (length > this.#bytes.length - at) throw malformed('ends early');
    this.#offset = at + length;
    return at;
  }
}

function malformed(what: string): AgentError {
  return new AgentError('pkcs11.malformed', { message: `reading a PKCS#11 call: ${what}` });
}
