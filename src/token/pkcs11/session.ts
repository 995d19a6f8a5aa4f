/**
 * The session on one token and the login in it. A login belongs to all sessions of the process, so a session is replaced
 * by opening the next one before the old one is closed.
 */
import type { Handle, PKCS11 } from 'pkcs11js';
import { AgentError } from '../../errors/agent-error.js';
import { nativeShims } from '../../platform/native-shims.js';
import {
  CKF_RW_SESSION,
  CKF_SERIAL_SESSION,
  CKR_OK,
  CKR_TOKEN_WRITE_PROTECTED,
  CKR_USER_ALREADY_LOGGED_IN,
  CKS_RO_USER_FUNCTIONS,
  CKS_RW_USER_FUNCTIONS,
  CKU_USER,
} from './cryptoki.js';
import type { Pkcs11Module } from './module.js';
import { driverCall, driverValueOf, returnValueError } from './rv.js';

export class Pkcs11Session {
  readonly #module: Pkcs11Module;
  readonly #slot: Handle;
  #handle: Handle | undefined;
  #stale = false;

  constructor(module: Pkcs11Module, slot: Handle) {
    this.#module = module;
    this.#slot = slot;
  }

  get calls(): PKCS11 {
    return this.#module.calls;
  }

  /** The open session; opens one first when there is none or the last one failed. */
  handle(): Handle {
    if (this.#handle !== undefined && !this.#stale) return this.#handle;
    const old = this.#handle;
    this.#handle = this.#open();
    this.#stale = false;
    if (old !== undefined) this.#closeQuietly(old);
    return this.#handle;
  }

  /** The session may hold half an operation: the next use gets a new one. */
  invalidate(): void {
    this.#stale = true;
  }

  isLoggedIn(): boolean {
    const { state } = driverCall('C_GetSessionInfo', () => this.calls.C_GetSessionInfo(this.handle()));
    return state === CKS_RO_USER_FUNCTIONS || state === CKS_RW_USER_FUNCTIONS;
  }

  /**
   * C_Login as the user, with bytes. Drivers answer CKR_USER_ALREADY_LOGGED_IN without looking at the PIN; then the old
   * login ends first, so that success always means that the token has checked these bytes. Never sent twice.
   * @throws AgentError `token.pin-incorrect`, `token.pin-locked`, ...
   */
  login(pin: Uint8Array): void {
    let value = this.#login(pin);
    if (value === CKR_USER_ALREADY_LOGGED_IN) {
      driverCall('C_Logout', () => {
        this.calls.C_Logout(this.handle());
      });
      value = this.#login(pin);
    }
    if (value !== CKR_OK) throw returnValueError('C_Login', value);
  }

  close(): void {
    if (this.#handle !== undefined) this.#closeQuietly(this.#handle);
    this.#handle = undefined;
  }

  #login(pin: Uint8Array): number {
    const handle = this.handle();
    try {
      return nativeShims().pkcs11Login(this.#module.path, handle, CKU_USER, pin);
    } catch (cause) {
      if (cause instanceof AgentError) throw cause;
      throw new AgentError('native.call', { message: 'C_Login: the shim could not call the driver', cause });
    }
  }

  #open(): Handle {
    try {
      return this.#openWith(CKF_SERIAL_SESSION | CKF_RW_SESSION);
    } catch (error) {
      // A write-protected token can still sign and derive.
      if (driverValueOf(error) !== CKR_TOKEN_WRITE_PROTECTED) throw error;
      return this.#openWith(CKF_SERIAL_SESSION);
    }
  }

  #openWith(flags: number): Handle {
    return driverCall('C_OpenSession', () => this.calls.C_OpenSession(this.#slot, flags));
  }

  #closeQuietly(handle: Handle): void {
    try {
      this.calls.C_CloseSession(handle);
    } catch {
      // It is gone already, which is what was wanted.
    }
  }
}
