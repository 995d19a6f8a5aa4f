/** libykcs11 from a login to its end. It keeps the PIN, and sends it again by itself: only the end of the process is the end of that. */
import type { Handle } from 'pkcs11js';
import { AgentError } from '../../errors/agent-error.js';
import { CKO_PRIVATE_KEY } from '../pkcs11/cryptoki.js';
import { deriveSharedX } from '../pkcs11/derivation-key.js';
import { Pkcs11Module } from '../pkcs11/module.js';
import { findKeyObject } from '../pkcs11/objects.js';
import { Pkcs11Session } from '../pkcs11/session.js';
import { signData } from '../pkcs11/signing-key.js';
import { listTokens } from '../pkcs11/slots.js';
import type { SignMechanism } from '../token.js';
import type { PivSlot } from './piv-slots.js';

export class Ykcs11 implements Disposable {
  readonly #module: Pkcs11Module;
  readonly #session: Pkcs11Session;
  readonly #handles = new Map<PivSlot, Handle>();

  /** Loads the driver and finds the card. @throws AgentError `token.module-missing`, `token.absent` */
  constructor(modulePath: string, serial: string) {
    this.#module = Pkcs11Module.load(modulePath);
    const found = listTokens(this.#module).find(({ info }) => info.serial === serial);
    if (found === undefined) {
      this.#module[Symbol.dispose]();
      throw new AgentError('token.absent', { message: `YubiKey ${serial}: libykcs11 does not see it` });
    }
    this.#session = new Pkcs11Session(this.#module, found.slot);
  }

  /** One attempt. @throws AgentError `token.pin-incorrect`, `token.pin-locked` */
  login(pin: Uint8Array): void {
    this.#session.login(pin);
  }

  /** What the mechanism makes of the data. Never sent twice. */
  sign(slot: PivSlot, mechanism: SignMechanism, data: Buffer): Buffer {
    return this.#once(() => signData(this.#session, this.#handleOf(slot), mechanism, data));
  }

  /** The x-coordinate of d * point. */
  agree(slot: PivSlot, point: Buffer): Buffer {
    return this.#once(() => deriveSharedX(this.#session, this.#handleOf(slot), point));
  }

  [Symbol.dispose](): void {
    this.#session.close();
    this.#module[Symbol.dispose]();
  }

  #once<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      this.#handles.clear();
      this.#session.invalidate();
      throw error;
    }
  }

  #handleOf(slot: PivSlot): Handle {
    const known = this.#handles.get(slot);
    if (known !== undefined) return known;
    const handle = findKeyObject(this.#session, slot.object, { CKA_CLASS: CKO_PRIVATE_KEY });
    this.#handles.set(slot, handle);
    return handle;
  }
}
