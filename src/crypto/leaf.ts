/**
 * A derived private key that can be wiped. It lives behind a native handle (`native-shims`): neither the scalar nor what it was
 * computed from ever exists in the JavaScript heap.
 */
import { AgentError } from '../errors/agent-error.js';
import { errnoOf } from '../platform/errno.js';
import { nativeShims, type LeafHandle, type NativeShims } from '../platform/native-shims.js';
import type { DerivedAlgorithm } from './algorithms.js';
import { spkiFromRaw } from './public-key.js';

/** Inputs of steps 2 and 3 of derive v1. */
export interface LeafInputs {
  readonly algorithm: DerivedAlgorithm;
  /** `saltFor(backend)`. */
  readonly salt: Uint8Array;
  /** The token's PRF output, 32 bytes; overwritten with zeros. */
  readonly prf: Uint8Array;
  /** `encodeContext(fields)`. */
  readonly context: Uint8Array;
}

export class Leaf implements Disposable {
  readonly algorithm: DerivedAlgorithm;
  readonly #handle: LeafHandle;
  readonly #shims: NativeShims;

  private constructor(algorithm: DerivedAlgorithm, handle: LeafHandle, shims: NativeShims) {
    this.algorithm = algorithm;
    this.#handle = handle;
    this.#shims = shims;
  }

  /**
   * derive v1, steps 2 and 3 (docs/spec/derivation.md).
   * @throws AgentError `lease.secure-heap` when there is no room for another key.
   */
  static derive({ algorithm, salt, prf, context }: LeafInputs): Leaf {
    const shims = nativeShims();
    const handle = native('deriving a key', () => shims.leafDerive(algorithm, salt, prf, context));
    return new Leaf(algorithm, handle, shims);
  }

  /**
   * Takes a 32-byte big-endian scalar or Ed25519 seed, which is overwritten with zeros.
   * @throws AgentError `lease.secure-heap`; `native.call` when the scalar is not in 1..n-1.
   */
  static import(algorithm: DerivedAlgorithm, secret: Uint8Array): Leaf {
    const shims = nativeShims();
    return new Leaf(
      algorithm,
      native('importing a key', () => shims.leafImport(algorithm, secret)),
      shims,
    );
  }

  /** DER SubjectPublicKeyInfo. @throws AgentError `key.locked` once wiped, like all that follow. */
  publicKeySpki(): Buffer {
    const raw = native('reading a public key', () => this.#shims.leafPublic(this.#handle));
    return spkiFromRaw(this.algorithm, raw);
  }

  /** 64 bytes: r||s over SHA-256 of the message, or Ed25519 over the message. */
  sign(message: Uint8Array): Buffer {
    return native('signing', () => this.#shims.leafSign(this.#handle, message));
  }

  /**
   * 64 bytes r||s over a 32-byte digest.
   * @throws AgentError `usage.invalid` for Ed25519, which signs messages only.
   */
  signDigest(digest: Uint8Array): Buffer {
    if (this.algorithm === 'ed25519') {
      throw new AgentError('usage.invalid', { message: 'signing a digest: Ed25519 signs messages only' });
    }
    return native('signing a digest', () => this.#shims.leafSignDigest(this.#handle, digest));
  }

  /** Signs and advances the keeper's 72-byte order count (`leafSignCounted`): 64-byte signature, 32-byte message hash. */
  signCounted(message: Uint8Array, state: Uint8Array): Buffer {
    return native('signing', () => this.#shims.leafSignCounted(this.#handle, message, state));
  }

  /** Copies the 32-byte scalar or seed into `target` for `key install`; the caller overwrites it right after use. */
  exportInto(target: Uint8Array): void {
    native('copying a key', () => {
      this.#shims.leafExportInto(this.#handle, target);
    });
  }

  /** Overwrites the key. Safe to call more than once. */
  wipe(): void {
    this.#shims.leafWipe(this.#handle);
  }

  [Symbol.dispose](): void {
    this.wipe();
  }
}

function native<T>(doing: string, call: () => T): T {
  try {
    return call();
  } catch (cause) {
    const errno = errnoOf(cause);
    switch (errno) {
      case 'ENOMEM':
        throw new AgentError('lease.secure-heap', { cause });
      case 'ENOKEY':
        throw new AgentError('key.locked', { cause });
      default:
        throw new AgentError('native.call', { message: `${doing}: ${errno}`, cause });
    }
  }
}
