/**
 * Documents to bytes. A notary-server that keeps the snapshot key does not hash what was uploaded but its own encoding of it: a byte that
 * differs from Go's makes the collection unreadable for everybody. So there are two forms: the canonical bytes that are signed, and the
 * same with Go's escapes, which are stored.
 */
import { createHash } from 'node:crypto';
import { fromHex } from '../../encoding/hex.js';
import { canonicalJson, escapeAsGo } from '../../encoding/canonical-json.js';
import {
  WIRE_TYPES,
  type FileMeta,
  type Hashes,
  type NotaryDocument,
  type RoleKeys,
  type RootDocument,
  type TargetsDocument,
} from './document.js';
import { keyObjectJson, type NotaryKey } from './key.js';
import type { NotarySignature } from './signature.js';

/** The canonical bytes of a document: what is signed. @throws AgentError `notary.document` */
export function signedBytesOf(document: NotaryDocument): Buffer {
  const { expires, version } = document;
  const body = { _type: WIRE_TYPES[document.type], ...bodyOf(document), expires, version };
  return Buffer.from(canonicalJson(body, `writing ${document.type}`, 'notary.document'), 'utf8');
}

/** The file to upload and to hash: envelope of what was signed. */
export function envelopeOf(signedBytes: Uint8Array, signatures: readonly NotarySignature[]): Buffer {
  const signed = escapeAsGo(Buffer.from(signedBytes).toString('utf8'));
  const listed = signatures.map(({ keyid, method, sig }) =>
    JSON.stringify({ keyid, method, sig: sig.toString('base64') }),
  );
  return Buffer.from(`{"signed":${signed},"signatures":[${listed.join(',')}]}`, 'utf8');
}

/** Length and hashes of a file as a snapshot or a timestamp lists it. */
export function fileMetaOf(file: Uint8Array): FileMeta {
  const hash = (name: string): string => createHash(name).update(file).digest('hex');
  return { hashes: { sha256: hash('sha256'), sha512: hash('sha512') }, length: file.length };
}

function bodyOf(document: NotaryDocument): object {
  switch (document.type) {
    case 'root':
      return rootBody(document);
    case 'targets':
      return targetsBody(document);
    case 'snapshot':
    case 'timestamp':
      return { meta: mapped(document.meta, metaJson) };
  }
}

function rootBody({ consistentSnapshot, keys, roles }: RootDocument): object {
  return {
    consistent_snapshot: consistentSnapshot,
    keys: keysJson(keys),
    roles: {
      root: roleJson(roles.root),
      snapshot: roleJson(roles.snapshot),
      targets: roleJson(roles.targets),
      timestamp: roleJson(roles.timestamp),
    },
  };
}

function targetsBody({ delegations, targets }: TargetsDocument): object {
  return {
    delegations: {
      keys: keysJson(delegations.keys),
      roles: delegations.roles.map((role) => ({
        ...roleJson(role),
        name: role.name,
        paths: [...role.paths],
      })),
    },
    targets: mapped(targets, ({ custom, ...file }) =>
      custom === undefined ? metaJson(file) : { ...metaJson(file), custom },
    ),
  };
}

function roleJson({ keyids, threshold }: RoleKeys): object {
  return { keyids: [...keyids], threshold };
}

function metaJson({ hashes, length }: FileMeta): object {
  return { hashes: hashesJson(hashes), length };
}

function hashesJson({ sha256, sha512 }: Hashes): object {
  const base64 = (hex: string): string =>
    fromHex(hex, 'writing a hash', 'notary.document').toString('base64');
  return { sha256: base64(sha256), ...(sha512 === undefined ? {} : { sha512: base64(sha512) }) };
}

function keysJson(keys: ReadonlyMap<string, NotaryKey>): object {
  return mapped(keys, keyObjectJson);
}

// Names are data: one called __proto__ must not be lost.
function mapped<T>(entries: ReadonlyMap<string, T>, toJson: (value: T) => object): object {
  const made: Record<string, object> = Object.create(null) as Record<string, object>;
  for (const [name, value] of entries) made[name] = toJson(value);
  return made;
}
