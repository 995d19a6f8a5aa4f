/**
 * Frames between keeper and token host, both directions (messages.ts has the layout). Raw parts hold PINs, scalars and PRF
 * values: they are handed out as views into memory that the decoder overwrites as soon as the callback returns, and an
 * encoded frame is meant to be overwritten once it was written. Nothing here turns raw bytes into a string.
 */
import { AgentError, type ErrorData } from '../errors/agent-error.js';
import {
  HOST_METHODS,
  MAX_HOST_FRAME_BYTES,
  type HostCalls,
  type HostMethod,
  type HostNotice,
} from './messages.js';

/** u32 length, u32 id, u8 opcode, u32 header length. */
const LENGTH_BYTES = 4;
const FIXED_BYTES = 9;
const PREFIX_BYTES = LENGTH_BYTES + FIXED_BYTES;

/** Opcodes of answers; in requests the opcode is the index of the method in HOST_METHODS. */
const OPCODE_OK = 0;
const OPCODE_ERROR = 1;
const OPCODE_NOTICE = 2;

const NO_BYTES = Buffer.alloc(0);

/** One frame; `header` and `raw` are views that are zero after the decoder's callback returned: copy what must stay. */
export interface HostFrame {
  readonly id: number;
  readonly opcode: number;
  readonly header: Buffer;
  readonly raw: Buffer;
}

/** A request as the host receives it; the host checks each parameter before use. */
export interface HostRequest {
  readonly id: number;
  readonly method: HostMethod;
  readonly params: unknown;
  readonly raw: Buffer;
}

/** An answer as the keeper receives it. `result` is what the method promises; the error is plain data. */
export type HostReply =
  | { readonly id: number; readonly ok: true; readonly result: unknown; readonly raw: Buffer }
  | { readonly id: number; readonly ok: false; readonly error: ErrorData };

function encode(id: number, opcode: number, header: unknown, raw: Uint8Array): Buffer {
  const json = JSON.stringify(header);
  const jsonBytes = Buffer.byteLength(json);
  const following = FIXED_BYTES + jsonBytes + raw.length;
  if (following > MAX_HOST_FRAME_BYTES) {
    throw new AgentError('limits.frame-too-large', { message: `token host frame: ${following} bytes` });
  }
  // Not from the shared pool: a frame with secrets is overwritten by its owner, who must own all of it.
  const frame = Buffer.allocUnsafeSlow(LENGTH_BYTES + following);
  frame.writeUInt32BE(following, 0);
  frame.writeUInt32BE(id, 4);
  frame.writeUInt8(opcode, 8);
  frame.writeUInt32BE(jsonBytes, 9);
  frame.write(json, PREFIX_BYTES, jsonBytes, 'utf8');
  frame.set(raw, PREFIX_BYTES + jsonBytes);
  return frame;
}

/**
 * A request to the token host. The caller overwrites `raw` now and the frame after it was written.
 * @throws AgentError `limits.frame-too-large`
 */
export function encodeHostRequest<M extends HostMethod>(
  id: number,
  method: M,
  params: HostCalls[M]['params'],
  raw: Uint8Array = NO_BYTES,
): Buffer {
  return encode(id, HOST_METHODS.indexOf(method), params, raw);
}

/** An answer with a result; same rules for overwriting. */
export function encodeHostResult(id: number, result: unknown, raw: Uint8Array = NO_BYTES): Buffer {
  return encode(id, OPCODE_OK, result, raw);
}

/** An answer that says why the call failed. */
export function encodeHostFailure(id: number, error: ErrorData): Buffer {
  return encode(id, OPCODE_ERROR, error, NO_BYTES);
}

/** A notice; it belongs to no request. */
export function encodeHostNotice(notice: HostNotice): Buffer {
  return encode(0, OPCODE_NOTICE, notice, NO_BYTES);
}

/** The notice in a frame, if it is one. */
export function parseHostNotice(frame: HostFrame): HostNotice | undefined {
  return frame.opcode === OPCODE_NOTICE ? (parseHeader(frame) as HostNotice) : undefined;
}

function parseHeader(frame: HostFrame): unknown {
  try {
    return JSON.parse(frame.header.toString('utf8'));
  } catch {
    // The engine's message quotes the text it could not read; ours does not.
    throw new AgentError('internal.unexpected', { message: 'token host frame: the header is not JSON' });
  }
}

