/** Setting up a card, APDU by APDU against the suite's own applet: PIN, PUK, management key, keys and certificates. */
import { createHash, createPublicKey, verify, X509Certificate } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { readCardState, readSlot } from '../../src/token/yubikey-piv/card-state.js';
import { PivAdmin } from '../../src/token/yubikey-piv/piv-admin.js';
import { DERIVATION_SLOT, ROOT_SLOT } from '../../src/token/yubikey-piv/piv-slots.js';
import { storeManagementKey } from '../../src/token/yubikey-piv/stored-management-key.js';
import { INS } from '../support/virtual-yubikey/apdu.js';
import { answerOf, BareApplet, bodyOf, policies, reference } from '../support/virtual-yubikey/bare-applet.js';
import type { FirmwareVersion } from '../support/virtual-yubikey/firmware.js';
import { proveManagement } from '../support/virtual-yubikey/management-dialogue.js';
import { FACTORY_MANAGEMENT_KEY } from '../support/virtual-yubikey/management-key.js';
import { contentOf, parseTlvMap, tlv } from '../support/virtual-yubikey/tlv.js';

const SERIAL = '16909060';
const PIN = Buffer.from('271828');
const PUK = Buffer.from('31415926');
const MANAGEMENT = 0x9b;
const P256 = 0x11;

let bare: BareApplet;
let closed: number;

function exchange(apdu: Buffer): Buffer {
  return answerOf(bare.applet.execute(apdu));
}

function admin(serial = SERIAL): PivAdmin {
  const close = (): void => {
    closed += 1;
    bare.applet.powerCycle();
  };
  return new PivAdmin({ exchange, close }, serial);
}

/** The key in the object for printed information, as a program reads it that knows the PIN. */
function storedKey(): Buffer {
  bare.selectPiv();
  bare.verifyPin(reference(PIN.toString()));
  const object = bodyOf(bare.send(INS.getData, 0x3f, 0xff, Buffer.from('5c035fc109', 'hex')));
  return contentOf(contentOf(contentOf(object, 0x53), 0x88), 0x89);
}

function adminFlags(): number | undefined {
  const object = bodyOf(bare.send(INS.getData, 0x3f, 0xff, Buffer.from('5c035fff00', 'hex')));
  return parseTlvMap(contentOf(contentOf(object, 0x53), 0x80)).get(0x81)?.[0];
}

function begin(firmware: FirmwareVersion): void {
  bare = new BareApplet(firmware);
  closed = 0;
}

beforeEach(() => {
  begin('5.4.3');
});

describe.each(['5.4.3', '5.7.1'] as const)('a fresh card of firmware %s', (firmware) => {
  beforeEach(() => {
    begin(firmware);
  });

  it('says what is still of the factory', () => {
    const { pin, puk, management } = readCardState(exchange);
    expect([pin, puk]).toEqual([
      { isFactory: true, triesLeft: 3 },
      { isFactory: true, triesLeft: 3 },
    ]);
    const algorithm = firmware === '5.7.1' ? 'aes-192' : '3des';
    expect(management).toEqual({ algorithm, isFactory: true, isStored: false, touch: false });
  });

  it('gets PIN, PUK and a management key of its own, which the PIN gives', () => {
    using card = admin();
    card.enterPin(PIN, true);
    card.changePuk(PUK);
    card.openManagement();
    const state = readCardState(exchange);
    expect([state.pin?.isFactory, state.puk?.isFactory]).toEqual([false, false]);
    expect(state.management).toMatchObject({ isFactory: false, isStored: true });
    const key = storedKey();
    expect([key.length, key.equals(FACTORY_MANAGEMENT_KEY), adminFlags()]).toEqual([24, false, 0x02]);
    const { algorithm } = bare.applet.state.management;
    proveManagement((data) => bare.send(INS.authenticate, algorithm, MANAGEMENT, data), algorithm, {
      value: key,
    });
    expect(bare.applet.state.isManagementProved).toBe(true);
  });

  it('makes keys with their policies, which attest themselves, and stores certificates', () => {
    using card = admin();
    card.enterPin(PIN, true);
    card.openManagement();
    const made = card.generate(DERIVATION_SLOT, { pin: 'once', touch: 'cached' });
    const { attestation } = made;
    if (attestation === undefined) throw new Error('no attestation');
    expect(readSlot(exchange, DERIVATION_SLOT)).toEqual({
      content: 'key',
      spki: made.spki,
      policies: { pin: 'once', touch: 'cached' },
      isImported: false,
      attestation: expect.any(Buffer) as Buffer,
    });
    const spki = new X509Certificate(attestation).publicKey.export({ type: 'spki', format: 'der' });
    expect(spki.equals(made.spki)).toBe(true);
    card.putCertificate(DERIVATION_SLOT, attestation);
    const object = bare.applet.state.objects.get(DERIVATION_SLOT.certificate, false);
    expect(parseTlvMap(contentOf(object, 0x53)).get(0x70)?.equals(attestation)).toBe(true);
  });

  it('signs with the root, and is closed at the end', () => {
    {
      using card = admin();
      card.enterPin(PIN, true);
      card.openManagement();
      const { spki } = card.generate(ROOT_SLOT, { pin: 'once', touch: 'never' });
      const message = Buffer.from('a certificate');
      const signature = card.sign(ROOT_SLOT, createHash('sha256').update(message).digest());
      const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
      expect(verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true);
      expect(closed).toBe(0);
    }
    expect([closed, bare.applet.state.isPinVerified]).toEqual([1, false]);
  });
});

