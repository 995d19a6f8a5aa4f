/**
 * The stream of a connection cut into frames: one byte with the version the client knows, then frames of
 * u32 call code, u32 length of options, u32 length of body, options, body. Holds at most one frame and what arrived with it.
 */
import { AgentError } from '../../errors/agent-error.js';

/** Ours: far above what clients send, small enough for hundreds of connections. */
export const MAX_BODY_BYTES = 256 * 1024;
/** Ours: a module name stands here, which nobody needs. */
const MAX_OPTION_BYTES = 4096;
const HEADER_BYTES = 12;
const NOTHING = Buffer.alloc(0);

export interface RpcFrame {
  readonly callCode: number;
  /** A view; only valid until the next `push`. */
  readonly body: Buffer;
}

export class RpcFrames {
  #pending: Buffer = NOTHING;
  #version: number | undefined;

  /** The version the client offered, once it has come. */
  get version(): number | undefined {
    return this.#version;
  }

  /** Bytes that wait. */
  get length(): number {
    return this.#pending.length;
  }

  push(chunk: Buffer): void {
    let bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    if (this.#version === undefined && bytes.length > 0) {
      this.#version = bytes.readUInt8(0);
      bytes = bytes.subarray(1);
    }
    this.#pending = bytes;
  }

  /**
   * The next whole frame, or undefined.
   * @throws AgentError `pkcs11.malformed` for lengths over the limits
   */
  next(): RpcFrame | undefined {
    const bytes = this.#pending;
    if (bytes.length < HEADER_BYTES) return undefined;
    const optionBytes = bytes.readUInt32BE(4);
    const bodyBytes = bytes.readUInt32BE(8);
    if (optionBytes > MAX_OPTION_BYTES || bodyBytes > MAX_BODY_BYTES) {
      throw new AgentError('pkcs11.malformed', { message: 'reading a PKCS#11 call: the frame is too large' });
    }
    const begin = HEADER_BYTES + optionBytes;
    const end = begin + bodyBytes;
    if (bytes.length < end) return undefined;
    this.#pending = bytes.length === end ? NOTHING : bytes.subarray(end);
    return { callCode: bytes.readUInt32BE(0), body: bytes.subarray(begin, end) };
  }
}
