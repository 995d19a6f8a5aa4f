/** From a draft to documents that can be signed: versions, expiry, and which keys sign what. Pure. */
import { createHash } from 'node:crypto';
import { AgentError } from '../errors/agent-error.js';
import {
  notaryTime,
  type NotaryDocument,
  type RootDocument,
  type TargetsDocument,
} from '../formats/notary1/document.js';
import { canonicalKeyId, type NotaryKey } from '../formats/notary1/key.js';
import type { SignedDocument } from '../formats/notary1/reader.js';
import { isBaseRole, RELEASES } from '../formats/notary1/role-name.js';
import { signatureMethod } from '../formats/notary1/signature.js';
import { envelopeOf, fileMetaOf, signedBytesOf } from '../formats/notary1/writer.js';
import type { Draft, RoleMembers } from './draft.js';
import type { RoleKey } from './role-signer.js';
import { LAST_VERSION } from './stored-version.js';

const DAY_MS = 86_400_000;

/** How long signatures are good for, days. */
export interface Lifetimes {
  readonly root: number;
  /** Also of delegations. */
  readonly targets: number;
  readonly snapshot: number;
}

/** As the stock tools have them. */
export const DEFAULT_LIFETIMES: Lifetimes = { root: 3650, targets: 1095, snapshot: 1095 };

const CEREMONY_HINT =
  'unlock or plug in the token of the root; where several people hold it, begin with "touchstone ceremony new"';

/** One signature that a document needs. */
export interface PendingSignature {
  /** TUF id that stands beside it. */
  readonly keyid: string;
  readonly method: string;
  /** Name of the `RoleKey`. */
  readonly key: string;
}

/** A document of the next publish. */
export interface PendingDocument {
  readonly role: string;
  readonly kind: string;
  readonly version: number;
  /** Canonical bytes, as signatures cover them. */
  readonly signedBytes: Buffer;
  /** Empty for a document that was signed elsewhere. */
  readonly signatures: readonly PendingSignature[];
  /** What is uploaded; there once it is signed. */
  readonly file?: Buffer | undefined;
}

export interface PublicationFacts {
  readonly keys: readonly RoleKey[];
  readonly nowMs: number;
  readonly lifetimes: Lifetimes;
  /** Versions that were signed for a role, published or not; a new content gets a higher one. */
  readonly versionsSigned: ReadonlyMap<string, number>;
  /** A root of an earlier attempt. Its version can be given only once, so it is taken again when it says the same. */
  readonly earlierRoot?: PendingDocument | undefined;
}

/**
 * Root, targets and delegations of a draft, ready to be signed.
 * @throws AgentError `notary.keys` when a threshold cannot be met with these keys, `notary.exhausted`
 */
export function pendingDocuments(draft: Draft, facts: PublicationFacts): readonly PendingDocument[] {
  return [
    ...rootsOf(draft, facts),
    ...[...draft.changedTargets].map(([role, one]) => pendingTargets(draft, role, one, facts)),
  ];
}

/**
 * The snapshot over signed documents, where the publisher keeps its key.
 * @throws AgentError `notary.keys`
 */
export function pendingSnapshot(
  draft: Pick<Draft, 'base' | 'dropped' | 'membersOf'>,
  signed: readonly PendingDocument[],
  facts: PublicationFacts,
): PendingDocument {
  const before = draft.base?.snapshot.document;
  const meta = new Map(before?.meta);
  for (const role of draft.dropped) meta.delete(role);
  for (const { role, file } of signed) {
    if (file !== undefined) meta.set(role, fileMetaOf(file));
  }
  const version = nextVersion('snapshot', before?.version ?? 0, facts);
  const expires = expiry(facts, facts.lifetimes.snapshot);
  return pendingOf(
    'snapshot',
    { type: 'snapshot', version, expires, meta },
    [draft.membersOf('snapshot')],
    facts,
  );
}

/** The document with its signatures, which come in the order of `signatures`. */
export function sealDocument(pending: PendingDocument, signatures: readonly Buffer[]): PendingDocument {
  const listed = pending.signatures.map(({ keyid, method }, index) => {
    const sig = signatures[index];
    if (sig === undefined)
      throw new AgentError('internal.unexpected', { message: 'internal: a signature is missing' });
    return { keyid, method, sig };
  });
  return { ...pending, file: envelopeOf(pending.signedBytes, listed) };
}

/** Hex SHA-256 of what is signed: by this the agent knows a document. */
export function documentHash({ signedBytes }: Pick<PendingDocument, 'signedBytes'>): string {
  return createHash('sha256').update(signedBytes).digest('hex');
}

function rootsOf(draft: Draft, facts: PublicationFacts): readonly PendingDocument[] {
  if (draft.givenRoot !== undefined) return [givenDocument(draft.givenRoot)];
  return draft.changedRoot === undefined ? [] : [pendingRoot(draft, facts)];
}

/** Signed elsewhere: nothing of it is asked of this agent. */
function givenDocument({ document, signedBytes, file }: SignedDocument<RootDocument>): PendingDocument {
  return {
    role: 'root',
    kind: kindOf('root'),
    version: document.version,
    signedBytes,
    signatures: [],
    file,
  };
}

