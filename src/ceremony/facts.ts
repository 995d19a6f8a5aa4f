/** All that the checks look at: the files of a folder, read and opened. */
import { authorityRole, type AuthorityRole } from './authority.js';
import type { CeremonyPolicy } from './policy.js';
import type { Enrolment } from './enrolment.js';
import { HolderBook } from './holder-book.js';
import type { OpenDocument } from './document.js';
import type { Loaded } from './one-form.js';
import type { CeremonyRequest, RequestDocument } from './request.js';
import type { SignatureFile } from './signature-file.js';
import type { SignedFile } from './signed-file.js';
import type { TranscriptLine } from './transcript-line.js';

export interface DocumentFacts {
  readonly order: RequestDocument;
  /** Earlier versions that were carried in, oldest first; the last is the base. */
  readonly base: readonly SignedFile[];
  readonly proposed: OpenDocument;
  /** The root that names the keys of a targets document; undefined for a root. */
  readonly authority: SignedFile | undefined;
  /** Who certifies keys, for a certificate: the root role, or all holders where no root was carried in. */
  readonly certifiers: AuthorityRole | undefined;
}

export interface CeremonyFacts {
  readonly request: Loaded<CeremonyRequest>;
  readonly policy: Loaded<CeremonyPolicy>;
  readonly enrolments: readonly Loaded<Enrolment>[];
  readonly documents: readonly DocumentFacts[];
  readonly signatures: readonly Loaded<SignatureFile>[];
  /** The transcript of the ceremony before this one, where it was carried in. */
  readonly previous: readonly TranscriptLine[] | undefined;
  /** The date that a person typed, `YYYY-MM-DD`; undefined before anybody was asked. */
  readonly today: string | undefined;
  readonly holders: HolderBook;
}

/** Who certifies: the root role of a root, else every holder with the threshold that the policy asks for. */
export function certifiersOf(policy: CeremonyPolicy, root: SignedFile | undefined): AuthorityRole {
  const keys = policy.holders.flatMap(({ tokens }) => tokens.map(({ publicKey }) => publicKey));
  const named = root?.document.authority?.root.keys.map(({ spki }) => spki.toString('base64'));
  const threshold = root?.document.authority?.root.threshold ?? policy.threshold.min;
  return authorityRole(named ?? keys, threshold);
}

/** The book of holders that policy and enrolments make. */
export function holdersOf(policy: CeremonyPolicy, enrolments: readonly Loaded<Enrolment>[]): HolderBook {
  return new HolderBook(
    policy,
    enrolments.map(({ value }) => value),
  );
}
