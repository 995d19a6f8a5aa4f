/** Thresholds: are they sensible, and can the people who come meet them. */
import { keyIdsOf } from '../authority.js';
import { authoritiesOf } from '../board.js';
import type { CeremonyFacts, DocumentFacts } from '../facts.js';
import { perDocument, type Check } from './check.js';

/** Within the policy, and losing one key leaves enough. */
export const thresholdSane: Check = perDocument(
  'THRESHOLD-SANE',
  'losing one key leaves enough to go on',
  ({ proposed }, { policy }) => {
    if (proposed.authority === undefined) return undefined;
    const { min, max } = policy.value.threshold;
    const { root } = proposed.authority;
    const count = keyIdsOf(root).length;
    if (root.threshold < min)
      return `${root.threshold} of ${count} keys are fewer than the policy asks for (${min})`;
    if (root.threshold > max)
      return `${root.threshold} of ${count} keys are more than the policy allows (${max})`;
    return count > root.threshold
      ? undefined
      : `${root.threshold} of ${count}: losing one key would be losing the root`;
  },
);

/** Those who are expected can meet the threshold of the old root. */
export const oldReachable: Check = perDocument(
  'OLD-REACHABLE',
  'those who are expected can sign for the old root',
  (document, facts) => unreachable(document, facts, 'old'),
);

/** Those who are expected can meet the threshold of the new root. */
export const newReachable: Check = perDocument(
  'NEW-REACHABLE',
  'those who are expected can sign for the new root',
  (document, facts) => unreachable(document, facts, 'new'),
);

function unreachable(
  document: DocumentFacts,
  { request, holders }: CeremonyFacts,
  which: 'old' | 'new',
): string | undefined {
  const all = authoritiesOf(document);
  const chosen = which === 'new' ? all.at(-1) : all.length > 1 ? all[0] : undefined;
  if (chosen === undefined) return which === 'new' ? 'nobody is named who could sign it' : undefined;
  const expected = new Set(request.value.signers);
  const able = keyIdsOf(chosen.keys).filter((keyId) => expected.has(holders.find(keyId)?.holder ?? ''));
  const { threshold } = chosen.keys;
  return able.length >= threshold
    ? undefined
    : `${able.length} of ${threshold} keys that root ${chosen.by} asks for are expected`;
}
