/** PKCS#11 calls with a PIN as bytes, beside pkcs11js on the same module: a real, private SoftHSM token. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NativeChild } from '../support/native-child.js';

const MODULE = '/usr/lib/softhsm/libsofthsm2.so';

const PROVISION = `
const { PKCS11 } = createRequire(import.meta.url)('pkcs11js');
const SERIAL_AND_RW = 6, SO = 0, USER = 1;
const modulePath = ${JSON.stringify(MODULE)};
const driver = new PKCS11();
driver.load(modulePath);
driver.C_Initialize();
const bytes = (text) => Buffer.from(text);
const answers = {};
const [empty] = driver.C_GetSlotList(true);
answers.initToken = shims.pkcs11InitToken(modulePath, empty, bytes('so-pin-1'), 'nätive');
const [slot] = driver.C_GetSlotList(true);
answers.label = driver.C_GetTokenInfo(slot).label;
let session = driver.C_OpenSession(slot, SERIAL_AND_RW);
answers.soWrong = shims.pkcs11Login(modulePath, session, SO, bytes('so-pin-2'));
answers.soRight = shims.pkcs11Login(modulePath, session, SO, bytes('so-pin-1'));
answers.initPin = shims.pkcs11InitPin(modulePath, session, bytes('pin-äöü'));
driver.C_Logout(session);
`;
const USE = `
answers.wrong = shims.pkcs11Login(modulePath, session, USER, bytes('pin-aou'));
answers.right = shims.pkcs11Login(modulePath, session, USER, bytes('pin-äöü'));
answers.again = shims.pkcs11Login(modulePath, session, USER, bytes('pin-äöü'));
answers.state = driver.C_GetSessionInfo(session).state;
driver.C_CloseSession(session);
answers.closed = shims.pkcs11Login(modulePath, session, USER, bytes('pin-äöü'));
driver.C_Finalize();
answers.finalized = shims.pkcs11Login(modulePath, session, USER, bytes('pin-äöü'));
say(answers);
`;

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'touchstone-cryptoki-'));
  mkdirSync(path.join(folder, 'tokens'));
  writeFileSync(path.join(folder, 'softhsm2.conf'), `directories.tokendir = ${folder}/tokens\n`);
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function start(script: string): NativeChild {
  return new NativeChild(script, {
    env: { ...process.env, SOFTHSM2_CONF: path.join(folder, 'softhsm2.conf') },
  });
}

describe('PKCS#11 with bytes', () => {
  it('initialises a token and logs in on a session of pkcs11js', async () => {
    await using child = start(PROVISION + USE);
    expect(await child.heard()).toEqual({
      initToken: 0,
      label: expect.stringMatching(/^nätive *$/) as string,
      soWrong: 0xa0,
      soRight: 0,
      initPin: 0,
      wrong: 0xa0,
      right: 0,
      again: 0x100,
      state: 3,
      closed: 0xb3,
      finalized: 0x190,
    });
  });

  it('leaves the PIN to its caller: the bytes are as they were', async () => {
    await using child = start(`${PROVISION}
      const pin = bytes('pin-äöü');
      say([shims.pkcs11Login(modulePath, session, USER, pin), pin.toString()]);`);
    expect(await child.heard()).toEqual([0, 'pin-äöü']);
  });

  it('refuses what is not a module, by a code', async () => {
    await using child = start(`
      const { readFileSync } = await import('node:fs');
      const library = /\\/\\S+\\/libm[.-]\\S+/.exec(readFileSync('/proc/self/maps', 'utf8'))[0];
      const tried = [];
      for (const path of ['/nonexistent/module.so', '/etc/passwd', library]) {
        try { shims.pkcs11Login(path, Buffer.alloc(8), 1, Buffer.from('pin')); }
        catch (error) { tried.push([error.code, error.message.includes('pin')]); }
      }
      say(tried);`);
    expect(await child.heard()).toEqual([
      ['ELIBACC', false],
      ['ELIBACC', false],
      ['ELIBBAD', false],
    ]);
  });
});
