/**
 * What the keeper says to a token host and hears back. One frame per message (big endian): u32 length of what follows,
 * u32 id, u8 opcode (in requests the index in HOST_METHODS; in answers 0 = ok, 1 = error, 2 = a notice that nobody asked for), u32 length of the JSON header,
 * header, raw bytes. Headers hold parameters, results, or ErrorData. Secrets (PINs, PRF values, scalars) travel only in the
 * raw part, which both ends overwrite after use.
 */
import type { KeyAlgorithm } from '../crypto/algorithms.js';
import type { DerivationBackend, ObjectBackend } from '../keys/key-record.js';
import type { OtpSlotInfo, PinTries, SignMechanism, TokenInfo, TokenKey } from '../token/token.js';

export type { OtpSlotInfo, PinTries, SignMechanism };

/** Policies of a key on a card. */
export interface CardPolicies {
  readonly pin: 'never' | 'once' | 'always';
  readonly touch: 'never' | 'always' | 'cached';
}

/** PIN or PUK of a card. */
interface CardReference {
  readonly isFactory: boolean;
  readonly triesLeft: number;
}

/** A card as a set-up finds it; what the firmware does not tell is left out. */
export interface HostCardState {
  readonly serial: string;
  readonly firmware: string;
  readonly pin?: CardReference | undefined;
  readonly puk?: CardReference | undefined;
  readonly management: {
    readonly algorithm: string;
    readonly isFactory?: boolean | undefined;
    /** Whether it can be read with the PIN. */
    readonly isStored: boolean;
    /** Whether to prove it takes a finger; undefined where the firmware does not tell. */
    readonly touch?: boolean | undefined;
  };
  /** Certificate of the key that attests, DER in base64. */
  readonly device?: string | undefined;
}

/** One slot of a card. `certificate`: there is one, and the card shows no key behind it. */
export interface HostCardSlot extends HostKeyInfo {
  readonly content: 'empty' | 'certificate' | 'key';
  readonly policies?: CardPolicies | undefined;
  /** What the card says about a key that was made on it, DER in base64. */
  readonly attestation?: string | undefined;
}

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

/** A slot of a card, as key records name it. */
interface CardKeyParams {
  readonly id: string;
  readonly label: string;
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
  /** Finds a key by its public half (DER, base64), before a login. */
  readonly findPublicKey: { params: { publicKey: string }; result: HostKeyInfo };
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
  /** PIV only, as all that follow: what a set-up has to know. Sends nothing but questions. */
  readonly cardState: { params: Record<string, never>; result: HostCardState };
  readonly cardSlot: { params: CardKeyParams; result: HostCardSlot };
  /** Begins a set-up: the card is held until `cardEnd`. Raw in: PIN; `isNew` changes the one of the factory to it. */
  readonly cardBegin: { params: { readonly isNew: boolean }; result: Record<string, never> };
  /** Changes a PUK of the factory. Raw in: the new one. */
  readonly cardPuk: { params: Record<string, never>; result: Record<string, never> };
  /** Proves the management key that is stored on the card; the one of the factory is replaced first. */
  readonly cardManagement: { params: Record<string, never>; result: Record<string, never> };
  /** Makes a P-256 key; what was in the slot is lost. */
  readonly cardGenerate: { params: CardKeyParams & CardPolicies; result: HostCardSlot };
  /** ECDSA over a 32-byte digest (raw in); raw out: r||s, 64 bytes. */
  readonly cardSign: { params: CardKeyParams; result: Record<string, never> };
  /** Raw in: a certificate, DER. */
  readonly cardCertificate: { params: CardKeyParams; result: Record<string, never> };
  /** Ends the set-up; the card forgets who was logged in. */
  readonly cardEnd: { params: Record<string, never>; result: Record<string, never> };
}

export type HostMethod = keyof HostCalls;

/** Methods of which only a card knows. */
export type CardMethod = Extract<HostMethod, `card${string}`>;

export const HOST_METHODS = [
  'open',
  'probe',
  'initialise',
  'login',
  'generateSigningKey',
  'generateDerivationKey',
  'findSigningKey',
  'findDerivationKey',
  'findPublicKey',
  'evaluatePrf',
  'signDigest',
  'importSigningKey',
  'signData',
  'cardState',
  'cardSlot',
  'cardBegin',
  'cardPuk',
  'cardManagement',
  'cardGenerate',
  'cardSign',
  'cardCertificate',
  'cardEnd',
] as const satisfies readonly HostMethod[];

/** Largest frame in bytes. */
export const MAX_HOST_FRAME_BYTES = 64 * 1024;
