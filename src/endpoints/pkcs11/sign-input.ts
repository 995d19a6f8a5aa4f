/**
 * The bytes of one signing operation on their way to the one digest that is to be signed, as it came: the keeper fits it to the curve, and
 * the log names its hash. SHA-1 is refused, and for RSA everything that is not a digest of SHA-2 in its proper form.
 */
import { createHash, type Hash } from 'node:crypto';
import type { HashName, RsaScheme } from '../../crypto/algorithms.js';
import { MAX_DIGEST_INFO_BYTES, readDigestInfo } from '../../crypto/rsa-digest.js';
import { digestForKey } from '../../crypto/verify.js';
import { CKR } from './cryptoki.js';
import type { DoorAlgorithm } from './door-algorithms.js';
import type { SignMechanism } from './sign-mechanisms.js';

export interface DigestToSign {
  readonly digest: Buffer;
  readonly scheme?: RsaScheme | undefined;
}

const NOTHING = Buffer.alloc(0);

export class SignInput {
  readonly #algorithm: DoorAlgorithm;
  readonly #family: SignMechanism['family'];
  readonly #hashName: HashName | null;
  readonly #hash: Hash | undefined;
  #bare: Buffer = NOTHING;
  #isTooLong = false;
  #isStarted = false;

  /** @param parameterHash of PSS */
  constructor(algorithm: DoorAlgorithm, { family, hashes }: SignMechanism, parameterHash: HashName | null) {
    this.#algorithm = algorithm;
    this.#family = family;
    this.#hashName = hashes ?? parameterHash;
    this.#hash = hashes === undefined ? undefined : createHash(hashes);
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
    this.#isTooLong ||= this.#bare.length + part.length > MAX_DIGEST_INFO_BYTES;
    if (!this.#isTooLong) this.#bare = Buffer.concat([this.#bare, part]);
  }

  /** Ends the input: what to sign, or the return value of PKCS#11 for what is no digest. */
  end(): DigestToSign | number {
    const digest = this.#hash?.digest() ?? this.#bare;
    if (this.#isTooLong) return CKR.DATA_LEN_RANGE;
    if (this.#family === 'rsa-pkcs1' && this.#hash === undefined) return fromDigestInfo(digest);
    if (this.#family === 'ecdsa') return this.#isFit(digest) ? { digest } : CKR.DATA_LEN_RANGE;
    const hash = this.#hashName;
    if (hash === null) return CKR.MECHANISM_PARAM_INVALID;
    const scheme = `${this.#family}-${hash}` as const;
    return this.#isFit(digest, scheme) ? { digest, scheme } : CKR.DATA_LEN_RANGE;
  }

  #isFit(digest: Buffer, scheme?: RsaScheme): boolean {
    return digestForKey(this.#algorithm, digest, scheme) !== undefined;
  }
}

function fromDigestInfo(bytes: Buffer): DigestToSign | number {
  const info = readDigestInfo(bytes);
  return info === undefined ? CKR.DATA_INVALID : { digest: info.digest, scheme: `rsa-pkcs1-${info.hash}` };
}
