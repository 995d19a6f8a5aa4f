/** What front and keeper say to each other besides orders: calls, their results, and events. */
import type { ErrorData } from '../errors/agent-error.js';
import type {
  DerivationRecord,
  LeafRecord,
  ObjectBackend,
  RootRecord,
  TokenHome,
} from '../keys/key-record.js';
import type { DerivedAlgorithm, KeyAlgorithm } from '../crypto/algorithms.js';
import type { PromptPlace } from '../platform/prompt/prompt-program.js';
import type { OtpSlotInfo, PinTries } from '../tokenhost/messages.js';
import type { CardChoices, CardPlan, SetupStep, ShownCardKey } from './wire-cards.js';

/** `identified`: its keys are those of the keyring; cards show them without a PIN. */
export type TokenState = 'absent' | 'present' | 'identified' | 'unlocked' | 'degraded';

export type TokenKind = 'pkcs11' | 'yubikey-piv' | 'yubikey-otp';

export interface TokenStatus {
  /** Name in touchstone.toml. */
  readonly name: string;
  readonly state: TokenState;
  readonly kind: TokenKind;
  readonly uri: string;
  /** Path of the PKCS#11 module, where the configuration names one. */
  readonly module?: string | undefined;
  readonly label?: string | undefined;
  readonly serial?: string | undefined;
  readonly manufacturer?: string | undefined;
  readonly model?: string | undefined;
  readonly firmware?: string | undefined;
  /** OTP slots only. */
  readonly slot?: OtpSlotInfo | undefined;
  readonly onRemoval: 'keep' | 'lock';
  readonly triesLeft?: TriesLeft | undefined;
  /** The exact counter, where the token tells it. */
  readonly tries?: PinTries | undefined;
  /** Tries that nobody entered here were used up, since the PIN was last entered right. */
  readonly alert?: ErrorData | undefined;
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
  /** Keys that can sign now. */
  readonly loaded: number;
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
  readonly kind: TokenKind;
  readonly serial: string;
  readonly label: string;
  readonly triesLeft: TriesLeft;
  /** False for an embedded token that is still blank: setup will give it the PIN that is sealed now. */
  readonly initialised: boolean;
  readonly expiresAt: string;
  /** The agent has the PIN asked for, or takes the stored one, with this: `unlock.ask` goes on. */
  readonly asks?: 'pinentry' | 'askpass' | 'keychain' | undefined;
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
  readonly algorithm: DerivedAlgorithm;
  readonly epoch: number;
  readonly index: number;
}

/** A key that is made on a token: of any algorithm the token has. */
export interface CreateFields extends Omit<DeriveFields, 'algorithm'> {
  readonly algorithm: KeyAlgorithm;
}

/** A user's passphrase on the SSH door, as a salted scrypt hash; base64 each. */
export interface SshLock {
  readonly uid: number;
  readonly salt: string;
  readonly hash: string;
}

