/** Files that somebody names as what a ceremony begins with: sorted into documents by what they say they are. */
import { parseJsonStrict } from '../encoding/json.js';
import { AgentError } from '../errors/agent-error.js';
import { isJsonObject } from '../formats/json-object.js';
import { readEnvelope } from '../formats/notary1/reader.js';
import { repositoryOfRoot } from '../formats/notary1/root-certificate.js';
import { certificateId, type CeremonyAction, type CertificateOrder } from './action.js';
import type { PreparedDocument } from './preparing.js';

interface CarriedFile {
  /** Id of the document that it is a version of. */
  readonly id: string;
  readonly format: PreparedDocument['format'];
  readonly role: PreparedDocument['role'];
  readonly version: number;
  readonly bytes: Buffer;
}

/**
 * The documents that an action is about.
 * @param files metadata of a TUF repository and roots of a notary-server, in any order
 * @param repositories of a notary-server, that get their first root
 * @throws AgentError `ceremony.action`, `ceremony.document`
 */
export function documentsFor(
  action: CeremonyAction,
  files: readonly Buffer[],
  repositories: readonly string[],
): readonly PreparedDocument[] {
  if (action.type === 'init') return firstDocuments(files, repositories);
  const carried = files.map(readCarried);
  if ('certificates' in action && action.certificates.length > 0)
    return certificateDocuments(action, carried);
  const isOfTargets = carried.some(({ role }) => role === 'targets') || isAboutTargets(action);
  const ids = new Set(carried.map(({ id }) => id));
  if (!isOfTargets) {
    const documents = [...ids].map((id) => documentOf(carried.filter((one) => one.id === id)));
    if (documents.length > 0) return documents;
    throw unfit('name the newest root with --base');
  }
  const root = newest(carried.filter(({ id }) => id === 'root'));
  if (root === undefined) throw unfit('name the root that has the keys of the targets with --base');
  const base = versions(carried.filter(({ id }) => id === 'targets'));
  return [{ id: 'targets', format: 'tuf', role: 'targets', base, authority: root.bytes }];
}

function certificateDocuments(
  { certificates }: { readonly certificates: readonly CertificateOrder[] },
  files: readonly CarriedFile[],
): readonly PreparedDocument[] {
  const authority = newest(files.filter(({ id }) => id === 'root'))?.bytes ?? null;
  const ids = [...new Set(certificates.map(certificateId))];
  return ids.map((id) => ({ id, format: 'certificate', role: 'root', base: [], authority }));
}

/** Delegations stand in targets, everything else in roots. */
function isAboutTargets(action: CeremonyAction): boolean {
  return (action.type === 'certify' || action.type === 'revoke') && action.delegations.length > 0;
}

function firstDocuments(
  files: readonly Buffer[],
  repositories: readonly string[],
): readonly PreparedDocument[] {
  if (files.length > 0) throw unfit('a first root has nothing before it; leave out --base');
  if (repositories.length === 0)
    return [{ id: 'root', format: 'tuf', role: 'root', base: [], authority: null }];
  return [...new Set(repositories)].map((repository) => ({
    id: `${repository}#root`,
    format: 'notary1',
    role: 'root',
    base: [],
    authority: null,
  }));
}

function documentOf(files: readonly CarriedFile[]): PreparedDocument {
  const [first] = files;
  if (first === undefined) throw unfit('there is no file');
  const { id, format, role } = first;
  return { id, format, role, base: versions(files), authority: null };
}

function versions(files: readonly CarriedFile[]): readonly Buffer[] {
  return [...files].sort((a, b) => a.version - b.version).map(({ bytes }) => bytes);
}

function newest(files: readonly CarriedFile[]): CarriedFile | undefined {
  return [...files].sort((a, b) => b.version - a.version)[0];
}

function readCarried(bytes: Buffer): CarriedFile {
  const value = parseJsonStrict(bytes, 'reading metadata', 'ceremony.document');
  const signed = isJsonObject(value) ? value['signed'] : undefined;
  const { _type: type, version } = isJsonObject(signed) ? signed : {};
  if (typeof version !== 'number') throw invalid('it has no version');
  switch (type) {
    case 'root':
    case 'targets':
      return { id: type, format: 'tuf', role: type, version, bytes };
    case 'Root': {
      const repository = repositoryOfRoot(readEnvelope(bytes, 'root').document);
      return { id: `${repository}#root`, format: 'notary1', role: 'root', version, bytes };
    }
    default:
      throw invalid('it is neither a root nor targets');
  }
}

function unfit(problem: string): AgentError {
  return new AgentError('ceremony.action', { message: `preparing a ceremony: ${problem}` });
}

function invalid(problem: string): AgentError {
  return new AgentError('ceremony.document', { message: `reading metadata: ${problem}` });
}
