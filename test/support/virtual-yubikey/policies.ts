/** PIN and touch policies of a key, as GENERATE, IMPORT, METADATA and attestations write them. */
import { StatusWordError, SW } from './status-word.js';

export type PinPolicy = 'never' | 'once' | 'always';
export type TouchPolicy = 'never' | 'always' | 'cached';

export interface Policies {
  readonly pin: PinPolicy;
  readonly touch: TouchPolicy;
}

const PIN_CODES: readonly (PinPolicy | undefined)[] = [undefined, 'never', 'once', 'always'];
const TOUCH_CODES: readonly (TouchPolicy | undefined)[] = [undefined, 'never', 'always', 'cached'];
const PIN_TAG = 0xaa;
const TOUCH_TAG = 0xab;

/** Two bytes. */
export function policyBytes(policies: Policies): Buffer {
  return Buffer.from([PIN_CODES.indexOf(policies.pin), TOUCH_CODES.indexOf(policies.touch)]);
}

/** What a command asks for; code 0 and silence mean the slot's own. @throws StatusWordError 6a80 */
export function requestedPolicies(elements: ReadonlyMap<number, Buffer>, slot: number): Policies {
  const pin = policyOf(elements.get(PIN_TAG), PIN_CODES, defaultPinPolicy(slot));
  const touch = policyOf(elements.get(TOUCH_TAG), TOUCH_CODES, 'never');
  return { pin, touch };
}

function policyOf<T>(value: Buffer | undefined, codes: readonly (T | undefined)[], standard: T): T {
  const code = value?.[0] ?? 0;
  if (code === 0) return standard;
  const policy = codes[code];
  if (policy === undefined || value?.length !== 1) throw new StatusWordError(SW.wrongData);
  return policy;
}

function defaultPinPolicy(slot: number): PinPolicy {
  if (slot === 0x9c) return 'always';
  return slot === 0x9e || slot === 0xf9 ? 'never' : 'once';
}
