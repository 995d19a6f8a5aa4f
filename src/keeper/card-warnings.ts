/** What a person should know about a card before its keys are trusted: advisories of the vendor, and what the card cannot say. */
import { isFirmwareBefore } from '../formats/firmware-version.js';
import type { CardPolicies } from '../tokenhost/messages.js';
import type { FoundCard } from './card-plan.js';
import type { CardWarning } from './wire.js';

/** YSA-2024-03: before this one, signing leaks the key to whoever measures the card at work. */
const ECDSA_FIXED = '5.7.0';
/** YSA-2017-01: RSA keys that these make can be factored; they attest with such a key. */
const ROCA = { first: '4.2.6', fixed: '4.3.5' } as const;
const METADATA_SINCE = '5.3.0';

/** @param touch of the derivation key; undefined when nobody knows */
export function cardWarnings(
  { state, vendor }: Pick<FoundCard, 'state' | 'vendor'>,
  touch: CardPolicies['touch'] | undefined,
): readonly CardWarning[] {
  const { firmware, puk } = state;
  const isRoca = !isFirmwareBefore(firmware, ROCA.first) && isFirmwareBefore(firmware, ROCA.fixed);
  const warnings: readonly (readonly [CardWarning, boolean])[] = [
    ['ecdsa-side-channel', isFirmwareBefore(firmware, ECDSA_FIXED)],
    ['roca', isRoca],
    ['hidden-keys', isFirmwareBefore(firmware, METADATA_SINCE)],
    ['puk-unknown', puk === undefined],
    ['attestation-unchecked', vendor === undefined],
    ['without-touch', touch === undefined || touch === 'never'],
  ];
  return warnings.flatMap(([warning, applies]) => (applies ? [warning] : []));
}
