/** Where a publish stands, by what readers see. Pure. */
import { createHash } from 'node:crypto';
import type { DelegationFault } from './collection.js';
import type { PublishedState } from './draft.js';
import { documentHash, type PendingDocument } from './publication.js';
import type { PublishedVersion } from './role-signer.js';

/** `overtaken`: somebody else published in between; what was pending can no longer be stored as it is. */
export type Standing = 'unpublished' | 'published' | 'overtaken';

/** @param replaces version on the server of each role when the publish was made, 0 for none */
export function standingOf(
  documents: readonly PendingDocument[],
  state: PublishedState | undefined,
  replaces: ReadonlyMap<string, number>,
): Standing {
  const isSame = documents.map((one) => shownAs(one, state)?.sha256 === documentHash(one));
  if (isSame.every(Boolean)) return 'published';
  // A snapshot is not in what was replaced: it changes with everything.
  const isOpen = documents
    .filter(({ role }) => replaces.has(role))
    .every(({ role }) => publishedVersion(state, role) === replaces.get(role));
  return isOpen ? 'unpublished' : 'overtaken';
}

/** Whether a reader gets these documents, or newer ones that somebody published since. */
export function isShown(documents: readonly PendingDocument[], state: PublishedState | undefined): boolean {
  return documents.every((one) => {
    const shown = shownAs(one, state);
    if (shown === undefined) return false;
    return shown.version > one.version || shown.sha256 === documentHash(one);
  });
}

/** Version of a role that readers get; 0 when there is none. */
export function publishedVersion(state: PublishedState | undefined, role: string): number {
  const fault = state?.faults.get(role);
  return currentOf(state, role)?.version ?? versionAtFault(fault);
}

function versionAtFault(fault: DelegationFault | undefined): number {
  if (fault === undefined || fault.problem === 'not-published') return 0;
  return 'signed' in fault ? fault.signed.document.version : (fault.version ?? 0);
}

/** What the agent is told of a document. */
export function versionFacts(document: PendingDocument): PublishedVersion {
  return { role: document.role, version: document.version, sha256: documentHash(document) };
}

function shownAs(document: PendingDocument, state: PublishedState | undefined): PublishedVersion | undefined {
  return currentOf(state, document.role);
}

function currentOf(state: PublishedState | undefined, role: string): PublishedVersion | undefined {
  const held = state === undefined ? undefined : signedOf(state, role);
  if (held === undefined) return undefined;
  const sha256 = createHash('sha256').update(held.signedBytes).digest('hex');
  return { role, version: held.document.version, sha256 };
}

function signedOf(
  state: PublishedState,
  role: string,
): { readonly signedBytes: Buffer; readonly document: { readonly version: number } } | undefined {
  switch (role) {
    case 'root':
    case 'targets':
    case 'snapshot':
    case 'timestamp':
      return state[role];
    default:
      return state.delegations.get(role);
  }
}
