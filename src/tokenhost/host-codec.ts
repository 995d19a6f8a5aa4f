/**
 * Frames between keeper and token host, both directions (messages.ts has the layout). Raw parts hold PINs, scalars and PRF
 * values: decoding hands out a view, so whoever owns the frame overwrites the secret with it. Nothing here turns raw
 * bytes into a string.
 */
import { AgentError } from '../errors/agent-error.js';
import { HOST_METHODS, MAX_HOST_FRAME_BYTES, type HostMethod } from './messages.js';

/** Opcodes of answers. In requests the opcode is the index of the method in HOST_METHODS. */
export const HostOpcode = { ok: 0, error: 1 } as const;

export type HostAnswerOpcode = (typeof HostOpcode)[keyof typeof HostOpcode];

export interface HostFrame {
  readonly id: number;
  readonly opcode: number;
  /** Parsed JSON, not checked. */
  readonly header: unknown;
  /** A view into the frame: copy what must stay, overwrite what is secret. */
  readonly raw: Buffer;
}

const LENGTH_BYTES = 4;
/** u32 id, u8 opcode, u32 header length. */
const FIXED_BYTES = 9;

const NO_BYTES = Buffer.alloc(0);

/**
 * One whole frame, its length included: a request when `what` is a method, else an answer. The caller overwrites `raw`,
 * and the frame once it was written.
 * @throws AgentError `limits.frame-too-large`
 */
export function encodeHostFrame(
  id: number,
  what: HostMethod | HostAnswerOpcode,
  header: unknown,
  raw: Uint8Array = NO_BYTES,
): Buffer {
  const json = JSON.stringify(header);
  const jsonBytes = Buffer.byteLength(json);
  const following = FIXED_BYTES + jsonBytes + raw.length;
  if (following > MAX_HOST_FRAME_BYTES) {
    throw new AgentError('limits.frame-too-large', { message: `a token host frame of ${following} bytes` });
  }
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + following);
  frame.writeUInt32BE(following, 0);
  frame.writeUInt32BE(id, 4);
  frame.writeUInt8(typeof what === 'string' ? HOST_METHODS.indexOf(what) : what, 8);
  frame.writeUInt32BE(jsonBytes, 9);
  frame.write(json, LENGTH_BYTES + FIXED_BYTES, jsonBytes, 'utf8');
  frame.set(raw, LENGTH_BYTES + FIXED_BYTES + jsonBytes);
  return frame;
}

/**
 * Reads a frame without its length, as the pipe hands it out.
 * @throws AgentError `internal.unexpected` when it is not of this format: the pipe is broken, close it
 */
export function decodeHostFrame(frame: Buffer): HostFrame {
  if (frame.length < FIXED_BYTES) throw broken('too short');
  const headerEnd = FIXED_BYTES + frame.readUInt32BE(5);
  if (headerEnd > frame.length) throw broken('the header is longer than the frame');
  return {
    id: frame.readUInt32BE(0),
    opcode: frame.readUInt8(4),
    header: parseHeader(frame.subarray(FIXED_BYTES, headerEnd)),
    raw: frame.subarray(headerEnd),
  };
}

/** The method a request names. @throws AgentError `internal.unexpected` */
export function hostMethodOf(opcode: number): HostMethod {
  const method: HostMethod | undefined = HOST_METHODS[opcode];
  if (method === undefined) throw broken(`unknown method ${opcode}`);
  return method;
}

function parseHeader(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    // The engine's own message quotes the text it could not read; this one does not.
    throw broken('the header is not JSON');
  }
}

function broken(what: string): AgentError {
  return new AgentError('internal.unexpected', { message: `token host frame: ${what}` });
}
