/** Whose seals make a transcript count: as many keys of the root as the root itself needs. Anybody can make a transcript up; nobody else can seal it. */
import { rawFromSpki } from '../crypto/public-key.js';
import type { AuthorityRole } from './authority.js';
import type { CeremonyFacts, DocumentFacts } from './facts.js';
import { closedIn } from './newest.js';
import { sealMessage, type SealFacts } from './seal.js';
import { isSignedBy } from './signing-key.js';
import type { TranscriptLine } from './transcript-line.js';

/** The keys of the root that a document begins with. Undefined for a first root, and where none was carried in. */
export function rootBefore({ order, base, authority }: DocumentFacts): AuthorityRole | undefined {
  const root = order.role === 'root' && order.format !== 'certificate' ? base.at(-1) : authority;
  return root?.document.authority?.root;
}

/** The keys of the root that there is afterwards: their seals are asked for by the next ceremony. */
export function rootAfter(document: DocumentFacts): AuthorityRole | undefined {
  return document.proposed.authority?.root ?? document.authority?.document.authority?.root;
}

/** What there is to seal in a transcript: the line `closed` that is in force, of the ceremony that was opened before it. */
export function sealedFacts(lines: readonly TranscriptLine[], rehearsal: boolean): SealFacts | undefined {
  const end = closedIn(lines)?.line;
  const opened = lines
    .slice(0, end?.seq ?? 0)
    .flatMap(({ event }) => (event.event === 'opened' ? [event.ceremony] : []));
  const ceremony = opened.at(-1);
  if (end === undefined || ceremony === undefined) return undefined;
  return { ceremony, rehearsal, seq: end.seq, hash: end.hash };
}

/** Ids of the keys of a role that have sealed, each once; the keys are those of the role, whatever the transcript says about them. */
export function sealersAmong(
  lines: readonly TranscriptLine[],
  facts: SealFacts,
  { keys }: AuthorityRole,
): readonly string[] {
  const message = sealMessage(facts);
  const seals = lines.flatMap(({ seq, event }) =>
    event.event === 'sealed' && seq > facts.seq ? [event] : [],
  );
  const found = keys.filter(({ keyId, spki }) =>
    seals.some((seal) => seal.keyId === keyId && isSealBy(spki, message, seal.signature)),
  );
  return [...new Set(found.map(({ keyId }) => keyId))];
}

/** How far the seals of a closed ceremony are from what the next one asks for. */
export interface SealCount {
  /** Of the document that lacks most. */
  readonly document: string;
  readonly sealed: number;
  readonly needed: number;
}

/** Undefined before it was closed, and where no document has a root. */
export function sealCount(
  lines: readonly TranscriptLine[],
  { documents, request }: Pick<CeremonyFacts, 'documents' | 'request'>,
): SealCount | undefined {
  const facts = sealedFacts(lines, request.value.rehearsal);
  if (facts === undefined) return undefined;
  const counts = documents.flatMap((document) => {
    const root = rootAfter(document);
    if (root === undefined) return [];
    const sealed = sealersAmong(lines, facts, root).length;
    return [{ document: document.order.id, sealed, needed: root.threshold }];
  });
  return counts.sort((a, b) => b.needed - b.sealed - (a.needed - a.sealed))[0];
}

function isSealBy(spki: Buffer, message: Buffer, signature: string): boolean {
  const { algorithm } = rawFromSpki(spki);
  return isSignedBy({ publicKey: spki.toString('base64'), algorithm }, message, signature);
}
