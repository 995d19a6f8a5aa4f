/** The newest version of each document that a ceremony knows of: what its transcript hands on to the next one. */
import type { CeremonyFacts } from './facts.js';
import type { EventOf } from './event.js';
import { sha256Hex } from './one-form.js';
import type { SignedFile } from './signed-file.js';
import type { TranscriptLine } from './transcript-line.js';

export type NewestVersion = EventOf<'closed'>['newest'][number];

/** Id of the root of a TUF repository, which targets and certificates go by. */
const AUTHORITY = 'root';

/** The line `closed` that is in force, with its event. Undefined before there is one. */
export function closedIn(
  lines: readonly TranscriptLine[],
): { readonly line: TranscriptLine; readonly closed: EventOf<'closed'> } | undefined {
  const line = lines.findLast(({ event }) => event.event === 'closed');
  return line?.event.event === 'closed' ? { line, closed: line.event } : undefined;
}

/**
 * What is the newest from now on, sorted by document: what the ceremony before knew, what this one began with, and what it made.
 * Certificates have no versions.
 * @param made files of documents that are complete, by their id
 */
export function newestAfter(
  { previous, documents }: Pick<CeremonyFacts, 'previous' | 'documents'>,
  made: ReadonlyMap<string, Uint8Array>,
): readonly NewestVersion[] {
  const known = new Map<string, NewestVersion>();
  const learn = (one: NewestVersion): void => {
    if (one.version >= (known.get(one.document)?.version ?? 0)) known.set(one.document, one);
  };
  for (const one of closedIn(previous ?? [])?.closed.newest ?? []) learn(one);
  for (const { order, base, authority } of documents) {
    const newest = base.at(-1);
    if (authority !== undefined) learn(versionOf(AUTHORITY, authority));
    if (newest !== undefined) learn(versionOf(order.id, newest));
    const bytes = made.get(order.id);
    if (bytes === undefined || order.format === 'certificate') continue;
    learn({ document: order.id, version: order.version, sha256: sha256Hex(bytes) });
  }
  return [...known.values()].sort((a, b) => (a.document < b.document ? -1 : 1));
}

/** Why a file is not the newest that the ceremony before knew; undefined when it is. @param file undefined for a document that has none before it */
export function notNewest(
  id: string,
  file: SignedFile | undefined,
  { previous, request }: Pick<CeremonyFacts, 'previous' | 'request'>,
): string | undefined {
  if (previous === undefined || request.value.previous === null) {
    if (file === undefined) return undefined;
    return 'no transcript of an earlier ceremony says that this is the newest version';
  }
  if (previous.at(-1)?.hash !== request.value.previous)
    return 'the transcript is not the one that the request names';
  const known = closedIn(previous)?.closed.newest.find(({ document }) => document === id);
  if (file === undefined)
    return known === undefined
      ? undefined
      : `it begins anew, and the ceremony before this one knew version ${known.version}`;
  if (known === undefined) return 'the ceremony before this one does not know it';
  return known.sha256 === file.sha256
    ? undefined
    : `version ${known.version} was the newest after the ceremony before this one, and not this file`;
}

/** Why the root that a document goes by is not the newest; undefined when it is, and for a root. */
export function notNewestAuthority(
  authority: SignedFile | undefined,
  facts: Pick<CeremonyFacts, 'previous' | 'request'>,
): string | undefined {
  return authority === undefined ? undefined : notNewest(AUTHORITY, authority, facts);
}

function versionOf(document: string, { document: { version }, sha256 }: SignedFile): NewestVersion {
  return { document, version, sha256 };
}
