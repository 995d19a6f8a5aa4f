/** What is guarded of one role of one repository, and how it stands in a file. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { MAX_CONTENTS, type GuardState } from '../policy/guard.js';

/** What is guarded: the metadata of one role of one repository. */
export interface GuardName {
  readonly repository: string;
  readonly role: string;
}

export interface GuardEntry extends GuardName {
  readonly state: GuardState;
  /** Grows by one with each change of this entry. */
  readonly changes: number;
}

const MAX_VERSION = Number.MAX_SAFE_INTEGER;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const content = z.strictObject({ version: z.int().min(1).max(MAX_VERSION), sha256 });

/** The fields of an entry, without format and version of the file. */
export const GUARD_ENTRY_FIELDS = {
  repository: z.string().min(1).max(255),
  role: z.string().min(1).max(64),
  changes: z.int().min(1),
  published: content.nullable(),
  signed: z
    .strictObject({
      version: z.int().min(1).max(MAX_VERSION),
      contents: z.array(sha256).min(1).max(MAX_CONTENTS),
    })
    .nullable(),
  passed: z.int().min(0).max(MAX_VERSION),
  latest: content.nullable(),
  before: content.nullable(),
} as const;

type StoredEntry = z.output<z.ZodObject<typeof GUARD_ENTRY_FIELDS>>;

/** As a file has it. */
export function toStored({ repository, role, changes, state }: GuardEntry): StoredEntry {
  const { published, signed, passed, latest, before } = state;
  const held = signed === null ? null : { version: signed.version, contents: [...signed.contents] };
  return { repository, role, changes, published, signed: held, passed, latest, before };
}

/** From a file that was checked. */
export function fromStored({ repository, role, changes, ...state }: StoredEntry): GuardEntry {
  const { published, signed, passed, latest, before } = state;
  return { repository, role, changes, state: { published, signed, passed, latest, before } };
}

/** Roles hold slashes and repositories are long, so files are named by a hash, hex; what they are of stands in them. */
export function guardFileName({ repository, role }: GuardName): string {
  return createHash('sha256').update(`${repository}#${role}`, 'utf8').digest('hex');
}