/** Everything the front may ask of the keeper besides orders. */
export interface KeeperCalls {
  readonly hello: {
    params: Record<string, never>;
    result: {
      status: KeeperStatus;
      pending: readonly PendingOrder[];
      sshLocks: readonly SshLock[];
      stateDir: string;
      configFile: string;
    };
  };
  readonly status: { params: Record<string, never>; result: KeeperStatus };
  /** Looks at every token now; with `glance` without disturbing a card that is the same as before. */
  readonly tokens: {
    params: { readonly glance?: boolean | undefined };
    result: { tokens: readonly TokenStatus[] };
  };
  readonly 'unlock.begin': {
    params: {
      token?: string | undefined;
      /** Waits so long for a token that is not there; `unlock.cancel` with this id ends the wait. */
      wait?: { readonly id: string; readonly seconds: number } | undefined;
    };
    result: UnlockBegin;
  };
  readonly 'unlock.finish': {
    params: { pin: SealedPin; lease: LeaseOptions; owner: number; useLastTry?: string | undefined };
    result: { lease: LeaseStatus; loaded: number };
  };
  /** Has a person asked for the PIN, with the program of the configuration, or takes the one in the keychain. `owner` and `pid` are the kernel's word. */
  readonly 'unlock.ask': {
    params: {
      attempt: string;
      lease: LeaseOptions;
      owner: number;
      pid: number;
      place: PromptPlace;
      useLastTry?: string | undefined;
    };
    result: { lease: LeaseStatus; loaded: number };
  };
  /** Nobody waits for that answer any more. */
  readonly 'unlock.cancel': { params: { attempt: string }; result: Record<string, never> };
  /** Tries a PIN and puts it into the keychain. */
  readonly 'pin.store': {
    params: { pin: SealedPin; useLastTry?: string | undefined };
    result: { token: string; serial: string };
  };
  /** Takes the PIN of a token out of the keychain. */
  readonly 'pin.forget': {
    params: { token?: string | undefined };
    result: { token: string; forgotten: boolean };
  };
  /** What `setup` would do with a card. Changes nothing. */
  readonly 'setup.plan': {
    params: { token: string; adopt?: boolean | undefined } & CardChoices;
    result: { plan: CardPlan };
  };
  /** Generates root and derivation key, derives the audit leaf; the front then has the anchor signed. */
  readonly setup: {
    params: {
      pin: SealedPin;
      backend: ObjectBackend;
      domain: string;
      owner: number;
      seconds?: number | undefined;
      useLastTry?: string | undefined;
      /** Take the keys that an earlier setup left on the token instead of making new ones. */
      adopt?: boolean | undefined;
      /** PIN of the token that holds the root, where it is not the one that derives. */
      rootPin?: SealedPin | undefined;
      /** The serial number that somebody typed: slots of that key are written anew. */
      programSlotOf?: string | undefined;
    } & CardChoices & {
        /** For a card that still has the PUK of the factory: the one that it gets. */
        puk?: SealedPin | undefined;
        /** What somebody typed who takes a derivation key without touch. */
        withoutTouch?: string | undefined;
      };
    result: { root: RootRecord; derivation: DerivationRecord; audit: LeafRecord; lease: LeaseStatus };
  };
  /** Derives a leaf with the unlocked derivation token and loads it under the lease of that token. */
  readonly derive: { params: { fields: DeriveFields }; result: { keyId: string; publicKey: string } };
  /** Makes a key on a token, which stays its only home: an unlocked one (name, or URI of a home), or the one that `pin` is for. */
  readonly create: {
    params: {
      fields: CreateFields;
      token: string;
      pin?: SealedPin | undefined;
      useLastTry?: string | undefined;
    };
    result: { keyId: string; publicKey: string; home: TokenHome };
  };
  /** Where a configured token has the key with this public half (DER, base64); no PIN is needed to look. */
  readonly find: {
    params: { token: string; publicKey: string };
    result: { home: TokenHome };
  };
  /** What a card shows of the key in its slot for roots, and what its maker says of it; nothing for other tokens. */
  readonly evidence: { params: { token: string }; result: { evidence: ShownCardKey | null } };
  /** Puts a leaf into a second token as a non-extractable key. The leaf's derivation token must be unlocked. */
  readonly install: {
    params: { keyId: string; pin: SealedPin; useLastTry?: string | undefined };
    result: { home: TokenHome };
  };
  /** The keyring file changed: read it again. */
  readonly 'keyring.reload': { params: Record<string, never>; result: { leaves: number } };
  readonly lock: { params: { token?: string | undefined }; result: { locked: number } };
  /** Remembers these for the next front, instead of those before. */
  readonly 'ssh.locks': { params: { locks: readonly SshLock[] }; result: Record<string, never> };
  readonly 'order.cancel': { params: { order: number }; result: { cancelled: boolean } };
}

export type KeeperMethod = keyof KeeperCalls;

export type KeeperEvent =
  | { readonly event: 'token'; readonly token: TokenStatus }
  | { readonly event: 'lease-opened'; readonly lease: LeaseStatus }
  | {
      readonly event: 'lease-ending';
      readonly lease: LeaseStatus;
      readonly reason: LeaseEnd;
      readonly graceMs: number;
    }
  | { readonly event: 'lease-ended'; readonly lease: LeaseStatus; readonly reason: LeaseEnd }
  | { readonly event: 'waiting'; readonly order: number; readonly token: string; readonly ahead: number }
  /** A set-up of a card has come to this step. */
  | { readonly event: 'setup'; readonly token: string; readonly step: SetupStep }
  /** A key blinks: somebody has to touch it before it gives up. */
  | { readonly event: 'touch'; readonly token: string; readonly secondsLeft: number }
  /** Tries of a PIN were used up: by the driver in our token host, or by a program that we know nothing of. */
  | ({ readonly event: 'pin-alert'; readonly token: string; readonly serial: string } & PinAlertFacts)
  /** Somebody waits for a token that is not there. */
  | { readonly event: 'absent'; readonly token: string; readonly secondsLeft: number }
  /** The agent unlocked a token by itself, with the PIN that the configuration names. */
  | { readonly event: 'unlocked'; readonly lease: LeaseStatus; readonly loaded: number }
  | { readonly event: 'unlock-failed'; readonly token: string; readonly error: ErrorData }
  | { readonly event: 'reload' }
  | { readonly event: 'drain' };

export interface PinAlertFacts {
  readonly by: 'driver' | 'other';
  /** Tries before and after. */
  readonly before: number;
  readonly after: number;
}

export type LeaseEnd = 'expired' | 'locked' | 'hangup' | 'removed' | 'uses' | 'stopping' | 'token-lost';
