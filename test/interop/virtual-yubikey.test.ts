/** The virtual YubiKey through the real pcscd: what PC/SC itself and the vendor's yubico-piv-tool make of it. */
import { execFile } from 'node:child_process';
import { constants, createHash, createPublicKey, publicDecrypt, verify } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isRunning } from '../support/process-tree.js';
import { TempFolder } from '../support/temp-folder.js';
import { INS } from '../support/virtual-yubikey/apdu.js';
import { attestationAuthority } from '../support/virtual-yubikey/attestation-authority.js';
import { ALGORITHM, generateKey } from '../support/virtual-yubikey/card-key.js';
import type { FirmwareVersion } from '../support/virtual-yubikey/firmware.js';
import { PcscClient } from '../support/virtual-yubikey/pcsc-client.js';
import { YubiKeyDesk } from '../support/virtual-yubikey/virtual-yubikey.js';
import { YubiKey } from '../support/virtual-yubikey/yubikey.js';

const run = promisify(execFile);
const SELECT_PIV = '00a4040005a000000308';
const GET_VERSION = '00fd000000';
const GET_SERIAL = '00f8000000';
const VERIFY = '0020008008313233343536ffff';
const PIN_STATUS = '0020008000';
/** SIGN with 9A over 32 bytes. */
const SIGN_9A = `0087119a267c2482008120${'11'.repeat(32)}`;
const MAX_MEDIAN_US = 2000;
const REMOVED_CARD = '80100069';
const RESET_CARD = '80100068';
const NO_CARD = '8010000c';
const SHARING_VIOLATION = '8010000b';

/** A key in 9A that wants no PIN, and a touch if asked for. */
function prepared(touch: 'never' | 'always', serial?: number): YubiKey {
  const card = new YubiKey(serial === undefined ? {} : { serial });
  const key = generateKey(ALGORITHM.p256);
  card.state.keys.set(0x9a, { key, policies: { pin: 'never', touch }, origin: 'generated' });
  return card;
}