/** @throws AgentError `internal.unexpected` for an unknown opcode or a header that is not JSON: the pipe is broken. */
export function parseHostRequest(frame: HostFrame): HostRequest {
  const method: HostMethod | undefined = HOST_METHODS[frame.opcode];
  if (method === undefined) {
    throw new AgentError('internal.unexpected', {
      message: `token host frame: unknown opcode ${frame.opcode}`,
    });
  }
  return { id: frame.id, method, params: parseHeader(frame), raw: frame.raw };
}

function isErrorData(value: unknown): value is ErrorData {
  if (typeof value !== 'object' || value === null) return false;
  const { code, message, hint } = value as Record<string, unknown>;
  return typeof code === 'string' && typeof message === 'string' && typeof hint === 'string';
}

/**
 * Reads an answer; `raw` is only valid during the decoder's callback.
 * @throws AgentError `internal.unexpected` when the frame is not an answer: end the host.
 */
export function parseHostReply(frame: HostFrame): HostReply {
  const header = parseHeader(frame);
  if (frame.opcode === OPCODE_OK) return { id: frame.id, ok: true, result: header, raw: frame.raw };
  if (frame.opcode === OPCODE_ERROR && isErrorData(header)) return { id: frame.id, ok: false, error: header };
  throw new AgentError('internal.unexpected', {
    message: `token host frame: unknown answer ${frame.opcode}`,
  });
}

/**
 * Cuts a byte stream into frames. `push` takes ownership of the chunk: it is overwritten with zeros before `push` returns,
 * frames in it are views, and a frame split over chunks is collected in a buffer that is overwritten too.
 */
export class HostFrameDecoder {
  readonly #pending = Buffer.allocUnsafeSlow(LENGTH_BYTES + MAX_HOST_FRAME_BYTES);
  #have = 0;

  /** @throws AgentError `limits.frame-too-large` or `internal.unexpected`: the pipe is broken, close it. */
  push(chunk: Uint8Array, onFrame: (frame: HostFrame) => void): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    try {
      let at = 0;
      while (at < bytes.length) {
        at +=
          this.#have === 0
            ? this.#takeWhole(bytes.subarray(at), onFrame)
            : this.#collect(bytes.subarray(at), onFrame);
      }
    } finally {
      bytes.fill(0);
    }
  }

  /** Overwrites a half-received frame; for the end of the pipe. */
  wipe(): void {
    this.#pending.fill(0, 0, this.#have);
    this.#have = 0;
  }

  /** Emits a frame that lies wholly in `bytes`, else starts collecting. Returns the bytes consumed. */
  #takeWhole(bytes: Buffer, onFrame: (frame: HostFrame) => void): number {
    if (bytes.length < LENGTH_BYTES) return this.#collect(bytes, onFrame);
    const end = LENGTH_BYTES + frameLength(bytes);
    if (bytes.length < end) return this.#collect(bytes, onFrame);
    onFrame(readFrame(bytes.subarray(0, end)));
    return end;
  }

  #collect(bytes: Buffer, onFrame: (frame: HostFrame) => void): number {
    const target = this.#have < LENGTH_BYTES ? LENGTH_BYTES : LENGTH_BYTES + frameLength(this.#pending);
    const taken = Math.min(target - this.#have, bytes.length);
    bytes.copy(this.#pending, this.#have, 0, taken);
    this.#have += taken;
    if (this.#have < LENGTH_BYTES) return taken;
    const end = LENGTH_BYTES + frameLength(this.#pending);
    if (this.#have === end) {
      try {
        onFrame(readFrame(this.#pending.subarray(0, end)));
      } finally {
        this.wipe();
      }
    }
    return taken;
  }
}

function frameLength(bytes: Buffer): number {
  const length = bytes.readUInt32BE(0);
  if (length > MAX_HOST_FRAME_BYTES) {
    throw new AgentError('limits.frame-too-large', {
      message: `token host frame: ${length} bytes announced`,
    });
  }
  if (length < FIXED_BYTES) {
    throw new AgentError('internal.unexpected', { message: `token host frame: ${length} bytes announced` });
  }
  return length;
}

function readFrame(frame: Buffer): HostFrame {
  const headerEnd = PREFIX_BYTES + frame.readUInt32BE(9);
  if (headerEnd > frame.length) {
    throw new AgentError('internal.unexpected', {
      message: 'token host frame: the header is longer than the frame',
    });
  }
  return {
    id: frame.readUInt32BE(4),
    opcode: frame.readUInt8(8),
    header: frame.subarray(PREFIX_BYTES, headerEnd),
    raw: frame.subarray(headerEnd),
  };
}