describe('the PIN', () => {
  it('is not changed where the card does not say that it is the one of the factory', () => {
    bare.applet.state.pin.set(reference('555555'));
    using card = admin();
    expect(() => {
      card.enterPin(PIN, true);
    }).toThrow('does not say that it is still the one of the factory');
    expect(bare.applet.state.pin.triesLeft).toBe(3);
  });

  it('is not changed on a firmware that cannot tell', () => {
    begin('5.2.7');
    using card = admin();
    expect(() => {
      card.enterPin(PIN, true);
    }).toThrow('does not say');
    expect(bare.verifyPin()).toBe('9000');
  });

  it.each(['123456', '12345', '123456789'])('is refused as %s before anything is sent', (pin) => {
    using card = admin();
    expect(() => {
      card.enterPin(Buffer.from(pin), true);
    }).toThrow('it was not sent');
    expect(bare.applet.state.pin.isFactory).toBe(true);
  });

  it('costs one try when it is wrong, and nothing is open then', () => {
    bare.applet.state.pin.set(reference('555555'));
    using card = admin();
    expect(() => {
      card.enterPin(PIN, false);
    }).toThrow(expect.objectContaining({ code: 'token.pin-incorrect' }));
    expect([bare.applet.state.pin.triesLeft, bare.applet.state.isPinVerified]).toEqual([2, false]);
  });

  it('does not go to another card', () => {
    expect(() => admin('7')).toThrow('another card is in its place');
    expect(closed).toBe(1);
  });
});

describe('what is sent', () => {
  it.each([
    ['the PIN', INS.verify],
    ['a new PIN', INS.changeReference],
    ['a new management key', INS.setManagementKey],
  ])('as %s is overwritten, also when the card is pulled out', (_what, ins) => {
    const sent: Buffer[] = [];
    const pulled = (apdu: Buffer): Buffer => {
      if (apdu[1] !== ins) return exchange(apdu);
      sent.push(apdu);
      throw new Error('pulled out');
    };
    using card = new PivAdmin({ exchange: pulled, close: () => undefined }, SERIAL);
    expect(() => {
      card.enterPin(PIN, true);
      card.openManagement();
    }).toThrow('pulled out');
    expect(sent.map((apdu) => apdu.every((byte) => byte === 0))).toEqual([true]);
  });
});

describe('the PUK', () => {
  it.each(['12345678', '12345', '123456789'])('is refused as %s before anything is sent', (puk) => {
    using card = admin();
    expect(() => {
      card.changePuk(Buffer.from(puk));
    }).toThrow('PUK');
    expect(bare.applet.state.puk.isFactory).toBe(true);
  });

  it('is left alone where somebody has changed it', () => {
    bare.applet.state.puk.set(reference('87654321'));
    using card = admin();
    expect(() => {
      card.changePuk(PUK);
    }).toThrow('does not say');
    expect(bare.applet.state.puk.triesLeft).toBe(3);
  });
});