describe('reader', () => {
  it('answers a bare APDU in under 2 ms', async () => {
    await using desk = await YubiKeyDesk.start();
    await using client = await PcscClient.connect(desk);
    expect((await client.transmit(SELECT_PIV)).response).toMatch(/9000$/);
    const { response, microseconds } = await client.transmitMany(GET_VERSION, 500);
    expect(response).toBe('0504039000');
    expect(microseconds).toBeLessThan(MAX_MEDIAN_US);
  });

  it('ends its pcscd with the desk', async () => {
    const desk = await YubiKeyDesk.start();
    const pid = desk.daemonPid;
    expect(isRunning(pid)).toBe(true);
    await desk[Symbol.asyncDispose]();
    expect(isRunning(pid)).toBe(false);
  });

  it('has several pcscd side by side, and several keys at one', async () => {
    await using first = await YubiKeyDesk.start([new YubiKey({ serial: 101 })]);
    await using second = await YubiKeyDesk.start([
      new YubiKey({ serial: 201 }),
      new YubiKey({ serial: 202 }),
    ]);
    const serials = [];
    for (const [desk, reader] of [
      [first, 0],
      [second, 0],
      [second, 1],
    ] as const) {
      await using client = await PcscClient.connect(desk, { reader });
      await client.transmit(SELECT_PIV);
      serials.push((await client.transmit(GET_SERIAL)).response);
    }
    expect(serials).toEqual(['000000659000', '000000c99000', '000000ca9000']);
  });

  it('shows removal and return, however quick, and a card that comes back is locked', async () => {
    await using desk = await YubiKeyDesk.start();
    await using client = await PcscClient.connect(desk);
    await client.transmit(SELECT_PIV);
    await client.transmit(VERIFY);
    expect((await client.transmit(PIN_STATUS)).response).toBe('9000');
    desk.reader.insert(desk.key);
    // Until pcscd has looked, the reader itself refuses.
    let code = NO_CARD;
    for (let attempt = 0; attempt < 1000 && code === NO_CARD; attempt += 1)
      ({ code } = await client.transmit(PIN_STATUS));
    expect(code).toBe(REMOVED_CARD);
    await using again = await PcscClient.connect(desk);
    await again.transmit(SELECT_PIV);
    expect((await again.transmit(PIN_STATUS)).response).toBe('63c3');
  });

  it.each(['before', 'after'] as const)(
    'loses the answer of a card pulled %s its command',
    async (moment) => {
      await using desk = await YubiKeyDesk.start([prepared('never')]);
      await using client = await PcscClient.connect(desk);
      const { key } = desk;
      await client.transmit(SELECT_PIV);
      key.once(INS.authenticate, moment, () => {
        desk.reader.remove();
      });
      const { code, response } = await client.transmit(SIGN_9A);
      expect([REMOVED_CARD, NO_CARD]).toContain(code);
      expect(response).toBe('');
      expect(key.counters.signatures.get(0x9a) ?? 0).toBe(moment === 'after' ? 1 : 0);
    },
  );

  it('ends the wait for a touch when the card is pulled', async () => {
    await using desk = await YubiKeyDesk.start([prepared('always')]);
    await using client = await PcscClient.connect(desk);
    const { key } = desk;
    key.touch.never();
    await client.transmit(SELECT_PIV);
    const waiting = client.transmit(SIGN_9A);
    await key.touch.wanted();
    desk.reader.remove();
    expect([REMOVED_CARD, NO_CARD]).toContain((await waiting).code);
    expect([key.touch.isWanted, key.touch.used]).toEqual([false, 0]);
  });

  it('sends nothing that was meant for one card to the next', async () => {
    await using desk = await YubiKeyDesk.start();
    await using client = await PcscClient.connect(desk);
    await client.transmit(SELECT_PIV);
    const next = new YubiKey({ serial: 7 });
    desk.reader.insert(next);
    for (let attempt = 0; attempt < 3; attempt += 1)
      expect((await client.transmit(VERIFY)).code).not.toBe('0');
    expect([next.counters.pinAttempts, next.counters.total]).toEqual([0, 0]);
    await using again = await PcscClient.connect(desk);
    await again.transmit(SELECT_PIV);
    expect((await again.transmit(GET_SERIAL)).response).toBe('000000079000');
  });

  it('tells the others that somebody reset the card, and whom it belongs to', async () => {
    await using desk = await YubiKeyDesk.start();
    await using client = await PcscClient.connect(desk);
    await using other = await PcscClient.connect(desk);
    await expect(PcscClient.connect(desk, { mode: 'exclusive' })).rejects.toThrow(SHARING_VIOLATION);
    await client.transmit(SELECT_PIV);
    await client.transmit(VERIFY);
    expect((await other.transmit(PIN_STATUS)).response).toBe('9000');
    await other.resetCard();
    expect((await client.transmit(PIN_STATUS)).code).toBe(RESET_CARD);
    await other.transmit(SELECT_PIV);
    expect((await other.transmit(PIN_STATUS)).response).toBe('63c3');
  });

  it('comes back with a new pcscd', async () => {
    await using desk = await YubiKeyDesk.start();
    const pid = desk.daemonPid;
    await desk.restartDaemon();
    expect(isRunning(pid)).toBe(false);
    await using client = await PcscClient.connect(desk);
    expect((await client.transmit(SELECT_PIV)).response).toMatch(/9000$/);
  });

  it('holds a card that is slow, that fails, and that forgets its PIN', async () => {
    await using desk = await YubiKeyDesk.start();
    await using client = await PcscClient.connect(desk);
    await client.transmit(SELECT_PIV);
    await client.transmit(VERIFY);
    desk.key.fail(INS.getVersion, 0x6f00);
    const answers = [await client.transmit(GET_VERSION), await client.transmit(GET_VERSION)];
    expect(answers.map(({ response }) => response)).toEqual(['6f00', '0504039000']);
    desk.key.losePinState();
    expect((await client.transmit(PIN_STATUS)).response).toBe('63c3');
    desk.key.latencyMs = 30;
    // Timers may be a millisecond early.
    expect((await client.transmit(GET_VERSION)).microseconds).toBeGreaterThan(28_000);
  });
});