/** Old keys agree to the new root, the new ones to being it. */
function pendingRoot(draft: Draft, facts: PublicationFacts): PendingDocument {
  const before = draft.base?.root.document;
  const signed = facts.versionsSigned.get('root') ?? 0;
  // Servers take 1 or 2 as the first: enough for a second beginning after the repository was deleted.
  const version = before === undefined ? Math.min(signed + 1, 2) : before.version + 1;
  const expires = expiry(facts, facts.lifetimes.root);
  const members = [
    draft.membersOf('root'),
    ...(before === undefined ? [] : [{ ...before.roles.root, keys: before.keys }]),
  ];
  const pending = pendingOf('root', { ...draft.root, version, expires }, members, facts);
  const { earlierRoot } = facts;
  return earlierRoot !== undefined && saysTheSame(earlierRoot, pending) ? earlierRoot : pending;
}

function pendingTargets(
  draft: Draft,
  role: string,
  document: TargetsDocument,
  facts: PublicationFacts,
): PendingDocument {
  const version = nextVersion(role, document.version, facts);
  const expires = expiry(facts, facts.lifetimes.targets);
  return pendingOf(role, { ...document, version, expires }, [draft.membersOf(role)], facts);
}

function pendingOf(
  role: string,
  document: NotaryDocument,
  members: readonly RoleMembers[],
  facts: PublicationFacts,
): PendingDocument {
  const signatures = members.flatMap((one) => signaturesFor(role, one, facts.keys));
  const unique = signatures.filter(
    (one, index) => signatures.findIndex(({ keyid }) => keyid === one.keyid) === index,
  );
  return {
    role,
    kind: kindOf(role),
    version: document.version,
    signedBytes: signedBytesOf(document),
    signatures: unique,
  };
}

/** Every key within reach that the role takes; those of tokens that are locked only where the threshold needs them. */
function signaturesFor(
  role: string,
  members: RoleMembers,
  held: readonly RoleKey[],
): readonly PendingSignature[] {
  const found = members.keyids.flatMap((keyid) => {
    const key = members.keys.get(keyid);
    const holder = key === undefined ? undefined : holderOf(role, key, held);
    if (key === undefined || holder === undefined) return [];
    const signature = { keyid, method: signatureMethod(key.keytype), key: holder.name };
    return [{ signature, isLocked: holder.isLocked === true }];
  });
  const all = found.map(({ signature }) => signature);
  const ready = found.filter(({ isLocked }) => !isLocked).map(({ signature }) => signature);
  if (personsIn(ready) >= members.threshold) return ready;
  const persons = personsIn(all);
  if (persons >= members.threshold) return all;
  throw new AgentError('notary.keys', {
    message: `${role}: ${members.threshold} of its ${members.keyids.length} keys have to sign, ${persons} within reach`,
    ...(role === 'root' ? { hint: CEREMONY_HINT } : {}),
    details: { role, threshold: members.threshold, reach: persons, keys: members.keyids },
  });
}

function personsIn(signatures: readonly PendingSignature[]): number {
  return new Set(signatures.map(({ key }) => key)).size;
}

/** The key within reach that is this one, whatever certificate it is wrapped in. */
function holderOf(role: string, key: NotaryKey, held: readonly RoleKey[]): RoleKey | undefined {
  const id = canonicalKeyId(key);
  return held.find((one) => one.role === role && one.canonicalId === id);
}

function nextVersion(role: string, current: number, { versionsSigned }: PublicationFacts): number {
  const version = Math.max(current, versionsSigned.get(role) ?? 0) + 1;
  if (version <= LAST_VERSION) return version;
  throw new AgentError('notary.exhausted', {
    message: `${role}: version ${LAST_VERSION} was published, and there is no higher one`,
    hint: wayOut(role),
    details: { role },
  });
}

/** A version never goes down, so the role has to go; and the four that every repository has go with the repository. */
function wayOut(role: string): string {
  if (role === RELEASES) return 'see what would become of it: touchstone trust heal REPOSITORY';
  return isBaseRole(role)
    ? 'begin the repository anew: touchstone trust delete REPOSITORY, then touchstone trust init'
    : `take the signer in under another name: touchstone trust signer remove REPOSITORY ${role.replace('targets/', '')}, then touchstone trust signer add`;
}

function expiry({ nowMs }: PublicationFacts, days: number): string {
  return notaryTime(new Date(nowMs + days * DAY_MS));
}

function kindOf(role: string): string {
  if (role === 'root' || role === 'targets' || role === 'snapshot') return `notary.${role}`;
  return 'notary.delegation';
}

/** Equal but for the expiry. */
function saysTheSame(one: PendingDocument, other: PendingDocument): boolean {
  const withoutExpiry = ({ signedBytes }: PendingDocument): string =>
    signedBytes.toString('utf8').replace(/,"expires":"[^"]*"/, '');
  return withoutExpiry(one) === withoutExpiry(other);
}
