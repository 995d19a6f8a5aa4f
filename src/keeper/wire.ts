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
import { invariant, type ErrorData } from '../errors/agent-error.js';
import type { DerivationRecord, LeafRecord, RootRecord, TokenHome } from '../keys/key-record.js';
import {
  RSA_SCHEMES,
  type DerivedAlgorithm,
  type KeyAlgorithm,
  type RsaScheme,
} from '../crypto/algorithms.js';
import type { ObjectBackend } from '../keys/key-record.js';
import { allocateFrame } from '../encoding/frame.js';
import type { PromptPlace } from '../platform/prompt/prompt-program.js';
import type { OtpSlotInfo } from '../tokenhost/messages.js';

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

export type TokenState = 'absent' | 'present' | 'unlocked' | 'degraded';

export type TokenKind = 'pkcs11' | 'yubikey-piv' | 'yubikey-otp';

export interface TokenStatus {
  /** Name in touchstone.toml. */
  readonly name: string;
  readonly state: TokenState;
  readonly kind: TokenKind;
  readonly uri: string;
  /** Path of the PKCS#11 module, where the configuration names one. */
  readonly module?: string | undefined;
  readonly label?: string | undefined;
  readonly serial?: string | undefined;
  readonly manufacturer?: string | undefined;
  readonly model?: string | undefined;
  readonly firmware?: string | undefined;
  /** OTP slots only. */
  readonly slot?: OtpSlotInfo | undefined;
  readonly onRemoval: 'keep' | 'lock';
  readonly triesLeft?: TriesLeft | undefined;
  /** Why it is absent or degraded. */
  readonly reason?: ErrorData | undefined;
}

/** What a token reveals about the PIN counter: PKCS#11 flags only tell these steps apart. */
export type TriesLeft = 'full' | 'low' | 'last' | 'locked';

export interface LeaseStatus {
  readonly id: string;
  readonly token: string;
  readonly owner: number;
  /** Key ids it covers. */
  readonly keys: readonly string[];
  /** Kinds it covers, as globs. */
  readonly kinds: readonly string[];
  readonly usesLeft: number | null;
  readonly expiresAt: string;
  readonly blind: boolean;
}

export interface KeeperStatus {
  readonly pid: number;
  /** Hex, 16 bytes, new with each keeper. */
  readonly instance: string;
  readonly startedAt: string;
  readonly orders: OrderCount;
  readonly tokens: readonly TokenStatus[];
  readonly leases: readonly LeaseStatus[];
  /** Keys that can sign now. */
  readonly loaded: number;
}

/** The keeper's own count: number of orders signed and the running hash over (number, key id, message hash). */
export interface OrderCount {
  readonly count: number;
  readonly hash: string;
}

/** An order that was signed and whose audit record the front has not acknowledged yet. */
export interface PendingOrder {
  readonly order: number;
  readonly keyId: string;
  readonly messageHash: string;
}

/** A PIN sealed by the client to the keeper's one-time key (RFC 9180). Base64 each. */
export interface SealedPin {
  readonly attempt: string;
  readonly enc: string;
  readonly ciphertext: string;
}

export interface UnlockBegin {
  readonly attempt: string;
  /** X25519 public key, 32 bytes, base64. */
  readonly publicKey: string;
  /** HPKE info, base64: binds serial and attempt id. */
  readonly info: string;
  readonly token: string;
  readonly kind: TokenKind;
  readonly serial: string;
  readonly label: string;
  readonly triesLeft: TriesLeft;
  /** False for an embedded token that is still blank: setup will give it the PIN that is sealed now. */
  readonly initialised: boolean;
  readonly expiresAt: string;
  /** The agent has the PIN asked for, with this: `unlock.ask` goes on. */
  readonly asks?: 'pinentry' | 'askpass' | undefined;
}

export interface LeaseOptions {
  /** Key ids to load; all active leaves of the token when left out. */
  readonly keys?: readonly string[] | undefined;
  readonly kinds?: readonly string[] | undefined;
  readonly uses?: number | undefined;
  readonly seconds?: number | undefined;
  readonly blind?: boolean | undefined;
}

export interface DeriveFields {
  readonly repository: string;
  readonly role: string;
  readonly algorithm: DerivedAlgorithm;
  readonly epoch: number;
  readonly index: number;
}

/** A key that is made on a token: of any algorithm the token has. */
export interface CreateFields extends Omit<DeriveFields, 'algorithm'> {
  readonly algorithm: KeyAlgorithm;
}

/** A user's passphrase on the SSH door, as a salted scrypt hash; base64 each. */
export interface SshLock {
  readonly uid: number;
  readonly salt: string;
  readonly hash: string;
}

