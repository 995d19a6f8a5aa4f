/** The real libykcs11 in a process of its own, call by call: what it answers, how long it takes, and nothing in between. */
import { existsSync, readdirSync } from 'node:fs';
import { NativeChild } from '../native-child.js';
import type { YubiKeyDesk } from './virtual-yubikey.js';

/** Absolute path of the driver. */
export const YKCS11_MODULE = findModule();

/** One session and one object per slot of the card are enough: the last ones opened and found are used. */
const SCRIPT = `
import pkcs11js from 'pkcs11js';
const p11 = new pkcs11js.PKCS11();
p11.load(${JSON.stringify(YKCS11_MODULE)});
p11.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK });
const ECDH = (point) => ({ mechanism: pkcs11js.CKM_ECDH1_DERIVE,
  parameter: { type: pkcs11js.CK_PARAMS_EC_DH, kdf: pkcs11js.CKD_NULL, publicData: point } });
const SECRET = [
  { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_SECRET_KEY },
  { type: pkcs11js.CKA_KEY_TYPE, value: pkcs11js.CKK_GENERIC_SECRET },
  { type: pkcs11js.CKA_TOKEN, value: false },
  { type: pkcs11js.CKA_SENSITIVE, value: false },
  { type: pkcs11js.CKA_EXTRACTABLE, value: true },
  { type: pkcs11js.CKA_VALUE_LEN, value: 32 },
];
let session;
const keyOf = (id) => {
  p11.C_FindObjectsInit(session, [
    { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_PRIVATE_KEY },
    { type: pkcs11js.CKA_ID, value: Buffer.from([id]) },
  ]);
  const [found] = p11.C_FindObjects(session, 1);
  p11.C_FindObjectsFinal(session);
  if (found === undefined) throw new Error('no key ' + id);
  return found;
};
const calls = {
  slots: () => p11.C_GetSlotList(true).length,
  token: () => {
    const { serialNumber, label, flags } = p11.C_GetTokenInfo(p11.C_GetSlotList(false)[0]);
    return { serial: serialNumber.trim(), label: label.trim(), flags };
  },
  open: () => {
    session = p11.C_OpenSession(p11.C_GetSlotList(true)[0], pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION);
  },
  closeAll: () => p11.C_CloseAllSessions(p11.C_GetSlotList(false)[0]),
  login: (pin) => p11.C_Login(session, pkcs11js.CKU_USER, pin),
  logout: () => p11.C_Logout(session),
  signInit: (id) => p11.C_SignInit(session, { mechanism: pkcs11js.CKM_ECDSA }, keyOf(id)),
  contextLogin: (pin) => p11.C_Login(session, pkcs11js.CKU_CONTEXT_SPECIFIC, pin),
  sign: (digest) => p11.C_Sign(session, Buffer.from(digest, 'hex'), Buffer.alloc(200)).toString('hex'),
  derive: ([id, point]) => {
    const secret = p11.C_DeriveKey(session, ECDH(Buffer.from(point, 'hex')), keyOf(id), SECRET);
    return p11.C_GetAttributeValue(session, secret, [{ type: pkcs11js.CKA_VALUE }])[0].value.toString('hex');
  },
};
say('ready');
for (;;) {
  const { call, argument } = JSON.parse(await hear());
  const begin = performance.now();
  const done = (answer) => say({ ...answer, ms: performance.now() - begin });
  try {
    done({ rv: 'CKR_OK', value: calls[call](argument) });
  } catch (error) {
    done({ rv: String(error.message).replace(/:.*/, '') });
  }
}
`;

export interface Ykcs11Answer {
  /** `CKR_OK`, or what the driver said instead. */
  readonly rv: string;
  readonly value?: unknown;
  readonly ms: number;
}

type Call =
  | 'slots'
  | 'token'
  | 'open'
  | 'closeAll'
  | 'login'
  | 'logout'
  | 'signInit'
  | 'contextLogin'
  | 'sign'
  | 'derive';

export class Ykcs11Process implements AsyncDisposable {
  readonly #child: NativeChild;

  private constructor(desk: YubiKeyDesk) {
    this.#child = new NativeChild(SCRIPT, { env: desk.environment });
  }

  /** Driver loaded and initialised, nothing opened yet. */
  static async start(desk: YubiKeyDesk): Promise<Ykcs11Process> {
    const process = new Ykcs11Process(desk);
    await process.#child.heard();
    return process;
  }

  /**
   * One step: `slots` (how many have a token), `token` (serial, label, flags), `open` (a session on the first token),
   * `login` PIN, `signInit` CKA_ID, `contextLogin` PIN, `sign` digest in hex, `derive` [CKA_ID, point in hex].
   */
  async call(call: Call, argument?: unknown): Promise<Ykcs11Answer> {
    this.#child.tell(JSON.stringify({ call, argument }));
    return (await this.#child.heard()) as Ykcs11Answer;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#child[Symbol.asyncDispose]();
  }
}

function findModule(): string {
  const folders = readdirSync('/usr/lib').filter((name) => name.endsWith('-linux-gnu'));
  const candidates = [
    ...folders.map((name) => `/usr/lib/${name}`),
    '/usr/lib64',
    '/usr/lib',
    '/usr/local/lib',
  ];
  const found = candidates.map((folder) => `${folder}/libykcs11.so`).find((file) => existsSync(file));
  if (found === undefined) throw new Error('no libykcs11.so (Debian package ykcs11)');
  return found;
}
