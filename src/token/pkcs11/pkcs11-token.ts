/** A PKCS#11 token: one driver, one slot, one session, and the handles of keys whose attributes were checked. */
import type { Handle } from 'pkcs11js';
import type { KeyAlgorithm } from '../../crypto/algorithms.js';
import { AgentError } from '../../errors/agent-error.js';
import type { ObjectBackend } from '../../keys/key-record.js';
import { parseKeyUri } from '../../keys/key-uri.js';
import type { KeyReference, SignMechanism, Token, TokenInfo, TokenKey } from '../token.js';
import {
  CKR_DEVICE_ERROR,
  CKR_DEVICE_REMOVED,
  CKR_GENERAL_ERROR,
  CKR_OPERATION_ACTIVE,
  CKR_SESSION_CLOSED,
  CKR_SESSION_HANDLE_INVALID,
  CKR_SLOT_ID_INVALID,
  CKR_TOKEN_NOT_PRESENT,
  CKR_TOKEN_NOT_RECOGNIZED,
} from './cryptoki.js';
import {
  deriveSharedX,
  describeDerivationKey,
  findDerivationKey,
  generateDerivationKey,
  hmacSha256,
} from './derivation-key.js';
import { initialiseToken } from './initialise.js';
import { Pkcs11Module } from './module.js';
import { findPublicHalf, readPublicHalf } from './public-half.js';
import { driverValueOf } from './rv.js';
import { Pkcs11Session } from './session.js';
import { findSigningKey, generateSigningKey, importSigningKey, signData, signDigest } from './signing-key.js';
import { describeToken, isSlotListed, selectToken, type FoundToken } from './slots.js';

/** After these the session is of no use, and nothing was done on the token. */
const SESSION_LOST: ReadonlySet<number | undefined> = new Set([
  CKR_SESSION_CLOSED,
  CKR_SESSION_HANDLE_INVALID,
  CKR_OPERATION_ACTIVE,
]);

/** What drivers say when the token that was there cannot be reached any more. */
const TOKEN_LOST: ReadonlySet<number | undefined> = new Set([
  CKR_SLOT_ID_INVALID,
  CKR_GENERAL_ERROR,
  CKR_DEVICE_ERROR,
  CKR_DEVICE_REMOVED,
  CKR_TOKEN_NOT_PRESENT,
  CKR_TOKEN_NOT_RECOGNIZED,
]);

export class Pkcs11Token implements Token {
  #module: Pkcs11Module | undefined;
  #found: FoundToken | undefined;
  #session: Pkcs11Session | undefined;
  /** Handles by use, id and label. They end with the session and with the login. */
  readonly #handles = new Map<string, Handle>();

  open(module: string, uri: string): TokenInfo {
    const wanted = parseKeyUri(uri);
    if (this.#found !== undefined)
      throw new AgentError('usage.invalid', { message: 'open: a token is open already' });
    this.#module ??= Pkcs11Module.load(module);
    return this.#use(selectToken(this.#module, wanted));
  }

  probe(): TokenInfo {
    const module = this.#openModule();
    const known = this.#openToken();
    try {
      if (!isSlotListed(module, known.slot)) throw removed(known, 'it is not in its slot');
      const now = describeToken(module, known.slot);
      if (now.info.serial !== known.info.serial) throw removed(known, 'another token is in its slot');
      // A blank token has no label of its own yet.
      return this.#remember(now.info.initialised ? now : known);
    } catch (error) {
      if (TOKEN_LOST.has(driverValueOf(error))) throw removed(known, 'it does not answer', error);
      throw error;
    }
  }

  initialise(label: string, soPin: Uint8Array, pin: Uint8Array): TokenInfo {
    const module = this.#openModule();
    this.#session?.close();
    this.#session = undefined;
    this.#found = undefined;
    return this.#use(initialiseToken(module, label, soPin, pin));
  }

  login(pin: Uint8Array): TokenInfo {
    const module = this.#openModule();
    const session = this.#openSession();
    const before = describeToken(module, this.#openToken().slot);
    requirePinLength(before, pin);
    this.#handles.clear();
    try {
      session.login(pin);
    } catch (error) {
      throw this.#withTriesLeft(module, before, error);
    }
    return this.#remember(describeToken(module, before.slot));
  }

  generateSigningKey(key: KeyReference, algorithm: KeyAlgorithm): TokenKey {
    return this.#change((session) => generateSigningKey(session, key, algorithm));
  }

  generateDerivationKey(key: KeyReference, backend: ObjectBackend): TokenKey {
    return this.#change((session) => generateDerivationKey(session, key, backend));
  }

  findSigningKey(key: KeyReference, algorithm: KeyAlgorithm): TokenKey {
    return this.#read((session) => {
      this.#signingHandle(session, key, algorithm);
      return readPublicHalf(session, key, algorithm);
    });
  }

  findPublicKey(spki: Uint8Array): TokenKey {
    return this.#read((session) => findPublicHalf(session, spki));
  }