describe('the management key', () => {
  it('is taken from the card where it is stored', () => {
    const key = Buffer.alloc(24, 0x5a);
    bare.prove();
    bare.verifyPin();
    storeManagementKey(exchange, key);
    bare.applet.state.management.set(0x03, key, 'never');
    bare.applet.state.pin.set(reference(PIN.toString()));
    using card = admin();
    card.enterPin(PIN, false);
    card.openManagement();
    expect(bare.applet.state.isManagementProved).toBe(true);
    expect(storedKey().equals(key)).toBe(true);
  });

  it('is never guessed', () => {
    bare.applet.state.management.set(0x03, Buffer.alloc(24, 0x5a), 'never');
    using card = admin();
    card.enterPin(PIN, true);
    expect(() => {
      card.openManagement();
    }).toThrow('neither the one of the factory nor stored on the card');
  });

  it('is never guessed on a firmware that cannot tell, though it is the one of the factory', () => {
    begin('4.3.5');
    bare.applet.state.pin.set(reference(PIN.toString()));
    using card = admin();
    card.enterPin(PIN, false);
    expect(() => {
      card.openManagement();
    }).toThrow(expect.objectContaining({ code: 'token.management-key' }));
    expect(bare.applet.state.isManagementProved).toBe(false);
  });

  it('is refused when the one that is stored is not the one that counts', () => {
    bare.prove();
    bare.verifyPin();
    storeManagementKey(exchange, Buffer.alloc(24, 0x11));
    bare.applet.state.management.set(0x03, Buffer.alloc(24, 0x5a), 'never');
    using card = admin();
    card.enterPin(PIN, true);
    expect(() => {
      card.openManagement();
    }).toThrow('the card refused it');
  });

  it('is not believed by a card that only pretends to know it', () => {
    using card = new PivAdmin({ exchange: pretending, close: () => undefined }, SERIAL);
    card.enterPin(PIN, true);
    expect(() => {
      card.openManagement();
    }).toThrow('the card could not prove that it has the same one');
  });

  it('stays the one of the factory until the new one is stored', () => {
    const failing = (apdu: Buffer): Buffer =>
      apdu[1] === INS.putData ? Buffer.from('6a84', 'hex') : exchange(apdu);
    using card = new PivAdmin({ exchange: failing, close: () => undefined }, SERIAL);
    card.enterPin(PIN, true);
    expect(() => {
      card.openManagement();
    }).toThrow('the card refused (6a84)');
    expect(bare.applet.state.management.isFactory).toBe(true);
  });
});

describe('a slot', () => {
  it('is empty, or shows a certificate without a key', () => {
    expect(readSlot(exchange, ROOT_SLOT)).toEqual({ content: 'empty' });
    const device = bare.applet.state.objects.get('5fff01', false);
    bare.applet.state.objects.put(ROOT_SLOT.certificate, contentOf(device, 0x53));
    expect(readSlot(exchange, ROOT_SLOT)).toMatchObject({ content: 'certificate' });
  });

  it('shows a key of another curve as one', () => {
    bare.prove();
    bodyOf(bare.generate(0x82, 0x14, policies(2, 3)));
    expect(readSlot(exchange, DERIVATION_SLOT)).toMatchObject({ content: 'key', spki: undefined });
  });

  it('shows an imported key without an attestation', () => {
    bare.prove();
    const scalar = tlv(0x06, Buffer.alloc(32, 7));
    bodyOf(bare.send(INS.importKey, P256, 0x82, Buffer.concat([scalar, policies(2, 1)])));
    expect(readSlot(exchange, DERIVATION_SLOT)).toMatchObject({
      content: 'key',
      isImported: true,
      policies: { pin: 'once', touch: 'never' },
      attestation: undefined,
    });
  });
});

/** Answers the challenge with something else. */
function pretending(apdu: Buffer): Buffer {
  const answer = exchange(apdu);
  const isProof = apdu[1] === INS.authenticate && answer.subarray(0, 4).toString('hex') === '7c0a8208';
  return isProof
    ? Buffer.concat([answer.subarray(0, 4), Buffer.alloc(8), Buffer.from('9000', 'hex')])
    : answer;
}