/** Everything the front may ask of the keeper besides orders. */
export interface KeeperCalls {
  readonly hello: {
    params: Record<string, never>;
    result: {
      status: KeeperStatus;
      pending: readonly PendingOrder[];
      sshLocks: readonly SshLock[];
      stateDir: string;
      configFile: string;
    };
  };
  readonly status: { params: Record<string, never>; result: KeeperStatus };
  /** Looks at every token now. */
  readonly tokens: { params: Record<string, never>; result: { tokens: readonly TokenStatus[] } };
  readonly 'unlock.begin': { params: { token?: string | undefined }; result: UnlockBegin };
  readonly 'unlock.finish': {
    params: { pin: SealedPin; lease: LeaseOptions; owner: number; useLastTry?: string | undefined };
    result: { lease: LeaseStatus; loaded: number };
  };
  /** Has a person asked for the PIN, with the program of the configuration. `owner` and `pid` are the kernel's word. */
  readonly 'unlock.ask': {
    params: {
      attempt: string;
      lease: LeaseOptions;
      owner: number;
      pid: number;
      place: PromptPlace;
      useLastTry?: string | undefined;
    };
    result: { lease: LeaseStatus; loaded: number };
  };
  /** Nobody waits for that answer any more. */
  readonly 'unlock.cancel': { params: { attempt: string }; result: Record<string, never> };
  /** Generates root and derivation key, derives the audit leaf; the front then has the anchor signed. */
  readonly setup: {
    params: {
      pin: SealedPin;
      backend: ObjectBackend;
      domain: string;
      owner: number;
      seconds?: number | undefined;
      useLastTry?: string | undefined;
      /** Take the keys that an earlier setup left on the token instead of making new ones. */
      adopt?: boolean | undefined;
      /** PIN of the token that holds the root, where it is not the one that derives. */
      rootPin?: SealedPin | undefined;
      /** The serial number that somebody typed: the slot of that key is written anew. */
      programSlotOf?: string | undefined;
    };
    result: { root: RootRecord; derivation: DerivationRecord; audit: LeafRecord; lease: LeaseStatus };
  };
  /** Derives a leaf with the unlocked derivation token and loads it under the lease of that token. */
  readonly derive: { params: { fields: DeriveFields }; result: { keyId: string; publicKey: string } };
  /** Makes a key on a token, which stays its only home: an unlocked one (name, or URI of a home), or the one that `pin` is for. */
  readonly create: {
    params: {
      fields: CreateFields;
      token: string;
      pin?: SealedPin | undefined;
      useLastTry?: string | undefined;
    };
    result: { keyId: string; publicKey: string; home: TokenHome };
  };
  /** Puts a leaf into a second token as a non-extractable key. The leaf's derivation token must be unlocked. */
  readonly install: {
    params: { keyId: string; pin: SealedPin; useLastTry?: string | undefined };
    result: { home: TokenHome };
  };
  /** The keyring file changed: read it again. */
  readonly 'keyring.reload': { params: Record<string, never>; result: { leaves: number } };
  readonly lock: { params: { token?: string | undefined }; result: { locked: number } };
  /** Remembers these for the next front, instead of those before. */
  readonly 'ssh.locks': { params: { locks: readonly SshLock[] }; result: Record<string, never> };
  readonly 'order.cancel': { params: { order: number }; result: { cancelled: boolean } };
}

export type KeeperMethod = keyof KeeperCalls;

export type KeeperEvent =
  | { readonly event: 'token'; readonly token: TokenStatus }
  | { readonly event: 'lease-opened'; readonly lease: LeaseStatus }
  | {
      readonly event: 'lease-ending';
      readonly lease: LeaseStatus;
      readonly reason: LeaseEnd;
      readonly graceMs: number;
    }
  | { readonly event: 'lease-ended'; readonly lease: LeaseStatus; readonly reason: LeaseEnd }
  | { readonly event: 'waiting'; readonly order: number; readonly token: string; readonly ahead: number }
  /** A key blinks: somebody has to touch it before it gives up. */
  | { readonly event: 'touch'; readonly token: string; readonly secondsLeft: number }
  /** The agent unlocked a token by itself, with the PIN that the configuration names. */
  | { readonly event: 'unlocked'; readonly lease: LeaseStatus; readonly loaded: number }
  | { readonly event: 'unlock-failed'; readonly token: string; readonly error: ErrorData }
  | { readonly event: 'reload' }
  | { readonly event: 'drain' };

export type LeaseEnd = 'expired' | 'locked' | 'hangup' | 'removed' | 'uses' | 'stopping' | 'token-lost';

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

/** @param keyId 32 raw bytes as latin1. */
export function encodeOrder(order: Order): Buffer {
  const kindLength = order.kind.length;
  const frame = allocateFrame(ORDER_HEAD + kindLength + order.message.length);
  frame[4] = FrameType.order;
  frame.writeUInt32BE(order.id, 5);
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

function flagsOf({ blind, scheme }: Order): number {
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