  findDerivationKey(key: KeyReference, backend: ObjectBackend): TokenKey {
    return this.#read((session) => {
      this.#derivationHandle(session, key, backend);
      return describeDerivationKey(session, key, backend);
    });
  }

  evaluatePrf(key: KeyReference, backend: ObjectBackend, input: Uint8Array): Buffer {
    const handle = this.#read((session) => this.#derivationHandle(session, key, backend));
    const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
    return this.#change((session) =>
      backend === 'ec' ? deriveSharedX(session, handle, bytes) : hmacSha256(session, handle, bytes),
    );
  }

  signDigest(key: KeyReference, digest: Uint8Array): Buffer {
    const handle = this.#read((session) => this.#signingHandle(session, key, 'ecdsa-p256'));
    const bytes = Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength);
    return this.#change((session) => signDigest(session, handle, bytes));
  }

  signData(key: KeyReference, algorithm: KeyAlgorithm, mechanism: SignMechanism, data: Uint8Array): Buffer {
    const handle = this.#read((session) => this.#signingHandle(session, key, algorithm));
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    return this.#change((session) => signData(session, handle, mechanism, bytes));
  }

  importSigningKey(key: KeyReference, scalar: Uint8Array, publicPoint: Uint8Array): TokenKey {
    return this.#change((session) => importSigningKey(session, key, scalar, publicPoint));
  }

  [Symbol.dispose](): void {
    this.#session?.close();
    this.#module?.[Symbol.dispose]();
  }

  #signingHandle(session: Pkcs11Session, key: KeyReference, algorithm: KeyAlgorithm): Handle {
    return this.#handleOf(`${algorithm} ${key.id} ${key.label}`, () =>
      findSigningKey(session, key, algorithm),
    );
  }

  #derivationHandle(session: Pkcs11Session, key: KeyReference, backend: ObjectBackend): Handle {
    return this.#handleOf(`${backend} ${key.id} ${key.label}`, () =>
      findDerivationKey(session, key, backend),
    );
  }

  #handleOf(name: string, find: () => Handle): Handle {
    const known = this.#handles.get(name);
    if (known !== undefined) return known;
    const handle = find();
    this.#handles.set(name, handle);
    return handle;
  }

  /** Work that changes or signs: never repeated. A failed one may leave half an operation, so the session is replaced. */
  #change<T>(work: (session: Pkcs11Session) => T): T {
    const session = this.#openSession();
    try {
      return work(session);
    } catch (error) {
      this.#forget(session);
      throw error;
    }
  }

  /** Work that only looks: repeated once when the session was lost. */
  #read<T>(work: (session: Pkcs11Session) => T): T {
    const session = this.#openSession();
    try {
      return work(session);
    } catch (error) {
      if (!SESSION_LOST.has(driverValueOf(error))) throw error;
      this.#forget(session);
      return work(session);
    }
  }

  #forget(session: Pkcs11Session): void {
    this.#handles.clear();
    session.invalidate();
  }

  #use(found: FoundToken): TokenInfo {
    this.#handles.clear();
    this.#session = new Pkcs11Session(this.#openModule(), found.slot);
    return this.#remember(found);
  }

  #remember(found: FoundToken): TokenInfo {
    this.#found = found;
    return found.info;
  }

  #openModule(): Pkcs11Module {
    if (this.#module === undefined) throw notOpen();
    return this.#module;
  }

  #openToken(): FoundToken {
    if (this.#found === undefined) throw notOpen();
    return this.#found;
  }

  #openSession(): Pkcs11Session {
    if (this.#session === undefined) throw notOpen();
    if (!this.#openToken().info.initialised) throw new AgentError('token.not-initialised');
    return this.#session;
  }

  /** The PIN counter after a refused PIN belongs to the message. */
  #withTriesLeft(module: Pkcs11Module, before: FoundToken, error: unknown): unknown {
    if (!(error instanceof AgentError) || !error.code.startsWith('token.pin-')) return error;
    let { info } = before;
    try {
      info = this.#remember(describeToken(module, before.slot));
    } catch {
      // The refusal matters more than the counter.
    }
    const details = { ...error.details, triesLeft: info.triesLeft, serial: info.serial, label: info.label };
    return new AgentError(error.code, { message: error.message, details, cause: error });
  }
}

/** A length the token announces it will refuse is not sent: some tokens count it as a wrong PIN. */
function requirePinLength({ pinBytes, info }: FoundToken, pin: Uint8Array): void {
  if (info.triesLeft === 'locked')
    throw new AgentError('token.pin-locked', { details: { serial: info.serial } });
  if (pinBytes === undefined || (pin.length >= pinBytes.min && pin.length <= pinBytes.max)) return;
  throw new AgentError('token.pin-format', {
    message: `the PIN of token "${info.label}" has ${pinBytes.min} to ${pinBytes.max} characters; it was not sent`,
    details: { serial: info.serial, min: pinBytes.min, max: pinBytes.max },
  });
}

function removed(known: FoundToken, why: string, cause?: unknown): AgentError {
  const { label, serial } = known.info;
  return new AgentError('token.removed', {
    message: `token "${label}": ${why}`,
    details: { label, serial },
    cause,
  });
}

function notOpen(): AgentError {
  return new AgentError('usage.invalid', { message: 'token host: no token is open; call "open" first' });
}
