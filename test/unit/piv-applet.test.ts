/** The applet of the virtual YubiKey, APDU by APDU: identity, PIN and PUK, management key, data objects. */
import { beforeEach, describe, expect, it } from 'vitest';
import { INS } from '../support/virtual-yubikey/apdu.js';
import { answerOf, BareApplet, bodyOf, reference, wordOf } from '../support/virtual-yubikey/bare-applet.js';
import { proveManagement } from '../support/virtual-yubikey/management-dialogue.js';
import { FACTORY_MANAGEMENT_KEY } from '../support/virtual-yubikey/management-key.js';
import { FACTORY_PIN, FACTORY_PUK } from '../support/virtual-yubikey/piv-state.js';
import { contentOf, tlv } from '../support/virtual-yubikey/tlv.js';

const PIN = reference(FACTORY_PIN);
const PUK = reference(FACTORY_PUK);
const WRONG = reference('999999');
const NEW_PIN = reference('271828');
const P256 = 0x11;

let card: BareApplet;

beforeEach(() => {
  card = new BareApplet();
});

describe('identity', () => {
  it('is a PIV applet with a version and a serial', () => {
    expect(card.selectPiv().toString('hex')).toBe('61114f0600001000010079074f05a0000003089000');
    expect(card.send(INS.getVersion, 0, 0).toString('hex')).toBe('0504039000');
    expect(card.send(INS.getSerial, 0, 0).toString('hex')).toBe('010203049000');
  });

  it('refuses what is not there', () => {
    expect(wordOf(card.send(INS.select, 4, 0, Buffer.from('a0000006472f0001', 'hex')))).toBe('6a82');
    expect(wordOf(card.send(0x99, 0, 0))).toBe('6d00');
    expect(wordOf(answerOf(card.outcome(INS.getVersion, 0, 0, undefined, 0x80)))).toBe('6e00');
    expect(wordOf(answerOf(card.applet.execute(Buffer.from([0, 0xfd]))))).toBe('6700');
    expect(wordOf(answerOf(card.applet.execute(Buffer.from([0, 0x20, 0, 0x80, 8, 1]))))).toBe('6700');
  });

  it('says its serial in the OTP applet where the firmware is old', () => {
    card = new BareApplet('4.3.5');
    expect(wordOf(card.send(INS.getSerial, 0, 0))).toBe('6d00');
    expect(bodyOf(card.send(INS.select, 4, 0, Buffer.from('a0000005272001', 'hex'))).subarray(0, 3)).toEqual(
      Buffer.from([4, 3, 5]),
    );
    expect(card.send(INS.otpRequest, 0x10, 0).toString('hex')).toBe('010203049000');
    expect(wordOf(card.send(INS.verify, 0, 0x80, PIN))).toBe('6d00');
  });

  it('answers nothing before an applet is selected', () => {
    card.applet.powerCycle();
    expect(wordOf(card.send(INS.getVersion, 0, 0))).toBe('6d00');
  });
});