describe('touch', () => {
  it('is given after a while, by hand, or never', async () => {
    await using desk = await YubiKeyDesk.start([prepared('always')]);
    await using client = await PcscClient.connect(desk);
    const { touch, counters } = desk.key;
    await client.transmit(SELECT_PIV);
    touch.afterMs = 20;
    expect((await client.transmit(SIGN_9A)).response).toMatch(/9000$/);
    touch.never();
    const waiting = client.transmit(SIGN_9A);
    await touch.wanted();
    touch.give();
    expect((await waiting).response).toMatch(/9000$/);
    touch.timeoutMs = 50;
    expect((await client.transmit(SIGN_9A)).response).toBe('6982');
    touch.give();
    expect((await client.transmit(SIGN_9A)).response).toBe('6982');
    expect([touch.used, counters.signatures.get(0x9a)]).toEqual([2, 2]);
  });
});

describe('yubico-piv-tool', () => {
  let desk: YubiKeyDesk;
  let folder: TempFolder;

  async function start(firmware: FirmwareVersion = '5.4.3'): Promise<void> {
    await desk[Symbol.asyncDispose]();
    desk = await YubiKeyDesk.start([new YubiKey({ firmware })]);
  }

  /** What the tool says; its failures are said too. */
  async function tool(...words: readonly string[]): Promise<string> {
    try {
      const { stdout, stderr } = await run('yubico-piv-tool', words, { env: desk.environment });
      return stdout + stderr;
    } catch (failure) {
      return String((failure as { readonly stderr?: unknown }).stderr);
    }
  }

  beforeEach(async () => {
    folder = new TempFolder();
    desk = await YubiKeyDesk.start();
  });
  afterEach(async () => {
    await desk[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  it.each(['4.3.5', '5.2.7', '5.4.3', '5.7.1'] as const)(
    'shows the status of firmware %s',
    async (firmware) => {
      await start(firmware);
      const said = await tool('-a', 'status');
      expect(said).toMatch(new RegExp(`Version:\\s+${firmware}\nSerial Number:\\s+14700001\n`));
      expect(said).toMatch(/PIN tries left:\s+3\n/);
    },
  );

  it('generates keys, and what it signs off chains to the vendor', async () => {
    for (const [slot, algorithm] of [
      ['9c', 'ECCP256'],
      ['82', 'ECCP384'],
      ['9a', 'RSA2048'],
    ] as const)
      expect(await tool('-a', 'generate', '-s', slot, '-A', algorithm, '--pin-policy=once')).toContain(
        'Successfully generated a new private key',
      );
    writeFileSync(folder.join('root.pem'), attestationAuthority().pem);
    await tool('-a', 'read-certificate', '-s', 'f9', '-o', folder.join('f9.pem'));
    for (const slot of ['9c', '82', '9a']) {
      const file = folder.join(`${slot}.pem`);
      await tool('-a', 'attest', '-s', slot, '-o', file);
      const words = ['-CAfile', folder.join('root.pem'), '-untrusted', folder.join('f9.pem'), file];
      expect((await run('openssl', ['verify', ...words])).stdout).toBe(`${file}: OK\n`);
    }
  });

  it('stores a certificate in chained parts and reads it back', async () => {
    await tool('-a', 'generate', '-s', '9c', '-A', 'ECCP256');
    const certificate = await tool('-a', 'attest', '-s', '9c');
    const file = folder.join('9c.pem');
    writeFileSync(file, certificate);
    expect(await tool('-a', 'import-certificate', '-s', '9c', '-i', file)).toContain('Successfully imported');
    expect(await tool('-a', 'read-certificate', '-s', '9c')).toBe(certificate);
    expect(await tool('-a', 'status')).toContain('Slot 9c');
  });

  it('verifies, changes and unblocks the PIN, each with its counter', async () => {
    expect(await tool('-a', 'verify-pin', '-P', '123456')).toContain('Successfully verified PIN');
    expect(await tool('-a', 'verify-pin', '-P', '999999')).toContain('2 tries left');
    expect(await tool('-a', 'change-pin', '-P', '123456', '-N', '271828')).toContain('Successfully changed');
    for (let tries = 0; tries < 3; tries += 1) await tool('-a', 'verify-pin', '-P', '123456');
    expect(await tool('-a', 'status')).toMatch(/PIN tries left:\s+0\n/);
    expect(await tool('-a', 'unblock-pin', '-P', '12345678', '-N', '314159')).toContain(
      'Successfully unblocked',
    );
    expect(await tool('-a', 'verify-pin', '-P', '314159')).toContain('Successfully verified PIN');
    expect(await tool('-a', 'change-puk', '-P', '12345678', '-N', '87654321')).toContain(
      'Successfully changed',
    );
    expect(desk.key.counters.pinAttempts).toBe(6);
  });

  it('changes the management key, and is refused with the old one', async () => {
    const key = 'a1a2a3a4a5a6a7a8b1b2b3b4b5b6b7b8c1c2c3c4c5c6c7c8';
    expect(await tool('-a', 'set-mgm-key', '-n', key)).toContain('Successfully set new management key');
    expect(await tool('-a', 'generate', '-s', '9a', '-A', 'ECCP256')).toContain('Failed authentication');
    expect(await tool('-a', 'generate', '-s', '9a', '-A', 'ECCP256', `-k${key}`)).toContain(
      'Successfully generated',
    );
  });

  it('prepares a card that OpenSC signs with too', async () => {
    const [pem, input, output] = [folder.join('9c.pem'), folder.join('digest'), folder.join('signature')];
    await tool('-a', 'generate', '-s', '9c', '-A', 'ECCP256');
    writeFileSync(pem, await tool('-a', 'attest', '-s', '9c'));
    await tool('-a', 'set-chuid');
    await tool('-a', 'import-certificate', '-s', '9c', '-i', pem);
    writeFileSync(input, createHash('sha256').update('message').digest());
    const words = ['--login', '--pin', '123456', '--sign', '-m', 'ECDSA', '--id', '02', '-f', 'openssl'];
    await run('pkcs11-tool', [...words, '-i', input, '-o', output], { env: desk.environment });
    const { publicKey } = desk.key.state.storedKey(0x9c).key;
    expect(verify('sha256', Buffer.from('message'), publicKey, readFileSync(output))).toBe(true);
  });

  it('cannot administer a fresh card of firmware 5.7', async () => {
    await start('5.7.1');
    expect(await tool('-a', 'generate', '-s', '9a', '-A', 'ECCP256')).toContain('Failed authentication');
  });

  it('imports an RSA key', async () => {
    const file = folder.join('rsa.pem');
    await run('openssl', ['genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', file]);
    expect(await tool('-a', 'import-key', '-s', '9a', '-i', file)).toContain('Successfully imported');
    const { key } = desk.key.state.storedKey(0x9a);
    expect(key.publicKey.equals(createPublicKey(readFileSync(file)))).toBe(true);
    const block = Buffer.concat([Buffer.from([0, 2]), Buffer.alloc(254, 0x5a)]);
    const opened = publicDecrypt({ key: key.publicKey, padding: constants.RSA_NO_PADDING }, key.sign(block));
    expect(opened).toEqual(block);
  });

  it('imports a key, sets the tries and resets a blocked card', async () => {
    const file = folder.join('key.pem');
    await run('openssl', [
      'genpkey',
      '-algorithm',
      'EC',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-out',
      file,
    ]);
    expect(await tool('-a', 'import-key', '-s', '83', '-i', file)).toContain('Successfully imported');
    expect(desk.key.state.keys.get(0x83)?.origin).toBe('imported');
    const retries = [
      '-a',
      'verify-pin',
      '-P',
      '123456',
      '-a',
      'pin-retries',
      '--pin-retries=2',
      '--puk-retries=1',
    ];
    expect(await tool(...retries)).toContain('Successfully changed pin retries to 2 and puk retries to 1');
    expect(await tool('-a', 'reset')).toContain('Reset failed');
    for (let tries = 0; tries < 2; tries += 1) await tool('-a', 'verify-pin', '-P', '999999');
    await tool('-a', 'unblock-pin', '-P', '99999999', '-N', '314159');
    expect(await tool('-a', 'reset')).toContain('Successfully reset the application');
    expect(desk.key.state.keys.has(0x83)).toBe(false);
  });
});
