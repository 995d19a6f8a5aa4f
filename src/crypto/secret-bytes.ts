/** Secrets in memory we can overwrite: bytes with a lifetime, which never print themselves. */
import { inspect } from 'node:util';
import { invariant } from '../errors/agent-error.js';

const REDACTED = '[secret]';

/**
 * Zeroed memory for a secret. Not from the shared pool, whose slices have neighbours; and outside the JavaScript heap, where
 * small buffers of other makes lie: the garbage collector moves those, and leaves a copy behind that nobody overwrites.
 */
export function secretBuffer(length: number): Buffer {
  return Buffer.from(new ArrayBuffer(length));
}

/** Owns its bytes; `using` or `dispose` overwrites them. */
export class SecretBytes implements Disposable {
  readonly #bytes: Buffer;
  #disposed = false;

  private constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Copies `source` into memory of its own and overwrites `source`. */
  static take(source: Uint8Array): SecretBytes {
    const bytes = secretBuffer(source.length);
    bytes.set(source);
    source.fill(0);
    return new SecretBytes(bytes);
  }

  /** The bytes themselves, valid until disposal; do not keep. */
  get bytes(): Buffer {
    invariant(!this.#disposed, 'a secret was used after it was overwritten');
    return this.#bytes;
  }

  get length(): number {
    return this.#bytes.length;
  }

  [Symbol.dispose](): void {
    this.#bytes.fill(0);
    this.#disposed = true;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
