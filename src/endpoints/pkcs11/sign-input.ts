/**
 * The bytes of one signing operation on their way to 32 bytes of digest. ECDSA takes the leftmost bits of a longer digest (FIPS 186-5
 * section 6.4.1); a shorter one is refused, SHA-1 among them.
 */
import { createHash, type Hash } from 'node:crypto';
import { CKM } from './cryptoki.js';

const DIGEST_BYTES = 32;
/** Of the digests that callers bring themselves: SHA-256, SHA-384, SHA-512. */
const BARE_DIGEST_BYTES: readonly number[] = [32, 48, 64];
const MAX_BARE_BYTES = 64;

const HASHES: ReadonlyMap<number, string> = new Map([
  [CKM.ECDSA_SHA256, 'sha256'],
  [CKM.ECDSA_SHA384, 'sha384'],
  [CKM.ECDSA_SHA512, 'sha512'],
]);

/** Mechanisms of P-256 keys, in the order they are listed. */
export const SIGN_MECHANISMS: readonly number[] = [CKM.ECDSA, ...HASHES.keys()];

export class SignInput {
  readonly #hash: Hash | undefined;
  #bare: Buffer = Buffer.alloc(0);
  #isTooLong = false;
  #isStarted = false;

  /** @param mechanism one of `SIGN_MECHANISMS` */
  constructor(mechanism: number) {
    const name = HASHES.get(mechanism);
    this.#hash = name === undefined ? undefined : createHash(name);
  }

  /** True after a first part. */
  get isStarted(): boolean {
    return this.#isStarted;
  }

  add(part: Buffer): void {
    this.#isStarted = true;
    if (this.#hash !== undefined) {
      this.#hash.update(part);
      return;
    }
    this.#isTooLong ||= this.#bare.length + part.length > MAX_BARE_BYTES;
    if (!this.#isTooLong) this.#bare = Buffer.concat([this.#bare, part]);
  }

  /** 32 bytes to sign, or undefined when what came is no digest. Ends the input. */
  digest(): Buffer | undefined {
    const digest = this.#hash?.digest() ?? this.#bare;
    if (this.#isTooLong || !BARE_DIGEST_BYTES.includes(digest.length)) return undefined;
    return digest.subarray(0, DIGEST_BYTES);
  }
}
