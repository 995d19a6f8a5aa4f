/**
 * The documents of a request, made again from the base, the action and the policy. What was carried in has to be the same byte for byte, so
 * that nobody has to believe whoever prepared it.
 */
import { AgentError } from '../errors/agent-error.js';
import type { JsonObject } from '../formats/json-object.js';
import type { CeremonyAction } from './action.js';
import type { OpenDocument } from './document.js';
import type { Enrolment } from './enrolment.js';
import type { HolderBook } from './holder-book.js';
import { certificateAfter } from './payload-certificate.js';
import { notaryRootAfter } from './payload-notary.js';
import { tufRootAfter } from './payload-tuf-root.js';
import { tufTargetsAfter } from './payload-tuf-targets.js';
import type { RequestDocument } from './request.js';

export interface PayloadInput {
  /** Of the document in the request. */
  readonly id: string;
  readonly action: CeremonyAction;
  /** Of the new document; RFC 3339, whole seconds, Z. */
  readonly expires: string;
  /** Earlier versions, oldest first; empty for the first document. */
  readonly base: readonly OpenDocument[];
  readonly holders: HolderBook;
  readonly enrolments: readonly Enrolment[];
}

/**
 * The `signed` object that follows.
 * @throws AgentError `ceremony.action` when the action does not fit the base or names keys that nobody knows
 */
export function reproduce(
  { format, role }: Pick<RequestDocument, 'format' | 'role'>,
  input: PayloadInput,
): JsonObject {
  const earlier = input.base.at(-1);
  if (format === 'certificate') return certificateAfter(input);
  if (format === 'notary1') return notaryRootAfter(repositoryOf(input.id), input);
  if (role === 'targets') return tufTargetsAfter(input);
  if (earlier !== undefined || input.action.type === 'init') return tufRootAfter(input);
  throw unfitting(`${input.action.type}: there is no root to begin with`);
}

/** `REPOSITORY` of the ids `REPOSITORY#root` and `REPOSITORY#ROLE@EPOCH`. */
export function repositoryOf(id: string): string {
  return id.replace(/#[^#]*$/, '');
}

/** The version after the newest of the base. */
export function nextVersion({ base }: PayloadInput): number {
  return (base.at(-1)?.version ?? 0) + 1;
}

/** The document whose content comes back, for `heal`. @throws AgentError `ceremony.action` */
export function healed({ base }: PayloadInput, from: number): OpenDocument {
  const found = base.find(({ version }) => version === from);
  if (found !== undefined) return found;
  throw unfitting(`heal: version ${from} was not carried in`);
}

/** DER SubjectPublicKeyInfo of a key that enters. @throws AgentError `ceremony.action` for a key that nobody holds */
export function enteringKey({ holders }: PayloadInput, keyId: string): Buffer {
  const held = holders.find(keyId);
  if (held !== undefined) return Buffer.from(held.publicKey, 'base64');
  throw unfitting(`key ${keyId.slice(0, 16)} enters, and nobody was enrolled with it`);
}

/** `ceremony.action` with what does not fit. */
export function unfitting(problem: string): AgentError {
  return new AgentError('ceremony.action', { message: `making the documents: ${problem}` });
}
