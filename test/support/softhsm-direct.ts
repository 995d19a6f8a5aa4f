/** A logged-in SoftHSM session in the test's own process, to put keys on a token that our code would never make. */
import pkcs11js from 'pkcs11js';
import type { Handle, PKCS11, Template } from 'pkcs11js';
import { PIN, SOFTHSM_MODULE, type SoftHsmStore } from './softhsm-store.js';

const P256 = Buffer.from('06082a8648ce3d030107', 'hex');

export interface ObjectName {
  readonly id: string;
  readonly label: string;
}

export class SoftHsmDirect implements Disposable {
  readonly calls: PKCS11;
  readonly session: Handle;

  constructor(store: SoftHsmStore, tokenLabel: string) {
    process.env['SOFTHSM2_CONF'] = store.environment['SOFTHSM2_CONF'];
    this.calls = new pkcs11js.PKCS11();
    this.calls.load(SOFTHSM_MODULE);
    this.calls.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK });
    const slot = this.calls
      .C_GetSlotList(true)
      .find((candidate) => this.calls.C_GetTokenInfo(candidate).label.trim() === tokenLabel);
    if (slot === undefined) throw new Error(`no token ${tokenLabel} in the store`);
    this.session = this.calls.C_OpenSession(slot, pkcs11js.CKF_RW_SESSION | pkcs11js.CKF_SERIAL_SESSION);
    this.calls.C_Login(this.session, pkcs11js.CKU_USER, PIN);
  }

  [Symbol.dispose](): void {
    this.calls.C_Finalize();
    this.calls.close();
  }

  /** Stores a known P-256 scalar with these extra attributes, and its public half. */
  importEc(name: ObjectName, scalar: Buffer, point: Buffer, extra: Template): void {
    const shared = [...this.#named(name, pkcs11js.CKK_EC), { type: pkcs11js.CKA_EC_PARAMS, value: P256 }];
    this.calls.C_CreateObject(this.session, [
      ...shared,
      { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_PRIVATE_KEY },
      { type: pkcs11js.CKA_VALUE, value: scalar },
      ...extra,
    ]);
    this.calls.C_CreateObject(this.session, [
      ...shared,
      { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_PUBLIC_KEY },
      { type: pkcs11js.CKA_PRIVATE, value: false },
      { type: pkcs11js.CKA_EC_POINT, value: Buffer.concat([Buffer.from([4, 65]), point]) },
    ]);
  }

  /** Stores a known generic secret with these extra attributes. */
  importSecret(name: ObjectName, secret: Buffer, extra: Template): void {
    this.calls.C_CreateObject(this.session, [
      ...this.#named(name, pkcs11js.CKK_GENERIC_SECRET),
      { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_SECRET_KEY },
      { type: pkcs11js.CKA_VALUE, value: secret },
      ...extra,
    ]);
  }

  /** How many objects the session sees, session objects included. */
  countObjects(): number {
    this.calls.C_FindObjectsInit(this.session, []);
    const found = this.calls.C_FindObjects(this.session, 1000).length;
    this.calls.C_FindObjectsFinal(this.session);
    return found;
  }

  /** Destroys every object with this label. */
  destroyAll(label: string): void {
    this.calls.C_FindObjectsInit(this.session, [{ type: pkcs11js.CKA_LABEL, value: label }]);
    const found = this.calls.C_FindObjects(this.session, 1000);
    this.calls.C_FindObjectsFinal(this.session);
    for (const object of found) this.calls.C_DestroyObject(this.session, object);
  }

  #named(name: ObjectName, keyType: number): Template {
    return [
      { type: pkcs11js.CKA_TOKEN, value: true },
      { type: pkcs11js.CKA_KEY_TYPE, value: keyType },
      { type: pkcs11js.CKA_ID, value: Buffer.from(name.id, 'hex') },
      { type: pkcs11js.CKA_LABEL, value: name.label },
    ];
  }
}

/** CKA_* of private objects, as true or false. */
export function flags(
  values: Readonly<Record<'sensitive' | 'extractable' | 'sign' | 'derive', boolean>>,
): Template {
  return [
    { type: pkcs11js.CKA_PRIVATE, value: true },
    { type: pkcs11js.CKA_SENSITIVE, value: values.sensitive },
    { type: pkcs11js.CKA_EXTRACTABLE, value: values.extractable },
    { type: pkcs11js.CKA_SIGN, value: values.sign },
    { type: pkcs11js.CKA_DERIVE, value: values.derive },
  ];
}
