/** The passphrase beside an OTP slot: what the whole string would normalise to, without ever being a string. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalisePassphrase } from '../../src/crypto/passphrase.js';
import { thrownBy } from '../support/error-code.js';

/** Letters, marks that combine, Hangul parts that compose, and plain text between them. */
const pieces = fc.constantFrom(
  ...[
    'a',
    'o',
    'e',
    ' ',
    '7',
    '~',
    'é',
    '\u0301',
    '\u0308',
    '\u0323',
    '\u1100',
    '\u1161',
    '\u11a8',
    'ж',
    '漢',
    '😀',
  ],
  ...['\u212b', '\u1e9b', '\ufeff', '\u0344', '\u0958', '\ufb1d', '\u0915', '\u093c', '\u0b47', '\u0b56'],
);

function typed(text: string): Buffer {
  return Buffer.from(text, 'utf8');
}

describe('a passphrase', () => {
  it('becomes the NFC of the whole text, and counts its characters', () => {
    fc.assert(
      fc.property(fc.array(pieces, { minLength: 0, maxLength: 140 }), (parts) => {
        const text = parts.join('');
        const whole = text.normalize('NFC');
        const characters = Array.from(whole).length;
        if (characters >= 12 && characters <= 128) {
          expect(normalisePassphrase(typed(text)).toString('utf8')).toBe(whole);
        } else {
          expect(thrownBy(() => normalisePassphrase(typed(text))).code).toBe('token.pin-format');
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('of any text with assigned characters is the NFC of it', () => {
    const text = fc
      .string({ unit: 'binary', minLength: 12, maxLength: 64 })
      .filter((value) => !/[\p{Cc}\p{Cn}]/u.test(value));
    fc.assert(
      fc.property(text, (value) => {
        const whole = value.normalize('NFC');
        if (Array.from(whole).length < 12) return;
        expect(normalisePassphrase(typed(value)).toString('utf8')).toBe(whole);
      }),
    );
  });

  it('of bytes that are no text is refused, and never quoted', () => {
    const bytes = fc.uint8Array({ minLength: 0, maxLength: 64 });
    fc.assert(
      fc.property(bytes, (value) => {
        try {
          expect(normalisePassphrase(value).length).toBeGreaterThanOrEqual(12);
        } catch (error) {
          expect(error).toMatchObject({ code: 'token.pin-format' });
        }
      }),
    );
  });

  it.each([
    ['a line end', 'correct horse\nbattery'],
    ['a character that is not assigned', `correct horse ${String.fromCodePoint(0x0378)}`],
    ['eleven characters', 'elevenchars'],
    ['129 characters', 'x'.repeat(129)],
    ['nothing', ''],
  ])('with %s is refused', (_, text) => {
    const error = thrownBy(() => normalisePassphrase(typed(text)));
    expect(error.code).toBe('token.pin-format');
    if (text !== '') expect(error.message).not.toContain(text);
  });

  it.each(['twelve chars', 'x'.repeat(128), 'ж'.repeat(12)])(
    'of a length at the limits is taken: %s',
    (text) => {
      expect(normalisePassphrase(typed(text)).toString('utf8')).toBe(text);
    },
  );
});
