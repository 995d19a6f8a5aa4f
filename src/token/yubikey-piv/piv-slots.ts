/**
 * The two slots that Touchstone uses, under their names here and in libykcs11. Signing and deriving never share one, and 9D is
 * never used: its key is for decrypting mail.
 */
import { AgentError } from '../../errors/agent-error.js';
import type { KeyReference } from '../token.js';

export interface PivSlot {
  /** Key reference of SP 800-73-4. */
  readonly number: number;
  readonly use: 'sign' | 'derive';
  /** What key records call it. */
  readonly key: KeyReference;
  /** What libykcs11 calls its private key. */
  readonly object: KeyReference;
  /** Object that holds its certificate. */
  readonly certificate: string;
}

export const ROOT_SLOT: PivSlot = {
  number: 0x9c,
  use: 'sign',
  key: { id: '9c', label: 'slot 9c' },
  object: { id: '02', label: 'Private key for Digital Signature' },
  certificate: '5fc10a',
};

export const DERIVATION_SLOT: PivSlot = {
  number: 0x82,
  use: 'derive',
  key: { id: '82', label: 'slot 82' },
  object: { id: '05', label: 'Private key for Retired Key 1' },
  certificate: '5fc10d',
};

/** Names that a set-up asks for: a card has slots instead. */
const SETUP_NAMES: ReadonlyMap<string, PivSlot> = new Map([
  ['touchstone-root', ROOT_SLOT],
  ['touchstone-derivation', DERIVATION_SLOT],
]);

/**
 * The slot that a key record or a set-up names.
 * @throws AgentError `token.key-missing`, `key.usage` for a slot that is there for something else
 */
export function slotOf({ id, label }: KeyReference, use: PivSlot['use']): PivSlot {
  const slot =
    SETUP_NAMES.get(label) ??
    [ROOT_SLOT, DERIVATION_SLOT].find(({ key }) => key.id === id && key.label === label);
  if (slot === undefined) {
    throw new AgentError('token.key-missing', {
      message: `key "${label}": not a slot that is used on a YubiKey`,
    });
  }
  if (slot.use === use) return slot;
  throw new AgentError('key.usage', { message: `key "${label}": this slot may only ${slot.use}` });
}

/** The slot that a key record names, whatever it is for. @throws AgentError `token.key-missing` */
export function slotNamed(key: KeyReference): PivSlot {
  return slotOf(key, key.id === ROOT_SLOT.key.id ? 'sign' : 'derive');
}
