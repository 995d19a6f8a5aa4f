/** What a YubiKey says of itself, read APDU by APDU from the suite's own applet: each firmware has its own way to say it. */
import { describe, expect, it } from 'vitest';
import { PivCard } from '../../src/token/yubikey-piv/piv-card.js';
import { DERIVATION_SLOT, ROOT_SLOT, slotOf } from '../../src/token/yubikey-piv/piv-slots.js';
import { answerOf, BareApplet, reference } from '../support/virtual-yubikey/bare-applet.js';
import { ALGORITHM, generateKey } from '../support/virtual-yubikey/card-key.js';
import type { FirmwareVersion } from '../support/virtual-yubikey/firmware.js';
import { tlv } from '../support/virtual-yubikey/tlv.js';

const FIRMWARE: readonly FirmwareVersion[] = ['4.3.5', '5.2.7', '5.4.3', '5.7.1'];
const WRONG = reference('000000');

function cardOf(bare: BareApplet): PivCard {
  return new PivCard((apdu) => answerOf(bare.applet.execute(apdu)));
}

/** A key in 82, and its SubjectPublicKeyInfo. */
function withKey(bare: BareApplet, origin: 'generated' | 'imported'): string {
  const key = generateKey(ALGORITHM.p256);
  bare.applet.state.keys.set(0x82, { key, policies: { pin: 'once', touch: 'cached' }, origin });
  return key.publicKey.export({ type: 'spki', format: 'der' }).toString('hex');
}

describe.each(FIRMWARE)('firmware %s', (firmware) => {
  it('says serial number and version', () => {
    expect(cardOf(new BareApplet(firmware)).identify()).toEqual({ serial: '16909060', firmware });
  });

  it('counts the tries, without spending one', () => {
    const bare = new BareApplet(firmware);
    const card = cardOf(bare);
    card.identify();
    const seen = [card.pinTries()?.left];
    for (let attempt = 0; attempt < 3; attempt += 1) {
      bare.verifyPin(WRONG);
      seen.push(card.pinTries()?.left);
    }
    expect(seen).toEqual([3, 2, 1, 0]);
  });

  it('describes a key that was made on the card, with its policies', () => {
    const bare = new BareApplet(firmware);
    const spki = withKey(bare, 'generated');
    const facts = cardOf(bare).slot(DERIVATION_SLOT);
    expect({ ...facts, spki: facts.spki.toString('hex') }).toEqual({
      spki,
      policies: { pin: 'once', touch: 'cached' },
      isImported: false,
    });
  });

  it('finds no key in an empty slot', () => {
    expect(() => cardOf(new BareApplet(firmware)).slot(ROOT_SLOT)).toThrow('slot 9c: there is no key in it');
  });
});

describe('a key that was put on the card', () => {
  it('shows itself with metadata', () => {
    const bare = new BareApplet('5.4.3');
    const spki = withKey(bare, 'imported');
    const facts = cardOf(bare).slot(DERIVATION_SLOT);
    expect([facts.spki.toString('hex'), facts.isImported, facts.policies?.touch]).toEqual([
      spki,
      true,
      'cached',
    ]);
  });

  it('shows itself by its certificate where there is no metadata, without policies', () => {
    const bare = new BareApplet('5.2.7');
    withKey(bare, 'imported');
    expect(() => cardOf(bare).slot(DERIVATION_SLOT)).toThrow('none that shows itself');
    // Any certificate will do: the vendor's own stands in 5FFF01.
    const stored = bare.applet.state.objects.get('5fff01', false);
    bare.applet.state.objects.put('5fc10d', stored.subarray(4));
    const facts = cardOf(bare).slot(DERIVATION_SLOT);
    expect([facts.policies, facts.isImported, facts.spki.length > 64]).toEqual([undefined, true, true]);
  });

  it('is refused when it is of another curve', () => {
    const bare = new BareApplet();
    const key = generateKey(ALGORITHM.p384);
    bare.applet.state.keys.set(0x9c, { key, policies: { pin: 'once', touch: 'never' }, origin: 'generated' });
    expect(() => cardOf(bare).slot(ROOT_SLOT)).toThrow('slot 9c: its key is not of P-256');
  });
});

describe('what is no YubiKey with PIV', () => {
  it('is not asked any further', () => {
    const other = new PivCard(() => Buffer.from('6a82', 'hex'));
    expect(() => other.identify()).toThrow('it is no YubiKey with PIV (6a82)');
  });

  it('cannot end the reader with an answer that is none', () => {
    expect(() => new PivCard(() => Buffer.alloc(1)).identify()).toThrow('it has no status word');
    const endless = new PivCard(() => Buffer.from('6110', 'hex'));
    expect(() => endless.identify()).toThrow('it never ends');
    const cut = Buffer.concat([tlv(0x06, Buffer.from([3, 3])).subarray(0, 3), Buffer.from('9000', 'hex')]);
    expect(() => new PivCard(() => cut).pinTries()).toThrow('it is not well-formed');
  });
});

describe('slots', () => {
  it('are named by records and by a set-up, each for one use', () => {
    expect(slotOf({ id: '9c', label: 'slot 9c' }, 'sign')).toBe(ROOT_SLOT);
    expect(slotOf({ id: '00', label: 'touchstone-derivation' }, 'derive')).toBe(DERIVATION_SLOT);
    expect(() => slotOf(ROOT_SLOT.key, 'derive')).toThrow('this slot may only sign');
    expect(() => slotOf(DERIVATION_SLOT.key, 'sign')).toThrow('this slot may only derive');
    expect(() => slotOf({ id: '9d', label: 'slot 9d' }, 'derive')).toThrow('not a slot that is used');
  });
});
