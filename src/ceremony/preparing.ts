/** A new ceremony: the documents made from base and action, and everything that the room needs in one folder. */
import type { CeremonyAction } from './action.js';
import type { Enrolment } from './enrolment.js';
import { baseFile, enrolmentFile, POLICY_FILE, PREVIOUS_FILE, REQUEST_FILE } from './file-names.js';
import type { CeremonyFolder } from './folder.js';
import { holdersOf } from './facts.js';
import { asLoaded, writeForm, type Loaded } from './one-form.js';
import { reproduce } from './payload.js';
import type { CeremonyPolicy } from './policy.js';
import { readRequest, type CeremonyRequest, type RequestDocument } from './request.js';
import { readSignedFile, type SignedFile } from './signed-file.js';
import { readTranscript } from './transcript.js';

export interface PreparedDocument {
  readonly id: string;
  readonly format: RequestDocument['format'];
  readonly role: RequestDocument['role'];
  /** Files of earlier versions, oldest first; empty for the first version. */
  readonly base: readonly Buffer[];
  /** The root that names the keys of targets, or of who certifies; null for a root. */
  readonly authority: Buffer | null;
}

export interface Preparation {
  readonly id: string;
  readonly rehearsal: boolean;
  readonly action: CeremonyAction;
  readonly reason: string;
  /** RFC 3339, whole seconds, Z. */
  readonly created: string;
  readonly expires: string;
  readonly policy: CeremonyPolicy;
  readonly enrolments: readonly Enrolment[];
  /** The transcript of the ceremony before; null for the first. */
  readonly previous: Buffer | null;
  readonly signers: readonly string[];
  readonly documents: readonly PreparedDocument[];
}

export interface Prepared {
  readonly request: Loaded<CeremonyRequest>;
  /** SHA-256 of MANIFEST. */
  readonly manifest: string;
}

/**
 * Writes the folder of a ceremony.
 * @throws AgentError `ceremony.action` when the action does not fit, `ceremony.document` and `ceremony.transcript` for what is carried in
 */
export function prepareCeremony(folder: CeremonyFolder, preparation: Preparation): Prepared {
  const { policy, enrolments, previous } = preparation;
  const documents = preparation.documents.map((one) => prepareDocument(one, preparation));
  const request = readRequest(writeForm(requestOf(preparation, documents)));
  folder.write(POLICY_FILE, writeForm(policy));
  for (const enrolment of enrolments) folder.write(enrolmentFile(enrolment.holder), writeForm(enrolment));
  for (const { order, base, authority } of documents) {
    for (const file of base) folder.write(baseFile(order, file.document.version), file.bytes);
    const root = { id: 'root', role: 'root' } as const;
    if (authority !== undefined) folder.write(baseFile(root, authority.document.version), authority.bytes);
  }
  if (previous !== null) folder.write(PREVIOUS_FILE, previous);
  folder.write(REQUEST_FILE, request.bytes);
  return { request, manifest: folder.seal() };
}

interface OpenedDocument {
  readonly order: RequestDocument;
  readonly base: readonly SignedFile[];
  readonly authority: SignedFile | undefined;
}

function prepareDocument(document: PreparedDocument, preparation: Preparation): OpenedDocument {
  const { id, format, role } = document;
  const { action, expires, policy, enrolments, rehearsal } = preparation;
  const where = { ceremony: preparation.id, rehearsal };
  const base = document.base.map((bytes) => readSignedFile(bytes, document, where));
  const authority =
    document.authority === null
      ? undefined
      : readSignedFile(document.authority, { format: 'tuf', role: 'root' }, where);
  const holders = holdersOf(policy, enrolments.map(asLoaded));
  const bases = base.map((file) => file.document);
  const signed = reproduce(document, { id, action, expires, base: bases, holders, enrolments });
  const newest = base.at(-1);
  const order: RequestDocument = {
    id,
    format,
    role,
    version: (newest?.document.version ?? 0) + 1,
    base: named(newest),
    authority: named(authority),
    signed,
  };
  return { order, base, authority };
}

function requestOf(preparation: Preparation, documents: readonly OpenedDocument[]): CeremonyRequest {
  const { id, rehearsal, action, reason, created, expires, policy, enrolments, previous, signers } =
    preparation;
  return {
    format: 'touchstone-ceremony-request',
    version: 1,
    id,
    rehearsal,
    action,
    reason,
    created,
    expires,
    policy: asLoaded(policy).sha256,
    previous: previous === null ? null : (readTranscript(previous).at(-1)?.hash ?? null),
    enrolments: enrolments.map((one) => ({ holder: one.holder, sha256: asLoaded(one).sha256 })),
    signers,
    documents: documents.map(({ order }) => order),
  };
}

function named(file: SignedFile | undefined): RequestDocument['base'] {
  return file === undefined ? null : { version: file.document.version, sha256: file.sha256 };
}
