/**
 * What the token host can do with a token, whatever the driver behind it. Every method is synchronous and runs one after
 * the other: a driver that blocks is ended with its process. PINs, scalars and PRF values are bytes that the caller
 * overwrites.
 */
import type { HashName, KeyAlgorithm } from '../crypto/algorithms.js';
import type { ObjectBackend } from '../keys/key-record.js';

export interface TokenInfo {
  readonly label: string;
  readonly serial: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly firmware: string;
  readonly initialised: boolean;
  readonly loginRequired: boolean;
  /** The steps that PKCS#11 flags tell apart. */
  readonly triesLeft: 'full' | 'low' | 'last' | 'locked';
  /** The exact counter of the PIN, where the token tells it. */
  readonly tries?: PinTries | undefined;
  /** RFC 7512, or the name of an OTP slot; names exactly this token. */
  readonly uri: string;
  /** OTP slots only. */
  readonly slot?: OtpSlotInfo | undefined;
}

export interface PinTries {
  readonly left: number;
  readonly total: number;
}

/** An OTP slot when it was last looked at. */
export interface OtpSlotInfo {
  readonly number: 1 | 2;
  readonly programmed: boolean;
  readonly touch: boolean;
}

/** CKA_ID in lower-case hex and CKA_LABEL: together they name one key on a token. */
export interface KeyReference {
  readonly id: string;
  readonly label: string;
}

/** Public half of a key; `publicKey` is DER SubjectPublicKeyInfo in base64, absent for secrets. */
export interface TokenKey extends KeyReference {
  readonly publicKey?: string | undefined;
  /** Whether using it takes a finger; undefined when the token does not say. */
  readonly touch?: boolean | undefined;
  /** Whether it was put on the token from outside, as far as the token says. */
  readonly isImported?: boolean | undefined;
}

/** What a token is asked to do with the data: a digest, a message (eddsa), or a DigestInfo (rsa-pkcs1). */
export type SignMechanism = 'ecdsa' | 'eddsa' | 'rsa-pkcs1' | `rsa-pss-${HashName}`;

/** Length of a PRF value and of a digest, bytes. */
export const PRF_BYTES = 32;
export const DIGEST_BYTES = 32;

export interface Token extends Disposable {
  /**
   * Loads the driver and finds the token. `initialised` is false when the driver has nothing but a blank one.
   * @throws AgentError `token.module-missing`, `token.absent`, `token.ambiguous`
   */
  open(module: string, uri: string): TokenInfo;
  /**
   * @param isFresh read the counter of the PIN from the token now
   * @throws AgentError `token.removed` when the token is gone or another one is in its place
   */
  probe(isFresh?: boolean): TokenInfo;
  /** Initialises the one uninitialised token of the driver and goes on with it. */
  initialise(label: string, soPin: Uint8Array, pin: Uint8Array): TokenInfo;
  /** Always lets the token check the PIN, also when somebody is logged in. @throws AgentError `token.pin-…` */
  login(pin: Uint8Array): TokenInfo;
  /** @throws AgentError `token.object-exists` when id or label is taken */
  generateSigningKey(key: KeyReference, algorithm: KeyAlgorithm): TokenKey;
  generateDerivationKey(key: KeyReference, backend: ObjectBackend): TokenKey;
  /** @throws AgentError `token.key-missing`, `key.usage` when its attributes allow more or less than signing */
  findSigningKey(key: KeyReference, algorithm: KeyAlgorithm): TokenKey;
  /**
   * The key whose public half is `spki` (DER), found without a login; whether it may sign shows when it is used.
   * @throws AgentError `token.key-missing`
   */
  findPublicKey(spki: Uint8Array): TokenKey;
  /** @throws AgentError `token.key-missing`, `key.usage` when its attributes allow more or less than deriving */
  findDerivationKey(key: KeyReference, backend: ObjectBackend): TokenKey;
  /** derive v1, step 1 (docs/spec/derivation.md): 32 bytes that the caller overwrites. */
  evaluatePrf(key: KeyReference, backend: ObjectBackend, input: Uint8Array): Buffer;
  /** Raw ECDSA over a 32-byte digest with a P-256 key: r||s, 64 bytes. Never sent twice. */
  signDigest(key: KeyReference, digest: Uint8Array): Buffer;
  /** Any other signature, of at most 512 bytes. Never sent twice. */
  signData(key: KeyReference, algorithm: KeyAlgorithm, mechanism: SignMechanism, data: Uint8Array): Buffer;
  /** Stores a P-256 scalar as a key that cannot leave the token, and proves that it belongs to `publicPoint`. */
  importSigningKey(key: KeyReference, scalar: Uint8Array, publicPoint: Uint8Array): TokenKey;
}
