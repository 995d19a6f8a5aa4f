/** The form of a PIV PIN. What the card would refuse anyway, or what nobody has chosen, is not sent. */
import { AgentError } from '../../errors/agent-error.js';

const MIN_BYTES = 6;
const MAX_BYTES = 8;
const FACTORY_PIN = Buffer.from('123456');

/** @throws AgentError `token.pin-format` */
export function requirePin(pin: Uint8Array): void {
  if (pin.length < MIN_BYTES || pin.length > MAX_BYTES) {
    throw new AgentError('token.pin-format', {
      message: `the PIN of a YubiKey has ${MIN_BYTES} to ${MAX_BYTES} characters; it was not sent`,
    });
  }
  if (!FACTORY_PIN.equals(pin)) return;
  throw new AgentError('token.pin-format', {
    message: 'this is the PIN that every YubiKey leaves the factory with; it was not sent',
    hint: 'choose one of your own first: ykman piv access change-pin',
  });
}
