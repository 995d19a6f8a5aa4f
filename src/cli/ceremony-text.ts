/** How a ceremony speaks on a terminal: hashes, checks, the diff, the board. */
import type { BoardRow, Threshold } from '../ceremony/board.js';
import { changesOf } from '../ceremony/diff.js';
import type { CeremonyFacts, DocumentFacts } from '../ceremony/facts.js';
import type { HolderBook } from '../ceremony/holder-book.js';
import { sentenceOf, unchangedSentences } from '../ceremony/sentences.js';
import type { JudgedCheck } from '../ceremony/session.js';
import { pgpWords, spokenHash } from '../ceremony/words.js';
import type { SealCount } from '../ceremony/vouching.js';
import { counted, renderTable } from './table.js';

/** A hash under its name: hex in groups, then words. */
export function hashText(name: string, hex: string): string {
  return [`${name}:`, ...spokenHash(hex).map((line) => `  ${line}`)].join('\n');
}

export function checksText(checks: readonly JudgedCheck[]): string {
  const rows = checks.map(({ check, subject, passed, says, waivedBy }) => [
    check,
    passed ? 'PASS' : waivedBy === '' ? 'FAIL' : `WAIVED by ${waivedBy}`,
    subject,
    says,
  ]);
  return renderTable(['check', 'result', 'about', 'says'], rows);
}

/** What is signed, in sentences. */
export function diffText({ documents, request, holders }: CeremonyFacts): string {
  const blocks = documents.map((document) => {
    const sentences = documentSentences(document, holders).map((line) => `  - ${line}`);
    return [`${headingOf(document)}:`, ...sentences].join('\n');
  });
  return [`${request.value.action.type}: ${request.value.reason}`, ...blocks].join('\n');
}

/** Sentences of one document. */
export function documentSentences(
  { order, base, proposed }: DocumentFacts,
  holders: HolderBook,
): readonly string[] {
  const changes = changesOf(base.at(-1)?.document, proposed);
  const sentences = changes.map((change) => sentenceOf(change, holders));
  if (order.format === 'certificate') return sentences;
  if (base.length === 0)
    return [...sentences, `it expires on ${proposed.expires.replace(/T00:00:00Z$/, '')}`];
  return order.role === 'root' ? [...sentences, ...unchangedSentences(changes)] : sentences;
}

/** `root v8: by v7 keys 2 of 2 (alice, bob) - by v8 keys 1 of 2 (alice), missing dave`. */
export function boardText(rows: readonly BoardRow[], holders: HolderBook): string {
  return rows
    .map(({ document, version, thresholds, isMet }) => {
      const parts = thresholds.map((one) => thresholdText(one, holders)).join('\n    ');
      return `${document} v${version}: ${isMet ? 'complete' : 'open'}\n    ${parts}`;
    })
    .join('\n');
}

/** How many seals there are, and how many the next ceremony asks for. */
export function sealText(count: SealCount | undefined): string {
  if (count === undefined) return '';
  const { sealed, needed } = count;
  return sealed >= needed
    ? `The next ceremony asks for ${counted(needed, 'seal')} of root keys: they are there.`
    : `The next ceremony asks for ${counted(needed, 'seal')} of root keys: ${needed - sealed} missing.`;
}

/** What a person types to confirm: the version number and the first two words of the hash of the request. */
export function confirmationOf({ request, documents }: CeremonyFacts): string {
  const version = documents[0]?.order.version ?? 0;
  return [version, ...pgpWords(request.sha256).slice(0, 2)].join(' ');
}

function headingOf({ order, base }: DocumentFacts): string {
  const from = base.at(-1)?.document.version;
  return from === undefined
    ? `${order.id} v${order.version}, the first`
    : `${order.id} v${from} to v${order.version}`;
}

function thresholdText({ by, needed, signed, missing, isMet }: Threshold, holders: HolderBook): string {
  const names = signed.map((keyId) => holderName(keyId, holders)).join(', ');
  const absent = isMet ? '' : `, missing ${missing.map((keyId) => holderName(keyId, holders)).join(', ')}`;
  const whose = by === 0 ? 'the holders' : `the keys of v${by}`;
  return `by ${whose}: ${signed.length} of ${needed}${names === '' ? '' : ` (${names})`}${absent}`;
}

function holderName(keyId: string, holders: HolderBook): string {
  return holders.find(keyId)?.holder ?? keyId.slice(0, 8);
}
