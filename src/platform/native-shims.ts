/**
 * The one loader of our native code (`native-shims/`, C against Node-API) and its types. Everything that JavaScript
 * cannot do or cannot do safely: leaf keys that can be wiped, who is on the other end of a socket, process
 * hardening, PKCS#11 logins with bytes instead of strings.
 *
 * All functions are synchronous. A wrong argument throws a TypeError. A failed system call throws an Error with `code`
 * (errno name) that the wrappers around this file turn into `native.call`; ENOMEM of a leaf means a full secure heap.
 */
import { createRequire } from 'node:module';
import { AgentError } from '../errors/agent-error.js';

/** A private key inside OpenSSL, reachable only through the functions below. Wiped by `leafWipe` or on exit. */
export type LeafHandle = object & { readonly __leaf: unique symbol };

export type NativeAlgorithm = 'ecdsa-p256' | 'ed25519';

/** What SO_PEERCRED says, and the start of the process that the pid named at that moment. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** Stops a watch made by `watchProcessExit`. Safe to call more than once. */
export interface ExitWatch {
  close(): void;
}

/** A card held in one transaction, from `pcscOpen` to `pcscClose`. */
export type PcscCard = object & { readonly __card: unique symbol };

export interface PcscReader {
  readonly name: string;
  /** Whether a card is in it. */
  readonly present: boolean;
  /** Another number after a card came or went. */
  readonly events: number;
}

