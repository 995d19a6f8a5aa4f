/** Documents to bytes: the canonical ones that are signed, and the file, whose layout is the same for the same content. */
import type { JsonObject } from '../json-object.js';
import { tufCanonical } from './canonical.js';
import {
  TOP_ROLES,
  type TufDelegatedRole,
  type TufDelegations,
  type TufDocument,
  type TufFileMeta,
  type TufRoleKeys,
  type TufRoot,
  type TufSignature,
  type TufSuccinctRoles,
  type TufTarget,
  type TufTargets,
} from './document.js';
import { requireDistinct } from './reader.js';

/** The canonical bytes of a document: what is signed. @throws AgentError `tuf.document` */
export function signedBytes(signed: TufDocument): Buffer {
  return tufCanonical(documentJson(signed), `writing ${signed.type}`);
}

/**
 * The file: keys sorted, signatures by key id, one space of indentation, a final newline.
 * @param raw the envelope as it was read, of which fields beside these two are kept
 * @throws AgentError `tuf.document`, also when a key signed twice
 */
export function envelopeBytes(
  signed: TufDocument,
  signatures: readonly TufSignature[],
  raw: JsonObject = {},
): Buffer {
  requireDistinct(signatures);
  const listed = [...signatures]
    .sort((a, b) => (a.keyid < b.keyid ? -1 : 1))
    .map(({ keyid, sig, raw: more }) => ({ ...more, keyid, sig }));
  const envelope = { ...raw, signatures: listed, signed: documentJson(signed) };
  // Whoever reads the file has to be able to verify it, so what has no canonical form is not written.
  tufCanonical(envelope, `writing ${signed.type}`);
  return Buffer.from(`${JSON.stringify(sorted(envelope), null, 1)}\n`, 'utf8');
}

/** The `signed` object. Fields that are undefined are left out. */
function documentJson(document: TufDocument): JsonObject {
  const { type, specVersion, version, expires, raw } = document;
  return merged(raw, { _type: type, spec_version: specVersion, version, expires, ...bodyOf(document) });
}

function bodyOf(document: TufDocument): JsonObject {
  switch (document.type) {
    case 'root':
      return rootBody(document);
    case 'targets':
      return targetsBody(document);
    case 'snapshot':
    case 'timestamp':
      return { meta: mapped(document.meta, fileJson) };
  }
}

function rootBody({ consistentSnapshot, keys, roles, raw }: TufRoot): JsonObject {
  const { roles: read } = raw;
  const known = Object.fromEntries(TOP_ROLES.map((name) => [name, roleJson(roles[name])]));
  return {
    consistent_snapshot: consistentSnapshot,
    keys: mapped(keys, (key) => key),
    roles: { ...(read as JsonObject | undefined), ...known },
  };
}

function targetsBody({ targets, delegations }: TufTargets): JsonObject {
  return {
    targets: mapped(targets, targetJson),
    delegations: delegations === undefined ? undefined : delegationsJson(delegations),
  };
}

function delegationsJson({ keys, roles, succinctRoles, raw }: TufDelegations): JsonObject {
  return merged(raw, {
    keys: mapped(keys, (key) => key),
    roles: roles?.map(delegatedJson),
    succinct_roles: succinctRoles === undefined ? undefined : succinctJson(succinctRoles),
  });
}

function delegatedJson(role: TufDelegatedRole): JsonObject {
  const { name, terminating, paths, pathHashPrefixes } = role;
  return { ...roleJson(role), name, terminating, paths, path_hash_prefixes: pathHashPrefixes };
}

function succinctJson(role: TufSuccinctRoles): JsonObject {
  return { ...roleJson(role), bit_length: role.bitLength, name_prefix: role.namePrefix };
}

function roleJson({ keyids, threshold, raw }: TufRoleKeys): JsonObject {
  return merged(raw, { keyids, threshold });
}

function targetJson({ length, hashes, custom, raw }: TufTarget): JsonObject {
  return merged(raw, { length, hashes, custom });
}

function fileJson({ version, length, hashes, raw }: TufFileMeta): JsonObject {
  return merged(raw, { version, length, hashes });
}

function merged(raw: JsonObject | undefined, known: JsonObject): JsonObject {
  return { ...raw, ...known };
}

// Names are data: one called __proto__ must not be lost.
function mapped<T>(entries: ReadonlyMap<string, T>, toJson: (value: T) => unknown): JsonObject {
  const made = Object.create(null) as Record<string, unknown>;
  for (const [name, value] of entries) made[name] = toJson(value);
  return made;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const made = Object.create(null) as Record<string, unknown>;
  for (const key of Object.keys(value).sort()) made[key] = sorted((value as JsonObject)[key]);
  return made;
}
