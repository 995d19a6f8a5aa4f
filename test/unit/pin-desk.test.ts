/** The rules between a PIN that somebody entered and the token. */
import { describe, expect, it } from 'vitest';
import { seal } from '../../src/crypto/hpke.js';
import { PinDesk } from '../../src/keeper/pin-desk.js';
import type { SealedPin, UnlockBegin } from '../../src/keeper/wire.js';
import { codeOf } from '../support/error-code.js';

const RELEASE = { name: 'release', kind: 'pkcs11', pin: { source: 'person' } } as const;
const TOKEN = {
  label: 'release',
  serial: '0123',
  manufacturer: '',
  model: '',
  firmware: '1.0',
  initialised: true,
  loginRequired: true,
  triesLeft: 'full',
  uri: 'pkcs11:token=release',
} as const;

function sealed(begun: UnlockBegin, pin: string, info = begun.info): SealedPin {
  const { enc, ciphertext } = seal(
    Buffer.from(begun.publicKey, 'base64'),
    Buffer.from(pin),
    Buffer.from(info, 'base64'),
  );
  return {
    attempt: begun.attempt,
    enc: enc.toString('base64'),
    ciphertext: ciphertext.toString('base64'),
  };
}

describe('an attempt', () => {
  it('opens once, for the token it was begun for', () => {
    const desk = new PinDesk();
    const begun = desk.begin(RELEASE, TOKEN);
    const opened = desk.open(sealed(begun, '123456'));
    expect(opened).toEqual({ token: 'release', pin: Buffer.from('123456') });
    expect(codeOf(() => desk.open(sealed(begun, '123456')))).toBe('lease.attempt');
  });

  it('does not open what was sealed for another one', () => {
    const desk = new PinDesk();
    const [first, second] = [desk.begin(RELEASE, TOKEN), desk.begin(RELEASE, TOKEN)];
    expect(codeOf(() => desk.open(sealed(first, '123456', second.info)))).toBe('lease.attempt');
  });
});

describe('a PIN', () => {
  const desk = new PinDesk();
  const check = (pin: string): void => {
    desk.check(TOKEN, Buffer.from(pin), undefined);
  };

  it.each(['123456', 'ünï', 'a b'])('of printable characters is let through', (pin) => {
    expect(() => {
      check(pin);
    }).not.toThrow();
  });

  it.each([
    ['empty', ''],
    ['with the line end of a file from Windows', '123456\r'],
    ['of two lines', '123456\n654321'],
    ['with a NUL', '123456\0'],
    ['longer than any token takes', '1'.repeat(513)],
  ])('%s is nothing that a person typed, and is not sent', (_what, pin) => {
    expect(
      codeOf(() => {
        check(pin);
      }),
    ).toBe('token.pin-format');
  });
});
