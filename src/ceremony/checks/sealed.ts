/** Whether those who hold the root vouch for the transcript of the ceremony before. */
import type { CeremonyFacts, DocumentFacts } from '../facts.js';
import { rootBefore, sealedFacts, sealersAmong } from '../vouching.js';
import { fail, pass, type Check, type CheckResult } from './check.js';

/** What was carried in as the transcript of the ceremony before is sealed by as many root keys as the root needs; for each document by its own root. */
export const previousSealed: Check = (facts) =>
  facts.previous === undefined
    ? []
    : facts.documents.map((document) => judgeSeals(document, facts, facts.previous ?? []));

function judgeSeals(
  document: DocumentFacts,
  { holders, request }: CeremonyFacts,
  previous: NonNullable<CeremonyFacts['previous']>,
): CheckResult {
  const { id } = document.order;
  const root = rootBefore(document);
  const sealed = sealedFacts(previous, request.value.rehearsal);
  if (root === undefined)
    return fail('PREVIOUS-SEALED', id, 'no root was carried in whose keys could vouch for the transcript');
  if (sealed === undefined) return fail('PREVIOUS-SEALED', id, 'the ceremony before this one was not closed');
  const good = sealersAmong(previous, sealed, root);
  const names = good.map((keyId) => holders.nameOf(keyId)).join(', ');
  const said = `${good.length} of ${root.threshold} seals of root keys${names === '' ? '' : ` (${names})`}`;
  return good.length >= root.threshold
    ? pass('PREVIOUS-SEALED', id, `the transcript before has ${said}`)
    : fail('PREVIOUS-SEALED', id, `the transcript before has ${said}: anybody can have written it`);
}
