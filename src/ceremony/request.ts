/** `request.json`: the whole input of a ceremony, reviewed before and carried in. */
import { z } from 'zod';
import { actionSchema } from './action.js';
import {
  ceremonyIdField,
  holderField,
  jsonObjectField,
  sha256Field,
  timeField,
  versionField,
  wordsField,
} from './fields.js';
import { baseFile } from './file-names.js';
import { readForm, type Loaded } from './one-form.js';

const file = z.strictObject({ version: versionField, sha256: sha256Field }).readonly();

const NOTARY_ID = /^[\x21-\x7e]+#root$/;
const CERTIFICATE_ID = /^[\x21-\x7e]+#[\x21-\x7e]+@[1-9]\d*$/;

const documentSchema = z
  .strictObject({
    /** `root`, `targets`, `REPOSITORY#root` for one of a notary-server, `REPOSITORY#ROLE@EPOCH` for a key certificate; each once. It is shown. */
    id: z.string().min(1).max(300),
    format: z.enum(['tuf', 'notary1', 'certificate']),
    /** The role that it is of, and that signs it. */
    role: z.enum(['root', 'targets']),
    version: versionField,
    /** The newest version before this one; null for the first. */
    base: file.nullable(),
    /** The root that names the keys of targets, or of who certifies; null for a root, which names its own. */
    authority: file.nullable(),
    /** The document that is to be signed, in full. */
    signed: jsonObjectField,
  })
  .refine(isNamedAsItIs, { path: ['id'] })
  .readonly();

/** Signatures name their document by its id, and its files by something shorter: neither may be that of another. */
function hasDistinctIds(
  documents: readonly { readonly id: string; readonly role: 'root' | 'targets'; readonly version: number }[],
): boolean {
  const ids = new Set(documents.map(({ id }) => id));
  const files = new Set(documents.map((one) => baseFile(one, one.version)));
  return ids.size === documents.length && files.size === documents.length;
}

const requestSchema = z
  .strictObject({
    format: z.literal('touchstone-ceremony-request'),
    version: z.literal(1),
    id: ceremonyIdField,
    /** A rehearsal is the same in everything, but nothing of it can verify anywhere else. */
    rehearsal: z.boolean(),
    action: actionSchema,
    reason: wordsField.min(1),
    created: timeField,
    /** Of every document in it. */
    expires: timeField,
    /** SHA-256 of policy.json. */
    policy: sha256Field,
    /** Hash of the last line of the transcript before this one; null for the first ceremony. */
    previous: sha256Field.nullable(),
    enrolments: z
      .array(z.strictObject({ holder: holderField, sha256: sha256Field }).readonly())
      .max(64)
      .readonly(),
    /** Holders who are expected to sign. */
    signers: z.array(holderField).max(64).readonly(),
    documents: z.array(documentSchema).min(1).max(4_096).refine(hasDistinctIds).readonly(),
  })
  .readonly();

export type CeremonyRequest = z.infer<typeof requestSchema>;
export type RequestDocument = z.infer<typeof documentSchema>;

/** @throws AgentError `ceremony.file` */
export function readRequest(bytes: Buffer): Loaded<CeremonyRequest> {
  return readForm(bytes, requestSchema, 'request.json');
}

/** People read the id and sign what has that format and role: the two must not differ, and an id must not draw on the terminal. */
function isNamedAsItIs({
  id,
  format,
  role,
}: {
  readonly id: string;
  readonly format: 'tuf' | 'notary1' | 'certificate';
  readonly role: 'root' | 'targets';
}): boolean {
  if (format === 'tuf') return id === role;
  return role === 'root' && (format === 'notary1' ? NOTARY_ID : CERTIFICATE_ID).test(id);
}
