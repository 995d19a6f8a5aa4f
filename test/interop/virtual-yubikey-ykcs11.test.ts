/**
 * The real libykcs11 on the virtual YubiKey. Each test is a line of docs/tokens/quirks.md: what the driver does by itself,
 * and what its answers mean. A newer driver that behaves better shows up here.
 */
import { createECDH, createHash, verify } from 'node:crypto';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { TempFolder } from '../support/temp-folder.js';
import { INS } from '../support/virtual-yubikey/apdu.js';
import { ALGORITHM, generateKey } from '../support/virtual-yubikey/card-key.js';
import { PcscClient } from '../support/virtual-yubikey/pcsc-client.js';
import type { StoredKey } from '../support/virtual-yubikey/piv-state.js';
import type { TouchPolicy } from '../support/virtual-yubikey/policies.js';
import { YubiKeyDesk } from '../support/virtual-yubikey/virtual-yubikey.js';
import { YubiKey } from '../support/virtual-yubikey/yubikey.js';
import { YKCS11_MODULE, Ykcs11Process } from '../support/virtual-yubikey/ykcs11-process.js';

const run = promisify(execFile);
const PIN = '123456';
/** 271828, as a card keeps it. */
const OTHER_PIN = Buffer.from('323731383238ffff', 'hex');
const MESSAGE = Buffer.from('message');
const DIGEST = createHash('sha256').update(MESSAGE).digest('hex');
/** CKA_ID of 9A, 9C and 82. */
const [ID_9A, ID_9C, ID_82] = [1, 2, 5];
const FLAGS = { low: 0x10000, last: 0x20000, locked: 0x40000 };

/** Keys in 9A, 9C and 82 with the PIN policies of the slots. */
function card(touch: TouchPolicy = 'never', serial = 14_700_001): YubiKey {
  const made = new YubiKey({ serial });
  for (const [slot, pin] of [
    [0x9a, 'once'],
    [0x9c, 'always'],
    [0x82, 'once'],
  ] as const)
    made.state.keys.set(slot, {
      key: generateKey(ALGORITHM.p256),
      policies: { pin, touch },
      origin: 'generated',
    });
  return made;
}

function stored(key: YubiKey, slot: number): StoredKey {
  return key.state.storedKey(slot);
}

/** C_SignInit and C_Sign. */
async function sign(driver: Ykcs11Process, id: number): Promise<string> {
  await driver.call('signInit', id);
  return (await driver.call('sign', DIGEST)).rv;
}

/** Lists until the driver sees that many tokens: pcscd takes some milliseconds to say what its reader told it. */
async function listed(driver: Ykcs11Process, tokens: number): Promise<void> {
  let seen: unknown;
  for (let attempt = 0; attempt < 1000 && seen !== tokens; attempt += 1)
    seen = (await driver.call('slots')).value;
  expect(seen).toBe(tokens);
}

/** What an application does after the driver lost its card: list, close, open, log in. */
async function recover(desk: YubiKeyDesk, driver: Ykcs11Process): Promise<readonly string[]> {
  await desk.reader.powered();
  await listed(driver, 1);
  const answers = [await driver.call('closeAll'), await driver.call('open'), await driver.call('login', PIN)];
  return answers.map(({ rv }) => rv);
}

async function flags(driver: Ykcs11Process): Promise<number> {
  const { value } = await driver.call('token');
  return (value as { readonly flags: number }).flags & (FLAGS.low | FLAGS.last | FLAGS.locked);
}

async function loggedIn(desk: YubiKeyDesk): Promise<Ykcs11Process> {
  const driver = await Ykcs11Process.start(desk);
  expect((await driver.call('open')).rv).toBe('CKR_OK');
  expect((await driver.call('login', PIN)).rv).toBe('CKR_OK');
  return driver;
}

