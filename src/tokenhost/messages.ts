/**
 * What the keeper says to a token host and hears back. One frame per message (big endian): u32 length of what follows,
 * u32 id, u8 opcode (in requests the index in HOST_METHODS; in answers 0 = ok, 1 = error, 2 = a notice that nobody asked for), u32 length of the JSON header,
 * header, raw bytes. Headers hold parameters, results, or ErrorData. Secrets (PINs, PRF values, scalars) travel only in the
 * raw part, which both ends overwrite after use.
 */
import type { KeyAlgorithm } from '../crypto/algorithms.js';
import type { DerivationBackend, ObjectBackend } from '../keys/key-record.js';
import type { OtpSlotInfo, SignMechanism, TokenInfo, TokenKey } from '../token/token.js';

export type { OtpSlotInfo, SignMechanism };

/** What a token says of itself. */
export type HostTokenInfo = TokenInfo;

/** Public half of a key on the token. */
export type HostKeyInfo = TokenKey;

/** Which key; of P-256 when no algorithm is named. */
export interface SigningKeyParams {
  readonly id: string;
  readonly label: string;
  readonly algorithm?: KeyAlgorithm | undefined;
}

/** One token behind a PKCS#11 module, which may be the PIV applet of a YubiKey, or one OTP slot of a YubiKey. */
export type TokenSelector =
  | { readonly module: string; readonly uri: string; readonly applet?: 'piv' | undefined }
  | { readonly serial: string; readonly slot: 1 | 2 };

/** A login to an OTP slot: nothing in the slot checks a passphrase, so the check value of the keyring does. */
export interface OtpLoginParams {
  readonly domain: string;
  /** Context of the check value, base64. */
  readonly context: string;
  readonly check?: string | undefined;
  /** At set-up, when there is no check value yet: write a new secret, or take the one that is there. */
  readonly enrol?: 'program' | 'adopt' | undefined;
}

/** What a host says unasked. */
export interface HostNotice {
  readonly notice: 'touch';
  /** Until the token gives up. */
  readonly secondsLeft: number;
}

/** method → JSON params, raw bytes in, JSON result, raw bytes out. */
export interface HostCalls {
  /** Loads the module and finds the token. First call after start. A blank token has `initialised` false. */
  readonly open: { params: TokenSelector; result: HostTokenInfo };
  /** C_GetTokenInfo plus a cheap probe: is the token still there and the same? `fresh`: ask a card itself for its counter. */
  readonly probe: { params: { readonly fresh?: boolean | undefined }; result: HostTokenInfo };
  /** C_InitToken and C_InitPIN. Raw in: u16 length of SO PIN, SO PIN, PIN. */
  readonly initialise: { params: { label: string }; result: HostTokenInfo };
  /** C_Login(CKU_USER). Raw in: PIN. For an OTP slot the passphrase; `check` is its check value then. */
  readonly login: {
    params: Record<string, never> | OtpLoginParams;
    result: HostTokenInfo & { readonly check?: string | undefined };
  };
  /** Key pair on the token, P-256 unless said otherwise: sensitive, never extractable, sign only. Refused when the label exists. */
  readonly generateSigningKey: { params: SigningKeyParams; result: HostKeyInfo };
  /** Derivation key: P-256 pair with CKA_DERIVE only, or a 32-byte generic secret with CKA_SIGN only (HMAC). */
  readonly generateDerivationKey: {
    params: { id: string; label: string; backend: ObjectBackend };
    result: HostKeyInfo;
  };
  /** Finds a signing key by id and label, checks its attributes, keeps the handle. */
  readonly findSigningKey: { params: SigningKeyParams; result: HostKeyInfo };
  /** Finds the derivation key and checks `derive only`. */
  readonly findDerivationKey: {
    params: { id: string; label: string; backend: ObjectBackend };
    result: HostKeyInfo;
  };
  /**
   * One PRF evaluation (docs/spec/derivation.md, step 1): derive, read, destroy in one go. Raw in: the peer point (65 bytes) for
   * `ec`, the context for the others. Raw out: T, 32 bytes, of `otp` 52.
   */
  readonly evaluatePrf: {
    params: { id: string; label: string; backend: DerivationBackend };
    result: Record<string, never>;
  };
  /** CKM_ECDSA over a 32-byte digest (raw in); raw out: r||s, 64 bytes. */
  readonly signDigest: { params: { id: string; label: string }; result: Record<string, never> };
  /** Every other way to sign. Raw in: what the mechanism takes; raw out: what it gives. */
  readonly signData: {
    params: SigningKeyParams & { mechanism: SignMechanism };
    result: Record<string, never>;
  };
  /** Imports a P-256 scalar (raw in, 32 bytes) as a non-extractable signing key. `publicPoint`: 65 bytes, base64. */
  readonly importSigningKey: {
    params: { id: string; label: string; publicPoint: string };
    result: HostKeyInfo;
  };
}

export type HostMethod = keyof HostCalls;

export const HOST_METHODS = [
  'open',
  'probe',
  'initialise',
  'login',
  'generateSigningKey',
  'generateDerivationKey',
  'findSigningKey',
  'findDerivationKey',
  'evaluatePrf',
  'signDigest',
  'importSigningKey',
  'signData',
] as const satisfies readonly HostMethod[];

/** Largest frame in bytes. */
export const MAX_HOST_FRAME_BYTES = 64 * 1024;
