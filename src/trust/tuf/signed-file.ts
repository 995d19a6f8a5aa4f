/** Metadata files that carry the signatures they need. */
import { createHash } from 'node:crypto';
import { AgentError } from '../../errors/agent-error.js';
import type {
  TufDocument,
  TufDocumentOf,
  TufEnvelope,
  TufFileMeta,
  TufRoot,
  TufSnapshot,
  TufTargets,
  TufTimestamp,
  TufType,
} from '../../formats/tuf/document.js';
import { readTuf } from '../../formats/tuf/reader.js';
import { countSignatures } from '../../formats/tuf/verify.js';
import { signedBytes } from '../../formats/tuf/writer.js';
import type { TufMembers } from './roles.js';

/** A file as it is published. */
export interface SignedFile<T extends TufDocument = TufDocument> {
  readonly role: string;
  readonly envelope: TufEnvelope<T>;
  readonly document: T;
  readonly bytes: Buffer;
}

export type RootFile = SignedFile<TufRoot>;
export type TargetsFile = SignedFile<TufTargets>;
export type SnapshotFile = SignedFile<TufSnapshot>;
export type TimestampFile = SignedFile<TufTimestamp>;

/** What is asked of a file. */
export interface Demand<K extends TufType> {
  readonly role: string;
  readonly type: K;
  readonly members: TufMembers;
  /** As its parent lists it. */
  readonly meta?: TufFileMeta | undefined;
}

/**
 * Reads a file and checks type, hashes, signatures and version; not whether it has expired.
 * @throws AgentError `tuf.checksum`, `tuf.document`, `tuf.threshold`, `tuf.version`
 */
export function readSignedFile<K extends TufType>(
  bytes: Buffer,
  demand: Demand<K>,
): SignedFile<TufDocumentOf<K>> {
  const { role, members, meta } = demand;
  if (meta !== undefined) checkFacts(bytes, role, meta);
  const envelope = typed(readTuf(bytes), demand);
  const { good, threshold, isMet } = countSignatures(envelope, members.keys, members.role);
  const { version } = envelope.signed;
  if (!isMet) {
    throw new AgentError('tuf.threshold', {
      message: `reading ${role} ${version}: ${good.length} of the ${threshold} signatures that it needs`,
      details: { role, version, good: good.length, threshold },
    });
  }
  if (meta !== undefined && version !== meta.version) {
    throw new AgentError('tuf.version', {
      message: `reading ${role}: it is version ${version}, and version ${meta.version} is listed`,
    });
  }
  return { role, envelope, document: envelope.signed, bytes };
}

/** Lower-case hex SHA-256 of what is signed: by this the agent knows a document. */
export function contentHash({ document }: { readonly document: TufDocument }): string {
  return createHash('sha256').update(signedBytes(document)).digest('hex');
}

/** How a parent lists a file: with everything that clients check. */
export function fileMetaOf({ document, bytes }: Pick<SignedFile, 'document' | 'bytes'>): TufFileMeta {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { version: document.version, length: bytes.length, hashes: { sha256 } };
}

function typed<K extends TufType>(
  envelope: TufEnvelope,
  { type, role }: Demand<K>,
): TufEnvelope<TufDocumentOf<K>> {
  if (envelope.signed.type === type) return envelope as TufEnvelope<TufDocumentOf<K>>;
  throw new AgentError('tuf.document', {
    message: `reading ${role}: it is ${envelope.signed.type} where ${type} is needed`,
  });
}

function checkFacts(bytes: Buffer, role: string, { length, hashes = {} }: TufFileMeta): void {
  const isLength = length === undefined || bytes.length === length;
  const known = ['sha256', 'sha512'].filter((name) => hashes[name] !== undefined);
  const isHash = known.every(
    (name) => createHash(name).update(bytes).digest('hex') === hashes[name]?.toLowerCase(),
  );
  if (isLength && isHash) return;
  throw new AgentError('tuf.checksum', {
    message: `reading ${role}: the file is not the one that is listed`,
  });
}
