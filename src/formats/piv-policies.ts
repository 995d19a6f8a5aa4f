/** When a key on a card wants the PIN and a touch, as metadata, attestations and orders to the card write it. */

export interface SlotPolicies {
  readonly pin: 'never' | 'once' | 'always';
  readonly touch: 'never' | 'always' | 'cached';
}

const PIN_CODES = { never: 1, once: 2, always: 3 } as const;
const TOUCH_CODES = { never: 1, always: 2, cached: 3 } as const;

/** @param bytes PIN policy and touch policy; undefined for codes of a later firmware */
export function policiesOf(bytes: Buffer): SlotPolicies | undefined {
  const pin = nameOf(PIN_CODES, bytes[0]);
  const touch = nameOf(TOUCH_CODES, bytes[1]);
  return pin === undefined || touch === undefined || bytes.length !== 2 ? undefined : { pin, touch };
}

/** PIN policy and touch policy. */
export function policyCodes({ pin, touch }: SlotPolicies): { readonly pin: number; readonly touch: number } {
  return { pin: PIN_CODES[pin], touch: TOUCH_CODES[touch] };
}

function nameOf<T extends string>(
  codes: Readonly<Record<T, number>>,
  code: number | undefined,
): T | undefined {
  return (Object.keys(codes) as T[]).find((name) => codes[name] === code);
}
