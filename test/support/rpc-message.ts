/** Messages of p11-kit's RPC as a client writes and reads them, on purpose without a line of the door's own codec. */

const HEADER_BYTES = 12;

/** Calls with their ids and the signatures of their arguments, version 0. */
const CALLS = {
  Initialize: [1, 'ayyay'],
  GetSlotList: [4, 'yfu'],
  GetTokenInfo: [6, 'u'],
  OpenSession: [10, 'uu'],
  CloseSession: [11, 'u'],
  GetSessionInfo: [13, 'u'],
  Login: [18, 'uuay'],
  Logout: [19, 'u'],
  CreateObject: [20, 'uaA'],
  GetAttributeValue: [24, 'uufA'],
  FindObjectsInit: [26, 'uaA'],
  FindObjects: [27, 'ufu'],
  FindObjectsFinal: [28, 'u'],
  EncryptInit: [29, 'uMu'],
  SignInit: [42, 'uMu'],
  Sign: [43, 'uayfy'],
  SignUpdate: [44, 'uay'],
  SignFinal: [45, 'ufy'],
  GenerateRandom: [64, 'ufy'],
} as const;

export type RpcCallName = keyof typeof CALLS;

/** Arguments of a call, one after the other. */
export class RpcArguments {
  readonly #parts: Buffer[] = [];

  byte(value: number): this {
    return this.#add(Buffer.from([value]));
  }

  u32(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return this.#add(bytes);
  }

  ulong(value: number): this {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(BigInt(value));
    return this.#add(bytes);
  }

  string(bytes: Uint8Array): this {
    return this.u32(bytes.length).#add(Buffer.from(bytes));
  }

  byteArray(bytes: Uint8Array): this {
    return this.byte(1).string(bytes);
  }

  /** The whole frame of a call. */
  frame(callCode: number, name: RpcCallName): Buffer {
    const [id, signature] = CALLS[name];
    const head = new RpcArguments().u32(id).string(Buffer.from(signature, 'latin1'));
    const body = Buffer.concat([...head.#parts, ...this.#parts]);
    const header = new RpcArguments().u32(callCode).u32(0).u32(body.length);
    return Buffer.concat([...header.#parts, body]);
  }

  #add(bytes: Buffer): this {
    this.#parts.push(bytes);
    return this;
  }
}

/** The values of an answer, one after the other. */
export class RpcAnswer {
  /** 0 for an error. */
  readonly id: number;
  readonly #body: Buffer;
  #offset = 0;

  constructor(body: Buffer) {
    this.#body = body;
    this.id = this.u32();
    this.string();
  }

  byte(): number {
    this.#offset += 1;
    return this.#body.readUInt8(this.#offset - 1);
  }

  u32(): number {
    this.#offset += 4;
    return this.#body.readUInt32BE(this.#offset - 4);
  }

  ulong(): number {
    this.#offset += 8;
    return Number(this.#body.readBigUInt64BE(this.#offset - 8));
  }

  string(): Buffer {
    return this.#take(this.u32());
  }

  byteArray(): Buffer {
    return this.byte() === 1 ? this.string() : Buffer.alloc(0);
  }

  numbers(): readonly number[] {
    this.byte();
    return Array.from({ length: this.u32() }, () => this.ulong());
  }

  /** Everything in front of the last `bytes`. */
  until(bytes: number): Buffer {
    return this.#take(this.#body.length - this.#offset - bytes);
  }

  #take(length: number): Buffer {
    this.#offset += length;
    return this.#body.subarray(this.#offset - length, this.#offset);
  }
}

/** Where the first frame of `bytes` ends; more than there are when they do not even tell. */
export function frameEnd(bytes: Buffer): number {
  if (bytes.length < HEADER_BYTES) return Infinity;
  return HEADER_BYTES + bytes.readUInt32BE(4) + bytes.readUInt32BE(8);
}

/** The body of a whole frame. */
export function frameBody(frame: Buffer): Buffer {
  return frame.subarray(HEADER_BYTES + frame.readUInt32BE(4));
}
