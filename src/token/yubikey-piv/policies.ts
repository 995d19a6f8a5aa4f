/** When a key on the card wants the PIN and a touch, as metadata and attestations write it. */

export interface SlotPolicies {
  readonly pin: 'never' | 'once' | 'always';
  readonly touch: 'never' | 'always' | 'cached';
}

const PIN = { 1: 'never', 2: 'once', 3: 'always' } as const;
const TOUCH = { 1: 'never', 2: 'always', 3: 'cached' } as const;

/** @param bytes PIN policy and touch policy; undefined for codes of a later firmware */
export function policiesOf(bytes: Buffer): SlotPolicies | undefined {
  const pin = PIN[bytes[0] as keyof typeof PIN] as SlotPolicies['pin'] | undefined;
  const touch = TOUCH[bytes[1] as keyof typeof TOUCH] as SlotPolicies['touch'] | undefined;
  return pin === undefined || touch === undefined || bytes.length !== 2 ? undefined : { pin, touch };
}
