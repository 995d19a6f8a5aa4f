/** Whatever bytes come, the virtual card answers, and nobody gets past its PIN. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { INS, parseCommand } from '../support/virtual-yubikey/apdu.js';
import { PivApplet } from '../support/virtual-yubikey/applet.js';
import { attestationAuthority } from '../support/virtual-yubikey/attestation-authority.js';
import { ALGORITHM, ecKey } from '../support/virtual-yubikey/card-key.js';
import { parseTlvMap, tlv } from '../support/virtual-yubikey/tlv.js';

const SELECT_PIV = Buffer.from('00a4040005a000000308', 'hex');
const SCALAR = Buffer.alloc(32, 0x17);
const P256 = ALGORITHM.p256;

function card(): PivApplet {
  const vendor = attestationAuthority();
  const applet = new PivApplet({ serial: 1, firmware: '5.4.3', lastWrongTry: 'blocked', vendor }, () => 0);
  applet.execute(SELECT_PIV);
  const key = ecKey(P256, SCALAR);
  applet.state.keys.set(0x9a, { key, policies: { pin: 'once', touch: 'never' }, origin: 'imported' });
  applet.state.keys.set(0x9c, { key, policies: { pin: 'always', touch: 'always' }, origin: 'imported' });
  return applet;
}

/** Runs one command, with a finger where it wants one; the response. */
function run(applet: PivApplet, bytes: Uint8Array): Buffer {
  const outcome = applet.execute(Buffer.from(bytes));
  return outcome.kind === 'answer' ? outcome.bytes : outcome.touched();
}

const bytes = fc.uint8Array({ maxLength: 300 });
/** Commands that get past the parser, with content that often gets past the templates too. */
const command = fc
  .record({
    cla: fc.constantFrom(0x00, 0x10),
    ins: fc.constantFrom(...Object.values(INS)),
    p1: fc.oneof(fc.constantFrom(0, 3, 4, 7, 0x11, 0x3f, 0xff), fc.nat(255)),
    p2: fc.oneof(fc.constantFrom(0, 0x80, 0x81, 0x82, 0x9a, 0x9b, 0x9c, 0xf9, 0xff), fc.nat(255)),
    tag: fc.constantFrom(0x5c, 0x53, 0x7c, 0xac, 0x06, 0x01, 0x7f49),
    inner: fc.constantFrom(0x80, 0x81, 0x82, 0x85, 0xaa),
    content: fc.uint8Array({ maxLength: 100 }),
  })
  .map(({ cla, ins, p1, p2, tag, inner, content }) => {
    const data = tlv(tag, tlv(0x82), tlv(inner, content));
    return Buffer.concat([Buffer.from([cla, ins, p1, p2, data.length]), data]);
  });
const commands = fc.array(fc.oneof(command, bytes), { maxLength: 20 });

describe('virtual card', () => {
  it('answers any bytes with a status word', () => {
    const applet = card();
    fc.assert(
      fc.property(fc.oneof(command, bytes), (sent) => {
        const response = run(applet, sent);
        expect(response.length).toBeGreaterThanOrEqual(2);
        expect([0x90, 0x61, 0x63, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6d, 0x6e]).toContain(response.at(-2));
      }),
      { numRuns: 2000 },
    );
  });

  it('never signs, agrees or gives tries back for whoever does not know the PIN', () => {
    fc.assert(
      fc.property(commands, (sent) => {
        const applet = card();
        let tries = applet.state.pin.triesLeft;
        for (const each of sent) {
          run(applet, each);
          expect(applet.state.pin.triesLeft).toBeLessThanOrEqual(tries);
          tries = applet.state.pin.triesLeft;
        }
        run(applet, SELECT_PIV);
        const sign = tlv(0x7c, tlv(0x82), tlv(0x81, Buffer.alloc(32, 1)));
        for (const slot of [0x9a, 0x9c]) {
          const use = Buffer.concat([Buffer.from([0, INS.authenticate, P256, slot, sign.length]), sign]);
          expect(run(applet, use).toString('hex')).toBe('6982');
        }
        expect([applet.state.isPinVerified, applet.state.isManagementProved]).toEqual([false, false]);
      }),
      { numRuns: 300 },
    );
  });
});

describe('APDU and TLV', () => {
  it('reads back what short and extended commands carry', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 2000 }), (data) => {
        const long = Buffer.from([0, 0x20, 1, 2, 0, data.length >> 8, data.length & 0xff, ...data]);
        expect(parseCommand(long).data).toEqual(Buffer.from(data));
        const short = Buffer.from([0, 0x20, 1, 2, Math.min(data.length, 255), ...data.subarray(0, 255)]);
        expect(parseCommand(short).data).toEqual(Buffer.from(data.subarray(0, 255)));
      }),
    );
  });

  it('reads back elements of any length and both tag sizes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70_000 }), fc.constantFrom(0x53, 0x7f49), (value, tag) => {
        fc.pre(value.length < 65_536);
        expect(parseTlvMap(tlv(tag, value)).get(tag)).toEqual(Buffer.from(value));
      }),
    );
  });
});
