/** A token object signed with in this process, through pkcs11js and nothing else. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pkcs11js from 'pkcs11js';
import { callRate, type Bench } from './measurement.js';
import { writeSoftHsmStore } from './softhsm-store.js';

const P256 = Buffer.from('06082a8648ce3d030107', 'hex');

/** A fresh token with one P-256 key on it; answers what signs a digest. */
function openSigner(module: pkcs11js.PKCS11): (digest: Buffer) => Buffer {
  const [slot] = module.C_GetSlotList(false);
  if (slot === undefined) throw new Error('raw token: SoftHSM has no slot');
  module.C_InitToken(slot, '12345678', 'bench');
  const initialised = module.C_GetSlotList(true)[0] ?? slot;
  const { CKF_RW_SESSION, CKF_SERIAL_SESSION, CKU_SO, CKU_USER } = pkcs11js;
  const session = module.C_OpenSession(initialised, CKF_RW_SESSION | CKF_SERIAL_SESSION);
  module.C_Login(session, CKU_SO, '12345678');
  module.C_InitPIN(session, '654321');
  module.C_Logout(session);
  module.C_Login(session, CKU_USER, '654321');
  const pair = module.C_GenerateKeyPair(
    session,
    { mechanism: pkcs11js.CKM_EC_KEY_PAIR_GEN },
    [
      { type: pkcs11js.CKA_TOKEN, value: true },
      { type: pkcs11js.CKA_VERIFY, value: true },
      { type: pkcs11js.CKA_EC_PARAMS, value: P256 },
    ],
    [
      { type: pkcs11js.CKA_TOKEN, value: true },
      { type: pkcs11js.CKA_PRIVATE, value: true },
      { type: pkcs11js.CKA_SENSITIVE, value: true },
      { type: pkcs11js.CKA_SIGN, value: true },
    ],
  );
  return (digest) => {
    module.C_SignInit(session, { mechanism: pkcs11js.CKM_ECDSA }, pair.privateKey);
    return module.C_Sign(session, digest, Buffer.alloc(64));
  };
}

export function rawToken(messageBytes: number): Bench {
  const folder = mkdtempSync(path.join(tmpdir(), 'touchstone-token-'));
  const store = writeSoftHsmStore(folder);
  process.env['SOFTHSM2_CONF'] = store.configuration;
  const module = new pkcs11js.PKCS11();
  module.load(store.module);
  module.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK });
  const sign = openSigner(module);
  const message = randomBytes(messageBytes);
  return {
    rows: [
      {
        id: 'token-raw',
        label: 'SoftHSM token object, raw, in process, P-256',
        unit: 'sign/s',
        measure: (seconds) =>
          Promise.resolve({
            value: callRate(seconds, () => sign(createHash('sha256').update(message).digest())),
          }),
      },
    ],
    [Symbol.asyncDispose]: () => {
      module.C_Finalize();
      module.close();
      delete process.env['SOFTHSM2_CONF'];
      rmSync(folder, { recursive: true });
      return Promise.resolve();
    },
  };
}