export interface NativeShims {
  /**
   * derive v1, step 2 and 3 (docs/spec/derivation.md): HKDF-SHA-256 over `prf` with `salt` and `context`, reduced to a
   * scalar or taken as a seed. Neither OKM nor scalar ever exists in the JavaScript heap; `prf` is overwritten with zeros.
   */
  leafDerive(algorithm: NativeAlgorithm, salt: Uint8Array, prf: Uint8Array, context: Uint8Array): LeafHandle;
  /** Imports a 32-byte big-endian scalar or seed (tests, benchmarks); `secret` is overwritten with zeros. */
  leafImport(algorithm: NativeAlgorithm, secret: Uint8Array): LeafHandle;
  /** 65-byte uncompressed point, or 32-byte Ed25519 public key. */
  leafPublic(handle: LeafHandle): Buffer;
  /** ECDSA P-256 with SHA-256 as 64-byte r||s, or Ed25519 as 64 bytes, over the message. */
  leafSign(handle: LeafHandle, message: Uint8Array): Buffer;
  /** ECDSA over a 32-byte digest, 64-byte r||s. Throws for Ed25519. */
  leafSignDigest(handle: LeafHandle, digest: Uint8Array): Buffer;
  /** Whether r||s is over the digest (20 to 64 bytes); false for a key (DER SubjectPublicKeyInfo) that is of no elliptic curve. */
  ecdsaVerifyDigest(spki: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean;
  /**
   * The keeper's hot path: signs the message as `leafSign` does and advances the order count in the same call. `state` is
   * 72 bytes: running hash h (32), order number n (8, big endian), key id (32, set by the caller). It becomes n + 1 and
   * SHA-256(h || U64BE(n + 1) || key id || SHA-256(message)); a failure leaves it unchanged. Returns the 64-byte signature
   * followed by the 32-byte SHA-256 of the message.
   */
  leafSignCounted(handle: LeafHandle, message: Uint8Array, state: Uint8Array): Buffer;
  /** Advances the same `state` for an order that was signed elsewhere (on a token, or blind); `messageHash` is 32 bytes. */
  orderAdvance(messageHash: Uint8Array, state: Uint8Array): void;
  /**
   * Copies the 32-byte scalar or seed into `target` for `key install`, the one operation that moves a leaf into another
   * token; the caller overwrites it right after use.
   */
  leafExportInto(handle: LeafHandle, target: Uint8Array): void;
  /** Frees and overwrites the key; every later use of the handle throws ENOKEY. Safe to call more than once. */
  leafWipe(handle: LeafHandle): void;

  /** SO_PEERCRED of a connected Unix socket. */
  peerCredentials(fd: number): PeerCredentials;
  /**
   * Calls `onExit` once when the process that opened the connection has exited: SO_PEERPIDFD where the kernel has it,
   * else pidfd_open with the start time compared before and after. Throws ESRCH when it is already gone.
   */
  watchProcessExit(fd: number, pid: number, onExit: () => void): ExitWatch;

  /** A connected pair of Unix stream sockets, close-on-exec, non-blocking. */
  socketPair(): [number, number];
  /** socket + bind (under umask 0177) + listen without accepting anything; the fd is close-on-exec and non-blocking. */
  listenUnix(path: string, backlog: number): number;
  /** Opens `path` as a directory without following a final symlink and returns owner and mode bits (07777). */
  directoryFacts(path: string): { readonly uid: number; readonly mode: number };
  /** Takes a whole-file write lock (OFD lock) without waiting; false when another process holds it. */
  tryLockFile(fd: number): boolean;

  /** PR_SET_DUMPABLE 0, RLIMIT_CORE 0, PR_SET_NO_NEW_PRIVS, umask 077. */
  hardenProcess(): void;
  /** PR_SET_PDEATHSIG SIGKILL, and exits at once when the parent has already changed from `expectedParent`. */
  dieWithParent(expectedParent: number): void;
  /** What the kernel says of this process: 0 or 1, bytes, 0 or 1. */
  hardeningFacts(): { readonly dumpable: number; readonly coreLimit: number; readonly noNewPrivs: number };
  /**
   * execve: replaces this process. `environment` as NAME=value. Descriptors 0, 1, 2 and those in `keep` (systemd's
   * listening sockets) stay open, all others are close-on-exec. Returns only by throwing.
   */
  replaceProcess(
    path: string,
    argv: readonly string[],
    environment: readonly string[],
    keep?: readonly number[],
  ): never;
  /** One datagram to NOTIFY_SOCKET (sd_notify); a leading @ means the abstract namespace. */
  notifySocket(path: string, state: string): void;

  /** C_Login with bytes (an empty `pin`: the token's own pad). `session` is pkcs11js's 8-byte handle. Returns the CK_RV. `pin` is left to the caller to wipe. */
  pkcs11Login(modulePath: string, session: Uint8Array, userType: number, pin: Uint8Array): number;
  /** C_InitToken with bytes; label is padded to 32 with spaces. Returns the CK_RV. */
  pkcs11InitToken(modulePath: string, slot: Uint8Array, soPin: Uint8Array, label: string): number;
  /** C_InitPIN with bytes in an SO session. Returns the CK_RV. */
  pkcs11InitPin(modulePath: string, session: Uint8Array, pin: Uint8Array): number;

  /**
   * Readers of the system, without touching a card. Loads the PC/SC library; like all four, throws an Error whose `code` is the
   * number of PC/SC (`0x8010001d`: no service), or ELIBACC without a library.
   */
  pcscReaders(): readonly PcscReader[];
  /**
   * Connects, shared with other programs, and begins a transaction. Waits for those of others, at most this long (milliseconds, up to a
   * minute): then `0x8010000b`.
   */
  pcscOpen(reader: string, waitMs: number): PcscCard;
  /** One APDU of 4 to 261 bytes; the answer has its status word at the end. */
  pcscTransmit(card: PcscCard, command: Uint8Array): Buffer;
  /** Ends the transaction; `reset` makes the card forget who was logged in. Safe to call more than once. */
  pcscClose(card: PcscCard, reset: boolean): void;
}

let loaded: NativeShims | undefined;

/** @throws AgentError `native.missing` when the shim is not built: callers fail closed. */
export function nativeShims(): NativeShims {
  if (loaded !== undefined) return loaded;
  const require = createRequire(import.meta.url);
  try {
    loaded = require('../../native-shims/build/Release/touchstone_shims.node') as NativeShims;
    return loaded;
  } catch (cause) {
    throw new AgentError('native.missing', { cause });
  }
}