describe('PIN and PUK', () => {
  it('counts wrong PINs and blocks', () => {
    expect(wordOf(card.send(INS.verify, 0, 0x80))).toBe('63c3');
    expect([card.verifyPin(WRONG), card.verifyPin(WRONG)]).toEqual(['63c2', '63c1']);
    expect(card.verifyPin()).toBe('9000');
    expect(wordOf(card.send(INS.verify, 0, 0x80))).toBe('9000');
    expect([card.verifyPin(WRONG), card.verifyPin(WRONG), card.verifyPin(WRONG)]).toEqual([
      '63c2',
      '63c1',
      '6983',
    ]);
    expect([card.verifyPin(), wordOf(card.send(INS.verify, 0, 0x80))]).toEqual(['6983', '6983']);
  });

  it('can answer the last wrong try either way', () => {
    card = new BareApplet('5.4.3', 'none-left');
    expect([card.verifyPin(WRONG), card.verifyPin(WRONG), card.verifyPin(WRONG)]).toEqual([
      '63c2',
      '63c1',
      '63c0',
    ]);
    expect(card.verifyPin()).toBe('6983');
  });

  it('takes nothing of a PIN of the wrong length', () => {
    expect(wordOf(card.send(INS.verify, 0, 0x80, Buffer.from('123456')))).toBe('6a80');
    expect(wordOf(card.send(INS.verify, 0, 0x80))).toBe('63c3');
    expect(wordOf(card.send(INS.verify, 0, 0x99, PIN))).toBe('6a88');
  });

  it('forgets a verified PIN with power, with another applet and when asked', () => {
    const isVerified = (): boolean => wordOf(card.send(INS.verify, 0, 0x80)) === '9000';
    card.verifyPin();
    card.selectPiv();
    expect(isVerified()).toBe(true);
    card.send(INS.select, 4, 0, Buffer.from('a000000527471117', 'hex'));
    card.selectPiv();
    expect(isVerified()).toBe(false);
    card.verifyPin();
    card.applet.powerCycle();
    card.selectPiv();
    expect(isVerified()).toBe(false);
    card.verifyPin();
    card.send(INS.verify, 0xff, 0x80);
    expect(isVerified()).toBe(false);
  });

  it('changes the PIN for whoever knows it', () => {
    expect(wordOf(card.send(INS.changeReference, 0, 0x80, Buffer.concat([WRONG, NEW_PIN])))).toBe('63c2');
    expect(wordOf(card.send(INS.changeReference, 0, 0x80, Buffer.concat([PIN, reference('1234')])))).toBe(
      '6a80',
    );
    expect(wordOf(card.send(INS.changeReference, 0, 0x80, Buffer.concat([PIN, NEW_PIN])))).toBe('9000');
    expect([card.verifyPin(), card.verifyPin(NEW_PIN)]).toEqual(['63c2', '9000']);
  });

  it('unblocks the PIN with the PUK, which blocks too', () => {
    for (let tries = 0; tries < 3; tries += 1) card.verifyPin(WRONG);
    expect(wordOf(card.send(INS.resetRetryCounter, 0, 0x80, Buffer.concat([WRONG, NEW_PIN])))).toBe('63c2');
    expect(wordOf(card.send(INS.resetRetryCounter, 0, 0x80, Buffer.concat([PUK, NEW_PIN])))).toBe('9000');
    expect(card.verifyPin(NEW_PIN)).toBe('9000');
    const words = [1, 2, 3, 4].map(() =>
      wordOf(card.send(INS.changeReference, 0, 0x81, Buffer.concat([WRONG, PUK]))),
    );
    expect(words).toEqual(['63c2', '63c1', '6983', '6983']);
  });

  it('sets the number of tries for PIN and management key together', () => {
    expect(wordOf(card.send(INS.setPinRetries, 5, 4))).toBe('6982');
    card.prove();
    expect(wordOf(card.send(INS.setPinRetries, 5, 4))).toBe('6982');
    card.verifyPin();
    expect(wordOf(card.send(INS.setPinRetries, 5, 4))).toBe('9000');
    expect(wordOf(card.send(INS.verify, 0, 0x80))).toBe('63c5');
  });

  it('resets only when PIN and PUK are blocked', () => {
    card.prove();
    card.generate(0x9a, P256);
    for (let tries = 0; tries < 3; tries += 1) card.verifyPin(WRONG);
    expect(wordOf(card.send(INS.reset, 0, 0))).toBe('6985');
    for (let tries = 0; tries < 3; tries += 1)
      card.send(INS.resetRetryCounter, 0, 0x80, Buffer.concat([WRONG, NEW_PIN]));
    expect(wordOf(card.send(INS.reset, 0, 0))).toBe('9000');
    expect([card.verifyPin(), wordOf(card.send(INS.getMetadata, 0, 0x9a))]).toEqual(['9000', '6a88']);
    expect(wordOf(card.send(INS.getMetadata, 0, 0xf9))).toBe('9000');
  });
});

describe('management key', () => {
  const KEYS = [
    [0x03, 24],
    [0x08, 16],
    [0x0a, 24],
    [0x0c, 32],
  ] as const;

  it.each(KEYS)('of algorithm %i is proved by both dialogues', (algorithm, length) => {
    card.prove();
    const value = Buffer.alloc(length, 7).fill(9, 8);
    const data = Buffer.concat([Buffer.from([algorithm, 0x9b, length]), value]);
    expect(wordOf(card.send(INS.setManagementKey, 0xff, 0xff, data))).toBe('9000');
    for (const dialogue of ['mutual', 'single'] as const) {
      card.applet.powerCycle();
      card.selectPiv();
      expect(wordOf(card.generate(0x9a, P256))).toBe('6982');
      const exchange = (step: Buffer): Buffer => card.send(INS.authenticate, algorithm, 0x9b, step);
      proveManagement(exchange, algorithm, { dialogue, value });
      expect(wordOf(card.generate(0x9a, P256))).toBe('9000');
    }
  });

  it('is not proved by a wrong answer, an old question or another algorithm', () => {
    const ask = card.send(INS.authenticate, 0x03, 0x9b, tlv(0x7c, tlv(0x81)));
    expect(bodyOf(ask)).toHaveLength(12);
    const wrong = tlv(0x7c, tlv(0x82, Buffer.alloc(8)));
    expect(wordOf(card.send(INS.authenticate, 0x03, 0x9b, wrong))).toBe('6982');
    expect(wordOf(card.send(INS.authenticate, 0x03, 0x9b, wrong))).toBe('6982');
    expect(wordOf(card.send(INS.authenticate, 0x08, 0x9b, tlv(0x7c, tlv(0x81))))).toBe('6a86');
    expect(wordOf(card.generate(0x9a, P256))).toBe('6982');
  });

  it('wants a touch to be proved where it was set so, and none to be asked', () => {
    card.prove();
    const data = Buffer.concat([Buffer.from([0x03, 0x9b, 24]), FACTORY_MANAGEMENT_KEY]);
    expect(wordOf(card.send(INS.setManagementKey, 0xff, 0xfe, data))).toBe('9000');
    expect(bodyOf(card.send(INS.getMetadata, 0, 0x9b)).toString('hex')).toBe('01010302020002050101');
    card.applet.powerCycle();
    card.selectPiv();
    const exchange = (step: Buffer): Buffer => {
      const outcome = card.outcome(INS.authenticate, 0x03, 0x9b, step);
      return outcome.kind === 'touch' ? outcome.touched() : outcome.bytes;
    };
    expect(card.outcome(INS.authenticate, 0x03, 0x9b, tlv(0x7c, tlv(0x80))).kind).toBe('answer');
    expect(card.outcome(INS.authenticate, 0x03, 0x9b, tlv(0x7c, tlv(0x82, Buffer.alloc(8)))).kind).toBe(
      'touch',
    );
    proveManagement(exchange, 0x03);
    expect(card.applet.state.isManagementProved).toBe(true);
  });

  it('is AES-192 on new firmware, and 3DES only on old', () => {
    card = new BareApplet('5.7.1');
    expect(card.applet.state.management.algorithm).toBe(0x0a);
    card.prove();
    card = new BareApplet('5.2.7');
    card.prove();
    const aes = Buffer.concat([Buffer.from([0x08, 0x9b, 16]), Buffer.alloc(16, 1)]);
    expect(wordOf(card.send(INS.setManagementKey, 0xff, 0xff, aes))).toBe('6a80');
  });
});