describe('signing and deriving', () => {
  it('pkcs11-tool finds the keys without a certificate, and signs in 9C', async () => {
    await using desk = await YubiKeyDesk.start([card()]);
    const words = ['--module', YKCS11_MODULE, '--login', '--pin', PIN];
    const { stdout } = await run('pkcs11-tool', [...words, '--list-objects'], { env: desk.environment });
    expect(stdout).toContain('Private key for Digital Signature');
    expect(stdout).toContain('Private key for Retired Key 1');
    using folder = new TempFolder();
    const [input, output] = [folder.join('digest'), folder.join('signature')];
    writeFileSync(input, Buffer.from(DIGEST, 'hex'));
    const signing = ['--sign', '-m', 'ECDSA', '--id', '02', '-f', 'openssl', '-i', input, '-o', output];
    await run('pkcs11-tool', [...words, ...signing], { env: desk.environment });
    const signature = readFileSync(output);
    expect(verify('sha256', MESSAGE, stored(desk.key, 0x9c).key.publicKey, signature)).toBe(true);
  });

  it('9C wants the PIN each time; the login counts for the first', async () => {
    await using desk = await YubiKeyDesk.start([card()]);
    await using driver = await loggedIn(desk);
    expect([await sign(driver, ID_9C), await sign(driver, ID_9C)]).toEqual([
      'CKR_OK',
      'CKR_USER_NOT_LOGGED_IN',
    ]);
    await driver.call('signInit', ID_9C);
    expect((await driver.call('contextLogin', PIN)).rv).toBe('CKR_OK');
    const { value } = await driver.call('sign', DIGEST);
    const key = { key: stored(desk.key, 0x9c).key.publicKey, dsaEncoding: 'ieee-p1363' } as const;
    expect(verify('sha256', MESSAGE, key, Buffer.from(String(value), 'hex'))).toBe(true);
    expect([desk.key.counters.pinAttempts, desk.key.counters.signatures.get(0x9c)]).toEqual([2, 2]);
  });

  it('a wrong context login drops the login that the driver still believes in', async () => {
    await using desk = await YubiKeyDesk.start([card()]);
    await using driver = await loggedIn(desk);
    await driver.call('signInit', ID_9C);
    expect((await driver.call('contextLogin', '999999')).rv).toBe('CKR_PIN_INCORRECT');
    expect((await driver.call('sign', DIGEST)).rv).toBe('CKR_USER_NOT_LOGGED_IN');
    expect((await driver.call('login', PIN)).rv).toBe('CKR_USER_ALREADY_LOGGED_IN');
    await driver.call('logout');
    expect((await driver.call('login', PIN)).rv).toBe('CKR_OK');
    expect(await sign(driver, ID_9A)).toBe('CKR_OK');
  });

  it('82 derives what OpenSSL derives, and signs as well', async () => {
    await using desk = await YubiKeyDesk.start([card()]);
    await using driver = await loggedIn(desk);
    const peer = createECDH('prime256v1');
    const { value } = await driver.call('derive', [ID_82, peer.generateKeys('hex')]);
    const point = stored(desk.key, 0x82).key.publicPoint.subarray(2);
    expect(value).toBe(peer.computeSecret(point).toString('hex'));
    expect(await sign(driver, ID_82)).toBe('CKR_OK');
    expect([desk.key.counters.agreements.get(0x82), desk.key.counters.signatures.get(0x82)]).toEqual([1, 1]);
  });

  it('a logged-in card derives for any other program', async () => {
    await using desk = await YubiKeyDesk.start([card()]);
    await using driver = await loggedIn(desk);
    await using stranger = await PcscClient.connect(desk);
    const point = createECDH('prime256v1').generateKeys('hex');
    const derive = `00871182477c4582008541${point}`;
    expect((await stranger.transmit(derive)).response).toMatch(/9000$/);
    await stranger.resetCard();
    await stranger.transmit('00a4040005a000000308');
    expect((await stranger.transmit(derive)).response).toBe('6982');
    expect((await driver.call('slots')).rv).toBe('CKR_OK');
  });

  it('the first session costs some 90 APDUs, the next ones none', async () => {
    await using desk = await YubiKeyDesk.start([card()]);
    await using driver = await Ykcs11Process.start(desk);
    await driver.call('slots');
    const { counters } = desk.key;
    counters.reset();
    await driver.call('open');
    expect(counters.total).toBeGreaterThan(80);
    expect(counters.total).toBeLessThan(110);
    expect(counters.apdus.get(INS.attest)).toBe(25);
    counters.reset();
    await driver.call('open');
    await driver.call('slots');
    expect(counters.total).toBe(0);
  });
});

