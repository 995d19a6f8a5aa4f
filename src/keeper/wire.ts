/**
 * The pipe between front and keeper: length-prefixed frames on an inherited socket pair. Orders and signatures are
 * binary because every client signature passes here; everything else is a JSON call with an id.
 *
 * Frame (big endian): u32 length of what follows, u8 type, body.
 *
 *   ORDER     u32 id, u8 flags (1 = blind digest; bits 1 to 3: 0, or 1 + index of an RSA scheme), u32 deadlineMs, 32-byte key id, u8 kind length, kind (ASCII), message
 *   ACK       u64 order number: the front has written the audit records of all orders up to it
 *   CALL      u32 id, JSON {method, params}; sealed PINs travel inside as base64 ciphertext
 *   SIGNED    u32 id, u64 order number, 32-byte message hash, 32-byte running hash after this order, signature
 *   REFUSED   u32 id, JSON ErrorData
 *   RESULT    u32 id, JSON {result} or {error: ErrorData}
 *   EVENT     u32 0, JSON KeeperEvent
 *
 * Order numbers are given when a signature is made, and SIGNED frames leave in that order. The running hash is
 * h(0) = SHA-256("touchstone-orders-v1" || instance), h(n) = SHA-256(h(n-1) || U64BE(n) || key id || SHA-256(message)).
 */
import { RSA_SCHEMES, type RsaScheme } from '../crypto/algorithms.js';
import { allocateFrame } from '../encoding/frame.js';
import { invariant } from '../errors/agent-error.js';
import type { KeeperEvent } from './wire-calls.js';

export type * from './wire-calls.js';
export type * from './wire-cards.js';

export const FrameType = {
  order: 1,
  ack: 2,
  call: 3,
  signed: 129,
  refused: 130,
  result: 131,
  event: 132,
} as const;

/** Largest frame on this pipe, in bytes; larger ones end the front (its own limits are far below). */
export const MAX_PIPE_FRAME_BYTES = 8 * 1024 * 1024;

/** Frames written before a flush: a whole tick's worth would run both processes in lock-step (see limits of design). */
export const FLUSH_AFTER_FRAMES = 8;

const ORDER_FLAG_BLIND = 1;
const ORDER_SCHEME_SHIFT = 1;
const ORDER_SCHEME_MASK = 7;

/** One order as it stands in a frame. `message` and `keyId` are views into the frame. */
export interface Order {
  readonly id: number;
  readonly blind: boolean;
  readonly deadlineMs: number;
  /** 32 raw bytes as a latin1 string: the fastest key of a Map. */
  readonly keyId: string;
  readonly kind: string;
  readonly message: Buffer;
  /** How an RSA key is to sign; for other keys undefined. */
  readonly scheme?: RsaScheme | undefined;
}

const ORDER_HEAD = 1 + 4 + 1 + 4 + 32 + 1;
const SIGNED_HEAD = 1 + 4 + 8 + 32 + 32;

/** The id beside the order, not in a copy of it: 60,000 orders a second pass here. */
export function encodeOrder(id: number, order: Omit<Order, 'id'>): Buffer {
  const kindLength = order.kind.length;
  const frame = allocateFrame(ORDER_HEAD + kindLength + order.message.length);
  frame[4] = FrameType.order;
  frame.writeUInt32BE(id, 5);
  frame[9] = flagsOf(order);
  frame.writeUInt32BE(order.deadlineMs, 10);
  frame.write(order.keyId, 14, 32, 'latin1');
  frame[46] = kindLength;
  frame.write(order.kind, 47, kindLength, 'latin1');
  order.message.copy(frame, 47 + kindLength);
  return frame;
}

/** @param frame without its length. */
export function decodeOrder(frame: Buffer): Order {
  invariant(frame.length >= ORDER_HEAD, 'order frame too short');
  const kindEnd = 43 + frame.readUInt8(42);
  invariant(frame.length >= kindEnd, 'order frame too short for its kind');
  return {
    id: frame.readUInt32BE(1),
    blind: (frame.readUInt8(5) & ORDER_FLAG_BLIND) !== 0,
    scheme: schemeOf(frame.readUInt8(5)),
    deadlineMs: frame.readUInt32BE(6),
    keyId: frame.toString('latin1', 10, 42),
    kind: frame.toString('latin1', 43, kindEnd),
    message: frame.subarray(kindEnd),
  };
}

function flagsOf({ blind, scheme }: Pick<Order, 'blind' | 'scheme'>): number {
  const scheming = scheme === undefined ? 0 : RSA_SCHEMES.indexOf(scheme) + 1;
  return (blind ? ORDER_FLAG_BLIND : 0) | (scheming << ORDER_SCHEME_SHIFT);
}

function schemeOf(flags: number): RsaScheme | undefined {
  const number = (flags >> ORDER_SCHEME_SHIFT) & ORDER_SCHEME_MASK;
  return number === 0 ? undefined : RSA_SCHEMES[number - 1];
}

/** A released order. Buffers are copies. */
export interface Signed {
  readonly id: number;
  readonly order: number;
  readonly messageHash: string;
  readonly runningHash: string;
  readonly signature: Buffer;
}

/** @param counted order count and running hash after the order (32 + 8 bytes). */
export function encodeSigned(id: number, counted: Buffer, messageHash: Buffer, signature: Buffer): Buffer {
  const frame = allocateFrame(SIGNED_HEAD + signature.length);
  frame[4] = FrameType.signed;
  frame.writeUInt32BE(id, 5);
  counted.copy(frame, 9, 32, 40);
  messageHash.copy(frame, 17, 0, 32);
  counted.copy(frame, 49, 0, 32);
  signature.copy(frame, 81);
  return frame;
}

export function decodeSigned(frame: Buffer): Signed {
  invariant(frame.length > SIGNED_HEAD, 'signed frame too short');
  return {
    id: frame.readUInt32BE(1),
    order: frame.readUInt32BE(5) * 2 ** 32 + frame.readUInt32BE(9),
    messageHash: frame.toString('hex', 13, 45),
    runningHash: frame.toString('hex', 45, 77),
    signature: Buffer.from(frame.subarray(77)),
  };
}

/** Frames whose body is a u32 id and JSON: CALL, RESULT, REFUSED. */
export function encodeJsonFrame(type: number, id: number, value: unknown): Buffer {
  const json = Buffer.from(JSON.stringify(value), 'utf8');
  const frame = allocateFrame(5 + json.length);
  frame[4] = type;
  frame.writeUInt32BE(id, 5);
  json.copy(frame, 9);
  return frame;
}

/** The id and the JSON value; the caller knows its type from the frame type. */
export function decodeJsonFrame(frame: Buffer): { readonly id: number; readonly value: unknown } {
  invariant(frame.length > 5, 'frame too short');
  return { id: frame.readUInt32BE(1), value: JSON.parse(frame.toString('utf8', 5)) as unknown };
}

export function encodeEvent(event: KeeperEvent): Buffer {
  return encodeJsonFrame(FrameType.event, 0, event);
}

export function encodeAck(order: number): Buffer {
  const frame = allocateFrame(9);
  frame[4] = FrameType.ack;
  frame.writeBigUInt64BE(BigInt(order), 5);
  return frame;
}

export function decodeAck(frame: Buffer): number {
  invariant(frame.length === 9, 'ack frame has another length');
  return Number(frame.readBigUInt64BE(1));
}
