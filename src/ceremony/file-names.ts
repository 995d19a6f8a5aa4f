/** What the files of a ceremony are called. */
import { createHash } from 'node:crypto';
import type { RequestDocument } from './request.js';
import type { SignatureFile } from './signature-file.js';

export const REQUEST_FILE = 'request.json';
export const POLICY_FILE = 'policy.json';
export const MANIFEST_FILE = 'MANIFEST';
/** The transcript of the ceremony before. */
export const PREVIOUS_FILE = 'previous-transcript.jsonl';
/** In front of whatever a rehearsal makes. */
const REHEARSAL = 'REHEARSAL-';
/** Of the id of a key: two that begin with eight alike are found in minutes, with sixteen nobody finds them. */
const KEY_ID_DIGITS = 16;
const SLUG_DIGITS = 8;
const SLUG_CHARACTERS = 40;

type Named = Pick<RequestDocument, 'id' | 'role'> & Partial<Pick<RequestDocument, 'format'>>;

export function enrolmentFile(holder: string): string {
  return `enrol-${holder}.json`;
}

/** `base/7.root.json`; of repositories of a notary-server in a folder for each. */
export function baseFile(document: Named, version: number): string {
  return `base/${folderOf(document)}${version}.${document.role}.json`;
}

/** `out/8.root.json`, likewise; certificates have a name of their own. */
export function outputFile(document: Named, version: number, rehearsal: boolean): string {
  if (document.format === 'certificate') return `out/${mark(rehearsal)}${slug(document.id)}.certificate.json`;
  return `out/${folderOf(document)}${mark(rehearsal)}${version}.${document.role}.json`;
}

/** The policy from now on. */
export function policyOutput(rehearsal: boolean): string {
  return `out/${mark(rehearsal)}policy.json`;
}

/** `sig-root-v8-d76b03f1a5b6c7d8.json`; the name of the repository comes first where there is one. */
export function signatureFile(
  {
    document,
    role,
    documentVersion,
    keyId,
  }: Pick<SignatureFile, 'document' | 'role' | 'documentVersion' | 'keyId'>,
  rehearsal: boolean,
): string {
  const place = document === role ? '' : `${slug(document)}-`;
  return `${mark(rehearsal)}sig-${place}${role}-v${documentVersion}-${keyId.slice(0, KEY_ID_DIGITS)}.json`;
}

/** Whether a name is that of a signature file. */
export function isSignatureFile(name: string): boolean {
  return /^(?:REHEARSAL-)?sig-[^/]+\.json$/.test(name);
}

/** `transcript.jsonl`, and what is derived from it. */
export function transcriptFile(rehearsal: boolean, ending: 'jsonl' | 'txt' | 'html' = 'jsonl'): string {
  return `${mark(rehearsal)}transcript.${ending}`;
}

function folderOf({ id, role }: Named): string {
  return id === role ? '' : `${slug(id)}/`;
}

/** Readable, and different for different names. */
function slug(id: string): string {
  const hash = createHash('sha256').update(id).digest('hex').slice(0, SLUG_DIGITS);
  const plain = id.replace(/#[a-z]+$/, '').replaceAll(/[^A-Za-z0-9.-]+/g, '_');
  return `${plain.replace(/^[^A-Za-z0-9]+/, '').slice(0, SLUG_CHARACTERS)}.${hash}`;
}

function mark(rehearsal: boolean): string {
  return rehearsal ? REHEARSAL : '';
}
