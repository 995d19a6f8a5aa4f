/** Secrets in memory we can overwrite: bytes with a lifetime, which never print themselves. */
import { inspect } from 'node:util';
import { invariant } from '../errors/agent-error.js';

const REDACTED = '[secret]';

/** Owns its bytes; `using` or `dispose` overwrites them. */
export class SecretBytes implements Disposable {
  readonly #bytes: Buffer;
  #disposed = false;

  private constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Copies `source` into memory of its own and overwrites `source`. */
  static take(source: Uint8Array): SecretBytes {
    // Not from the shared pool: a slice of the pool could be read past its ends by whoever gets the next slice.
    const bytes = Buffer.allocUnsafeSlow(source.length);
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
