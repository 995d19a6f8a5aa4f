/** The token layer inside the test's own process, where a second session sees the same session objects. */
import { createECDH } from 'node:crypto';
import pkcs11js from 'pkcs11js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Pkcs11Token } from '../../src/token/pkcs11/pkcs11-token.js';
import { PIN, SOFTHSM_MODULE, SoftHsmStore } from '../support/softhsm-store.js';

const KEY = { id: '01', label: 'derivation' };

describe('PKCS#11 token in process', () => {
  let store: SoftHsmStore;
  let token: Pkcs11Token;
  let calls: pkcs11js.PKCS11;
  let session: pkcs11js.Handle;

  beforeAll(() => {
    store = new SoftHsmStore('release');
    process.env['SOFTHSM2_CONF'] = store.environment['SOFTHSM2_CONF'];
    token = new Pkcs11Token();
    token.open(SOFTHSM_MODULE, 'pkcs11:token=release');
    token.login(Buffer.from(PIN));
    calls = new pkcs11js.PKCS11();
    calls.load(SOFTHSM_MODULE);
    const slot = calls.C_GetSlotList(true).find((at) => calls.C_GetTokenInfo(at).label.trim() === 'release');
    if (slot === undefined) throw new Error('no token');
    session = calls.C_OpenSession(slot, pkcs11js.CKF_RW_SESSION | pkcs11js.CKF_SERIAL_SESSION);
  });
  afterAll(() => {
    token[Symbol.dispose]();
    store[Symbol.dispose]();
  });

  function countObjects(): number {
    calls.C_FindObjectsInit(session, []);
    const found = calls.C_FindObjects(session, 100).length;
    calls.C_FindObjectsFinal(session);
    return found;
  }

  /** A derivation whose result stays in the session, as a control that the count sees such objects. */
  function deriveAndKeep(): pkcs11js.Handle {
    calls.C_FindObjectsInit(session, [
      { type: pkcs11js.CKA_LABEL, value: KEY.label },
      { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_PRIVATE_KEY },
    ]);
    const [base] = calls.C_FindObjects(session, 1);
    calls.C_FindObjectsFinal(session);
    if (base === undefined) throw new Error('no derivation key');
    const publicData = createECDH('prime256v1').generateKeys();
    const parameter = { type: pkcs11js.CK_PARAMS_EC_DH, kdf: pkcs11js.CKD_NULL, publicData };
    return calls.C_DeriveKey(session, { mechanism: pkcs11js.CKM_ECDH1_DERIVE, parameter }, base, [
      { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_SECRET_KEY },
      { type: pkcs11js.CKA_KEY_TYPE, value: pkcs11js.CKK_GENERIC_SECRET },
      { type: pkcs11js.CKA_TOKEN, value: false },
      { type: pkcs11js.CKA_VALUE_LEN, value: 32 },
    ]);
  }

  it('destroys every derived object, also when the point is refused', () => {
    token.generateDerivationKey(KEY, 'ec');
    const before = countObjects();
    const kept = deriveAndKeep();
    expect(countObjects()).toBe(before + 1);
    calls.C_DestroyObject(session, kept);

    for (let n = 0; n < 5; n += 1) token.evaluatePrf(KEY, 'ec', createECDH('prime256v1').generateKeys());
    expect(countObjects()).toBe(before);

    const offCurve = Buffer.concat([Buffer.from([4]), Buffer.alloc(64, 1)]);
    const infinity = Buffer.from([0]);
    for (const point of [offCurve, infinity]) {
      expect(() => token.evaluatePrf(KEY, 'ec', point)).toThrow(
        expect.objectContaining({ code: 'token.device' }),
      );
    }
    expect(countObjects()).toBe(before);
    expect(token.evaluatePrf(KEY, 'ec', createECDH('prime256v1').generateKeys())).toHaveLength(32);
  });

  it('stays logged in when a failed operation makes it change the session', () => {
    const wrong = Buffer.concat([Buffer.from([4]), Buffer.alloc(64, 1)]);
    for (let n = 0; n < 3; n += 1) {
      expect(() => token.evaluatePrf(KEY, 'ec', wrong)).toThrow();
      expect(token.findDerivationKey(KEY, 'ec').id).toBe(KEY.id);
    }
  });

  it('asks for the PIN again after somebody else ended the login', () => {
    calls.C_Logout(session);
    expect(() => token.signDigest({ id: '55', label: 'none' }, Buffer.alloc(32))).toThrow(
      expect.objectContaining({ code: 'token.pin-needed' }),
    );
    token.login(Buffer.from(PIN));
    expect(token.findDerivationKey(KEY, 'ec').id).toBe(KEY.id);
  });
});