describe('data objects', () => {
  const ID = tlv(0x5c, Buffer.from('5fc105', 'hex'));

  it('are written with the management key and read by anybody', () => {
    const content = Buffer.alloc(2000, 0x5a);
    const put = Buffer.concat([ID, tlv(0x53, content)]);
    expect(wordOf(card.send(INS.putData, 0x3f, 0xff, put))).toBe('6982');
    card.prove();
    expect(wordOf(card.send(INS.getData, 0x3f, 0xff, ID))).toBe('6a82');
    expect(wordOf(card.send(INS.putData, 0x3f, 0xff, put))).toBe('9000');
    expect(contentOf(bodyOf(card.send(INS.getData, 0x3f, 0xff, ID)), 0x53)).toEqual(content);
    expect(wordOf(card.send(INS.putData, 0x3f, 0xff, Buffer.concat([ID, tlv(0x53)])))).toBe('9000');
    expect(wordOf(card.send(INS.getData, 0x3f, 0xff, ID))).toBe('6a82');
  });

  it('want the PIN where they are personal', () => {
    const printed = tlv(0x5c, Buffer.from('5fc109', 'hex'));
    expect(wordOf(card.send(INS.getData, 0x3f, 0xff, printed))).toBe('6982');
    card.verifyPin();
    expect(wordOf(card.send(INS.getData, 0x3f, 0xff, printed))).toBe('6a82');
  });

  it('have a size, and a name that PIV knows', () => {
    card.prove();
    const big = Buffer.concat([ID, tlv(0x53, Buffer.alloc(3053))]);
    expect(wordOf(card.send(INS.putData, 0x3f, 0xff, big))).toBe('6a84');
    const stray = Buffer.concat([tlv(0x5c, Buffer.from('7e', 'hex')), tlv(0x53, Buffer.alloc(1))]);
    expect(wordOf(card.send(INS.putData, 0x3f, 0xff, stray))).toBe('6a80');
  });

  it('come in parts as GET RESPONSE asks for them, and whole in extended length', () => {
    card.prove();
    card.send(INS.putData, 0x3f, 0xff, Buffer.concat([ID, tlv(0x53, Buffer.alloc(600, 1))]));
    const first = answerOf(card.outcome(INS.getData, 0x3f, 0xff, ID));
    expect([first.length, wordOf(first)]).toEqual([258, '6100']);
    const second = answerOf(card.outcome(INS.getResponse, 0, 0));
    expect([second.length, wordOf(second)]).toEqual([258, '615c']);
    expect(wordOf(card.send(INS.getVersion, 0, 0))).toBe('9000');
    expect(answerOf(card.outcome(INS.getResponse, 0, 0))).toEqual(Buffer.from('9000', 'hex'));
    const extended = Buffer.from([0, INS.getData, 0x3f, 0xff, 0, 0, ID.length, ...ID, 0, 0]);
    expect(answerOf(card.applet.execute(extended))).toHaveLength(606);
  });

  it('are put together from chained parts of one command only', () => {
    card.outcome(INS.putData, 0x3f, 0xff, Buffer.alloc(255), 0x10);
    expect(wordOf(card.send(INS.getVersion, 0, 0))).toBe('6883');
    for (let part = 0; part < 12; part += 1) card.outcome(INS.putData, 0x3f, 0xff, Buffer.alloc(255), 0x10);
    expect(wordOf(answerOf(card.outcome(INS.putData, 0x3f, 0xff, Buffer.alloc(255), 0x10)))).toBe('6700');
  });
});
