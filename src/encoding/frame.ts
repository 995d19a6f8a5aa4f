/**
 * Length-prefixed frames on the pipes between our processes: u32 (big endian) length of what follows, then that many
 * bytes. What a frame holds is for its pipe to say (keeper/wire, tokenhost/messages).
 */
import { AgentError } from '../errors/agent-error.js';

const HEADER_BYTES = 4;

/** A buffer with the length written and room for `bodyBytes` from offset 4 on; the room is not cleared. */
export function allocateFrame(bodyBytes: number): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + bodyBytes);
  frame.writeUInt32BE(bodyBytes, 0);
  return frame;
}

/** One frame out of its parts. The caller of a frame that holds a secret overwrites it after writing. */
export function encodeFrame(...parts: readonly Uint8Array[]): Buffer {
  let bodyBytes = 0;
  for (const part of parts) bodyBytes += part.length;
  const frame = allocateFrame(bodyBytes);
  let offset = HEADER_BYTES;
  for (const part of parts) {
    frame.set(part, offset);
    offset += part.length;
  }
  return frame;
}

/**
 * Cuts a byte stream into frames. A frame that lies inside one chunk is handed out as a view of that chunk; a frame
 * that was split is handed out in a buffer of its own. Either way the receiver copies what it keeps and
 * may overwrite the frame.
 */
export class FrameDecoder implements Disposable {
  readonly #maxFrameBytes: number;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerFilled = 0;
  #body: Buffer | undefined;
  #bodyFilled = 0;

  constructor(maxFrameBytes: number) {
    this.#maxFrameBytes = maxFrameBytes;
  }

  /** True between frames: a stream that ends otherwise was cut. */
  get isIdle(): boolean {
    return this.#headerFilled === 0;
  }

  /**
   * Takes the next bytes of the stream and calls `onFrame` for each frame they complete.
   * @throws AgentError `limits.frame-too-large`; the stream cannot be continued after that.
   */
  push(chunk: Buffer, onFrame: (frame: Buffer) => void): void {
    let offset = this.isIdle ? 0 : this.#resume(chunk, onFrame);
    while (chunk.length - offset >= HEADER_BYTES) {
      const length = this.#checked(chunk.readUInt32BE(offset));
      const end = offset + HEADER_BYTES + length;
      if (end > chunk.length) break;
      onFrame(chunk.subarray(offset + HEADER_BYTES, end));
      offset = end;
    }
    if (offset < chunk.length) this.#keep(chunk, offset);
  }

  /** Overwrites what is held of an unfinished frame. */
  [Symbol.dispose](): void {
    this.#body?.fill(0);
    this.#reset();
  }

  /** Goes on with the unfinished frame; returns the offset of the first byte after it. */
  #resume(chunk: Buffer, onFrame: (frame: Buffer) => void): number {
    const offset = this.#fill(chunk, 0);
    if (this.#body !== undefined && this.#bodyFilled === this.#body.length) {
      const frame = this.#body;
      this.#reset();
      onFrame(frame);
    }
    return offset;
  }

  #keep(chunk: Buffer, offset: number): void {
    this.#fill(chunk, offset);
  }

  /** Copies header, then body, as far as the chunk reaches. */
  #fill(chunk: Buffer, from: number): number {
    let offset = from;
    if (this.#body === undefined) {
      const copied = chunk.copy(this.#header, this.#headerFilled, offset);
      this.#headerFilled += copied;
      offset += copied;
      if (this.#headerFilled < HEADER_BYTES) return offset;
      this.#body = Buffer.alloc(this.#checked(this.#header.readUInt32BE(0)));
    }
    const copied = chunk.copy(this.#body, this.#bodyFilled, offset);
    this.#bodyFilled += copied;
    return offset + copied;
  }

  #checked(length: number): number {
    if (length > this.#maxFrameBytes) {
      throw new AgentError('limits.frame-too-large', {
        message: `a frame of ${length} bytes; at most ${this.#maxFrameBytes} are taken`,
        details: { bytes: length, maxBytes: this.#maxFrameBytes },
      });
    }
    return length;
  }

  #reset(): void {
    this.#headerFilled = 0;
    this.#body = undefined;
    this.#bodyFilled = 0;
  }
}
