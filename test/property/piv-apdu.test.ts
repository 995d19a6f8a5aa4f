/** APDUs and TLV of any content come out as they went in. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandApdus, transceive } from '../../src/token/yubikey-piv/apdu.js';
import { parseTlv, tlv } from '../../src/token/yubikey-piv/ber-tlv.js';

const bytes = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));

/** Answers in pieces of at most `piece` bytes, as a card does. */
function card(answer: Buffer, piece: number): (apdu: Buffer) => Buffer {
  let at = 0;
  return (apdu) => {
    if (((apdu[0] ?? 0) & 0x10) !== 0) return Buffer.from('9000', 'hex');
    const part = answer.subarray(at, at + piece);
    at += part.length;
    const left = answer.length - at;
    return Buffer.concat([part, left === 0 ? Buffer.of(0x90, 0) : Buffer.of(0x61, Math.min(left, 0xff))]);
  };
}

describe('APDUs', () => {
  it('carry any data in a chain whose parts add up to it', () => {
    fc.assert(
      fc.property(bytes(2000), (data) => {
        const apdus = commandApdus({ ins: 0xdb, p1: 0x3f, p2: 0xff, data });
        const parts = apdus.map((apdu) => apdu.subarray(5, 5 + (apdu.length > 5 ? (apdu[4] ?? 0) : 0)));
        expect(Buffer.concat(parts)).toEqual(data);
        expect(apdus.slice(0, -1).every((apdu) => apdu[0] === 0x10)).toBe(true);
        expect(apdus.at(-1)?.[0]).toBe(0);
        expect(apdus.every((apdu) => apdu.length <= 261)).toBe(true);
      }),
    );
  });

  it('collect an answer in pieces', () => {
    fc.assert(
      fc.property(bytes(600), fc.integer({ min: 32, max: 256 }), (answer, piece) => {
        expect(transceive(card(answer, piece), { ins: 0xcb })).toEqual({ data: answer, statusWord: 0x9000 });
      }),
    );
  });

  it('stop where the card refuses', () => {
    const refusing = (): Buffer => Buffer.from('6982', 'hex');
    expect(transceive(refusing, { ins: 0xdb, data: Buffer.alloc(600) }).statusWord).toBe(0x6982);
  });
});

describe('TLV', () => {
  it('reads what it wrote', () => {
    const tags = [0x01, 0x53, 0x7c, 0x81, 0x5f2f, 0x7f49];
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(fc.constantFrom(...tags), bytes(400)), { selector: ([tag]) => tag }),
        (all) => {
          const written = Buffer.concat(all.map(([tag, value]) => tlv(tag, value)));
          expect([...parseTlv(written)]).toEqual(all);
        },
      ),
    );
  });

  it('never fails but with an error of its own', () => {
    fc.assert(
      fc.property(bytes(64), (any) => {
        try {
          parseTlv(any);
        } catch (error) {
          expect(error).toMatchObject({ code: 'token.device' });
        }
      }),
    );
  });
});