describe('the PIN', () => {
  it('costs one try when wrong, none when of a wrong length, and the last one says locked', async () => {
    await using desk = await YubiKeyDesk.start([card()]);
    await using driver = await Ykcs11Process.start(desk);
    await driver.call('open');
    const { pin } = desk.key.state;
    const seen = [];
    for (const attempt of ['12345', '123456789', '999999', '999999', '999999', '999999'])
      seen.push([(await driver.call('login', attempt)).rv, pin.triesLeft, await flags(driver)]);
    expect(seen).toEqual([
      ['CKR_ARGUMENTS_BAD', 3, 0],
      ['CKR_ARGUMENTS_BAD', 3, 0],
      ['CKR_PIN_INCORRECT', 2, FLAGS.low],
      ['CKR_PIN_INCORRECT', 1, FLAGS.last],
      ['CKR_PIN_LOCKED', 0, FLAGS.locked],
      ['CKR_PIN_LOCKED', 0, FLAGS.locked],
    ]);
  });

  it('can be blocked by a try that the driver calls merely wrong, where the card says 63C0', async () => {
    await using desk = await YubiKeyDesk.start([new YubiKey({ lastWrongTry: 'none-left' })]);
    await using driver = await Ykcs11Process.start(desk);
    await driver.call('open');
    const said = [];
    for (let attempt = 0; attempt < 4; attempt += 1) said.push((await driver.call('login', '999999')).rv);
    expect(said).toEqual(['CKR_PIN_INCORRECT', 'CKR_PIN_INCORRECT', 'CKR_PIN_INCORRECT', 'CKR_PIN_LOCKED']);
  });

  it('flags tell what this process saw, not what the card knows', async () => {
    await using desk = await YubiKeyDesk.start([card()]);
    await using driver = await Ykcs11Process.start(desk);
    await driver.call('open');
    await using other = await Ykcs11Process.start(desk);
    await other.call('open');
    for (const wrong of ['999998', '999999']) await other.call('login', wrong);
    expect([desk.key.state.pin.triesLeft, await flags(driver), await flags(other)]).toEqual([
      1,
      0,
      FLAGS.last,
    ]);
  });

  it('flags say nothing above two tries', async () => {
    const key = card();
    key.state.pin.restore(5);
    await using desk = await YubiKeyDesk.start([key]);
    await using driver = await Ykcs11Process.start(desk);
    await driver.call('open');
    await driver.call('login', '999999');
    expect([key.state.pin.triesLeft, await flags(driver)]).toEqual([4, 0]);
  });

  it('is sent again by the driver after somebody else reset the card, right or wrong', async () => {
    await using desk = await YubiKeyDesk.start([card()]);
    await using driver = await loggedIn(desk);
    await using other = await PcscClient.connect(desk);
    const { counters, state } = desk.key;
    await other.resetCard();
    counters.reset();
    expect([await sign(driver, ID_9A), counters.pinAttempts, counters.wrongPins]).toEqual(['CKR_OK', 1, 0]);
    state.pin.set(OTHER_PIN);
    await other.resetCard();
    counters.reset();
    expect([await sign(driver, ID_9A), counters.wrongPins, state.pin.triesLeft]).toEqual([
      'CKR_DEVICE_ERROR',
      1,
      2,
    ]);
    // It forgets a PIN that was wrong: the counter falls once.
    expect([await sign(driver, ID_9A), counters.wrongPins]).toEqual(['CKR_USER_NOT_LOGGED_IN', 1]);
  });

  it('is not sent again when the card forgot it without a reset', async () => {
    await using desk = await YubiKeyDesk.start([card()]);
    await using driver = await loggedIn(desk);
    desk.key.losePinState();
    expect([await sign(driver, ID_9A), desk.key.counters.pinAttempts]).toEqual(['CKR_USER_NOT_LOGGED_IN', 1]);
  });
});

describe('touch', () => {
  it('that comes late is waited for; that never comes is called a missing login', async () => {
    await using desk = await YubiKeyDesk.start([card('always')]);
    await using driver = await loggedIn(desk);
    const { touch, counters } = desk.key;
    touch.afterMs = 100;
    expect(await sign(driver, ID_9A)).toBe('CKR_OK');
    touch.never();
    touch.timeoutMs = 200;
    expect(await sign(driver, ID_9A)).toBe('CKR_USER_NOT_LOGGED_IN');
    touch.afterMs = 0;
    expect(await sign(driver, ID_9A)).toBe('CKR_OK');
    expect([counters.pinAttempts, counters.signatures.get(0x9a)]).toEqual([1, 2]);
  });

  it('that is wanted by one process holds up the others', async () => {
    await using desk = await YubiKeyDesk.start([card('always')]);
    await using driver = await loggedIn(desk);
    await using other = await Ykcs11Process.start(desk);
    desk.key.touch.never();
    const signing = sign(driver, ID_9A);
    await desk.key.touch.wanted();
    let isListed = false;
    const listing = other.call('slots').then(() => (isListed = true));
    await delay(300);
    expect([isListed, desk.key.touch.isWanted]).toEqual([false, true]);
    desk.key.touch.give();
    expect(await signing).toBe('CKR_OK');
    expect(await listing).toBe(true);
  });
});

