/**
 * The pipe between front and keeper: length-prefixed frames on an inherited socket pair. Orders and signatures are
 * binary because every client signature passes here; everything else is a JSON call with an id.
 *
 * Frame (big endian): u32 length of what follows, u8 type, body.
 *
 *   ORDER     u32 id, u8 flags (1 = blind digest), u32 deadlineMs, 32-byte key id, u8 kind length, kind (ASCII), message
 *   ACK       u64 order number: the front has written the audit records of all orders up to it
 *   CALL      u32 id, JSON {method, params}; sealed PINs travel inside as base64 ciphertext
 *   SIGNED    u32 id, u64 order number, 32-byte message hash, 32-byte running hash after this order, signature
 *   REFUSED   u32 id, JSON ErrorData
 *   RESULT    u32 id, JSON {result} or {error: ErrorData}
 *   EVENT     JSON KeeperEvent
 *
 * Order numbers are given when a signature is made, and SIGNED frames leave in that order. The running hash is
 * h(0) = SHA-256("touchstone-orders-v1" || instance), h(n) = SHA-256(h(n-1) || U64BE(n) || key id || SHA-256(message)).
 */
import type { ErrorData } from '../errors/agent-error.js';
import type { DerivationRecord, LeafRecord, RootRecord, TokenHome } from '../keys/key-record.js';
import type { DerivationBackend, KeyAlgorithm } from '../keys/key-record.js';

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

export const ORDER_FLAG_BLIND = 1;

export type TokenState = 'absent' | 'present' | 'unlocked' | 'degraded';

export interface TokenStatus {
  /** Name in touchstone.toml. */
  readonly name: string;
  readonly state: TokenState;
  readonly uri: string;
  readonly module: string;
  readonly label?: string | undefined;
  readonly serial?: string | undefined;
  readonly manufacturer?: string | undefined;
  readonly model?: string | undefined;
  readonly firmware?: string | undefined;
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
  readonly serial: string;
  readonly label: string;
  readonly triesLeft: TriesLeft;
  readonly expiresAt: string;
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
  readonly algorithm: KeyAlgorithm;
  readonly epoch: number;
  readonly index: number;
}

/** Everything the front may ask of the keeper besides orders. */
export interface KeeperCalls {
  readonly hello: {
    params: Record<string, never>;
    result: { status: KeeperStatus; pending: readonly PendingOrder[]; stateDir: string; configFile: string };
  };
  readonly status: { params: Record<string, never>; result: KeeperStatus };
  readonly 'unlock.begin': { params: { token?: string | undefined }; result: UnlockBegin };
  readonly 'unlock.finish': {
    params: { pin: SealedPin; lease: LeaseOptions; owner: number; useLastTry?: string | undefined };
    result: { lease: LeaseStatus; loaded: number };
  };
  /** Generates root and derivation key, derives the audit leaf; the front then has the anchor signed. */
  readonly setup: {
    params: {
      pin: SealedPin;
      backend: DerivationBackend;
      domain: string;
      owner: number;
      seconds?: number | undefined;
      useLastTry?: string | undefined;
    };
    result: { root: RootRecord; derivation: DerivationRecord; audit: LeafRecord; lease: LeaseStatus };
  };
  /** Derives a leaf with the unlocked derivation token and loads it under the lease of that token. */
  readonly derive: { params: { fields: DeriveFields }; result: { keyId: string; publicKey: string } };
  /** Puts a leaf into a second token as a non-extractable key. The leaf's derivation token must be unlocked. */
  readonly install: {
    params: { keyId: string; pin: SealedPin; useLastTry?: string | undefined };
    result: { home: TokenHome };
  };
  /** The keyring file changed: read it again. */
  readonly 'keyring.reload': { params: Record<string, never>; result: { leaves: number } };
  readonly lock: { params: { token?: string | undefined }; result: { locked: number } };
  readonly 'order.cancel': { params: { order: number }; result: { cancelled: boolean } };
}

export type KeeperMethod = keyof KeeperCalls;

export type KeeperEvent =
  | { readonly event: 'token'; readonly token: TokenStatus }
  | { readonly event: 'lease-opened'; readonly lease: LeaseStatus }
  | { readonly event: 'lease-ending'; readonly lease: LeaseStatus; readonly reason: LeaseEnd; readonly graceMs: number }
  | { readonly event: 'lease-ended'; readonly lease: LeaseStatus; readonly reason: LeaseEnd }
  | { readonly event: 'waiting'; readonly order: number; readonly token: string; readonly ahead: number }
  | { readonly event: 'unlock-failed'; readonly token: string; readonly error: ErrorData }
  | { readonly event: 'reload' }
  | { readonly event: 'drain' };

export type LeaseEnd = 'expired' | 'locked' | 'removed' | 'uses' | 'stopping' | 'token-lost';
