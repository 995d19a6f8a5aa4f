/** The form of a PIV PIN and PUK. What the card would refuse anyway, or what nobody has chosen, is not sent. */
import { secretBuffer } from '../../crypto/secret-bytes.js';
import { AgentError } from '../../errors/agent-error.js';

const MIN_BYTES = 6;
const MAX_BYTES = 8;
const FILLER = 0xff;

/** What every YubiKey leaves the factory with. */
export const FACTORY = { pin: Buffer.from('123456'), puk: Buffer.from('12345678') } as const;

/** @throws AgentError `token.pin-format` */
export function requirePin(pin: Uint8Array): void {
  requireForm('PIN', pin, FACTORY.pin);
}

/** @throws AgentError `token.pin-format` */
export function requirePuk(puk: Uint8Array): void {
  requireForm('PUK', puk, FACTORY.puk);
}

/** As commands carry it, 8 bytes; the caller overwrites them. */
export function fillPin(pin: Uint8Array): Buffer {
  const filled = secretBuffer(MAX_BYTES).fill(FILLER);
  filled.set(pin);
  return filled;
}

function requireForm(name: 'PIN' | 'PUK', value: Uint8Array, factory: Buffer): void {
  if (value.length < MIN_BYTES || value.length > MAX_BYTES) {
    throw new AgentError('token.pin-format', {
      message: `the ${name} of a YubiKey has ${MIN_BYTES} to ${MAX_BYTES} characters; it was not sent`,
    });
  }
  if (!factory.equals(value)) return;
  throw new AgentError('token.pin-format', {
    message: `this is the ${name} that every YubiKey leaves the factory with; it was not sent`,
    hint: 'choose one of your own: "touchstone token setup" changes it, and so does "ykman piv access"',
  });
}