describe('removal', () => {
  it('in the middle of a signature is a device error, and the way back is list, close, open, log in', async () => {
    await using desk = await YubiKeyDesk.start([card('always')]);
    await using driver = await loggedIn(desk);
    const { key } = desk;
    key.touch.never();
    const signing = sign(driver, ID_9A);
    await key.touch.wanted();
    desk.reader.remove();
    expect(await signing).toBe('CKR_DEVICE_ERROR');
    await listed(driver, 0);
    expect((await driver.call('token')).rv).toBe('CKR_TOKEN_NOT_PRESENT');
    desk.reader.insert(key);
    key.touch.afterMs = 0;
    expect(await recover(desk, driver)).toEqual(['CKR_OK', 'CKR_OK', 'CKR_OK']);
    expect(await sign(driver, ID_9A)).toBe('CKR_OK');
    expect([key.counters.pinAttempts, key.counters.signatures.get(0x9a)]).toEqual([2, 1]);
  });

  it('goes unnoticed for ever by a driver that is not asked for its slots', async () => {
    await using desk = await YubiKeyDesk.start([card()]);
    await using driver = await loggedIn(desk);
    desk.reader.insert(desk.key);
    for (let attempt = 0; attempt < 20; attempt += 1)
      expect(await sign(driver, ID_9A)).toBe('CKR_DEVICE_ERROR');
    expect(desk.key.counters.pinAttempts).toBe(1);
    expect(await recover(desk, driver)).toEqual(['CKR_OK', 'CKR_OK', 'CKR_OK']);
  });

  it('for another card keeps the slot: only the serial tells, and no PIN went there', async () => {
    await using desk = await YubiKeyDesk.start([card()]);
    await using driver = await loggedIn(desk);
    const other = card('never', 99);
    desk.reader.insert(other);
    expect(await sign(driver, ID_9A)).toBe('CKR_DEVICE_ERROR');
    await desk.reader.powered();
    await listed(driver, 1);
    expect((await driver.call('token')).value).toMatchObject({ serial: '99', label: 'YubiKey PIV #99' });
    expect(await sign(driver, ID_9A)).not.toBe('CKR_OK');
    expect(other.counters.pinAttempts).toBe(0);
  });

  it('at any moment, forty times, never costs a try or more than the way back', async () => {
    await using desk = await YubiKeyDesk.start([card()]);
    await using driver = await loggedIn(desk);
    const { key } = desk;
    let logins = 1;
    const over = new AbortController();
    const load = (async () => {
      while (!over.signal.aborted) {
        if ((await sign(driver, ID_9A)) === 'CKR_OK') continue;
        if ((await driver.call('slots')).value !== 1) continue;
        await driver.call('closeAll');
        await driver.call('open');
        await driver.call('login', PIN);
        logins += 1;
      }
    })();
    for (let cycle = 0; cycle < 40; cycle += 1) {
      await delay((cycle * 17) % 41);
      desk.reader.remove();
      await delay((cycle * 7) % 23);
      desk.reader.insert(key);
    }
    await desk.reader.powered();
    over.abort();
    await load;
    expect(await recover(desk, driver)).toEqual(['CKR_OK', 'CKR_OK', 'CKR_OK']);
    expect(await sign(driver, ID_9A)).toBe('CKR_OK');
    expect(key.counters.wrongPins).toBe(0);
    // Ours, and not one more by the driver.
    expect(key.counters.pinAttempts).toBeLessThanOrEqual(logins + 1);
  });

  it('of pcscd is healed the same way', async () => {
    await using desk = await YubiKeyDesk.start([card()]);
    await using driver = await loggedIn(desk);
    await desk.stopDaemon();
    expect(await sign(driver, ID_9A)).toBe('CKR_DEVICE_ERROR');
    expect((await driver.call('slots')).rv).toBe('CKR_DEVICE_ERROR');
    await desk.startDaemon();
    expect(await recover(desk, driver)).toEqual(['CKR_OK', 'CKR_OK', 'CKR_OK']);
    expect(await sign(driver, ID_9A)).toBe('CKR_OK');
  });
});
