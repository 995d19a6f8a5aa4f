/** The next root of a TUF repository. */
import type { JsonObject } from '../formats/json-object.js';
import {
  SPEC_VERSION,
  TOP_ROLES,
  type TopRole,
  type TufRoleKeys,
  type TufRoot,
} from '../formats/tuf/document.js';
import { parseCanonicalJson } from '../encoding/canonical-json.js';
import { isJsonObject } from '../formats/json-object.js';
import { spkiOf, tufKeyIdOf, tufKeyOf, type TufKey } from '../formats/tuf/key.js';
import { signedBytes } from '../formats/tuf/writer.js';
import { onlineOf, type RoleKeyOrder } from './action.js';
import type { OpenDocument } from './document.js';
import { sha256Hex } from './one-form.js';
import { enteringKey, healed, nextVersion, unfitting, type PayloadInput } from './payload.js';

/** @throws AgentError `ceremony.action`, `tuf.key` */
export function tufRootAfter(input: PayloadInput): JsonObject {
  const changed = changedRoot(input);
  return jsonOf({ ...changed, version: nextVersion(input), expires: input.expires });
}

function changedRoot(input: PayloadInput): TufRoot {
  const { action, base } = input;
  switch (action.type) {
    case 'init':
      if (base.length > 0) throw unfitting('init: there is a root already');
      return withOnline(
        withRoot(FIRST_ROOT, { leaves: [], enters: action.enters, threshold: action.threshold }, input),
        onlineOf(action.online, input.id),
      );
    case 'extend':
      return rootOf(base.at(-1));
    case 'rotate':
    case 'revoke':
      return withRoot(rootOf(base.at(-1)), action, input);
    case 'threshold':
      return withRoot(rootOf(base.at(-1)), { leaves: [], enters: [], threshold: action.threshold }, input);
    case 'online-keys':
      return withOnline(rootOf(base.at(-1)), onlineOf(action.online, input.id));
    case 'heal':
      return rootOf(healed(input, action.from));
    case 'certify':
      throw unfitting('certify: a root of TUF names no repositories');
  }
}

const NO_KEYS: TufRoleKeys = { keyids: [], threshold: 1 };
const FIRST_ROOT: TufRoot = {
  type: 'root',
  specVersion: SPEC_VERSION,
  version: 0,
  expires: '',
  consistentSnapshot: true,
  keys: new Map(),
  roles: { root: NO_KEYS, targets: NO_KEYS, snapshot: NO_KEYS, timestamp: NO_KEYS },
  raw: {},
};

interface RootKeyChange {
  readonly leaves: readonly string[];
  readonly enters: readonly string[];
  readonly threshold: number | null;
}

/** The root role with other keys: those that stay keep their ids and their order. */
function withRoot(root: TufRoot, { leaves, enters, threshold }: RootKeyChange, input: PayloadInput): TufRoot {
  const old = root.roles.root;
  const leaving = new Set(leaves);
  const kept = old.keyids.filter((id) => !leaving.delete(keyIdIn(root, id)));
  if (leaving.size > 0) throw unfitting(`${[...leaving].join(', ').slice(0, 64)} leaves, and is no root key`);
  const held = new Set(kept.map((id) => keyIdIn(root, id)));
  const again = enters.find((keyId) => held.has(keyId));
  if (again !== undefined) throw unfitting(`key ${again.slice(0, 16)} enters, and is a root key already`);
  const made = enters.map((keyId) => tufKeyOf(enteringKey(input, keyId)));
  return withRole(root, 'root', { ids: kept, keys: made, threshold: threshold ?? old.threshold });
}

function withOnline(root: TufRoot, online: readonly RoleKeyOrder[]): TufRoot {
  return online.reduce((changed, { role, publicKeys, threshold }) => {
    const keys = publicKeys.map((text) => tufKeyOf(Buffer.from(text, 'base64')));
    return withRole(changed, role, { ids: [], keys, threshold });
  }, root);
}

interface RoleChoice {
  /** Of keys that stay. */
  readonly ids: readonly string[];
  readonly keys: readonly TufKey[];
  readonly threshold: number;
}

/** Keys that no role names any more go. */
function withRole(root: TufRoot, role: TopRole, { ids, keys, threshold }: RoleChoice): TufRoot {
  const named = new Map(keys.map((key) => [tufKeyIdOf(key), key]));
  const keyids = [...new Set([...ids, ...named.keys()])];
  if (threshold > keyids.length)
    throw unfitting(`${role}: ${threshold} of ${keyids.length} keys cannot sign`);
  const roles = { ...root.roles, [role]: { ...root.roles[role], keyids, threshold } };
  const used = new Set(TOP_ROLES.flatMap((one) => roles[one].keyids));
  const all = new Map([...root.keys, ...[...named].filter(([id]) => !root.keys.has(id))]);
  return { ...root, roles, keys: new Map([...all].filter(([id]) => used.has(id))) };
}

/** SHA-256 of the public key that an id of this root stands for. */
function keyIdIn({ keys }: TufRoot, id: string): string {
  const key = keys.get(id);
  return key === undefined ? id : sha256Hex(spkiOf(key));
}

function rootOf(document: OpenDocument | undefined): TufRoot {
  const { content } = document ?? {};
  if (content?.format === 'tuf' && content.document.type === 'root') return content.document;
  throw unfitting('there is no root of TUF to begin with');
}

/** The object as it reads back: the writer decides what it looks like. */
function jsonOf(root: TufRoot): JsonObject {
  const value = parseCanonicalJson(signedBytes(root), 'making a root', 'ceremony.action');
  if (isJsonObject(value)) return value;
  throw unfitting('the root is no object');
}
