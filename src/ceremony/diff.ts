/** What a new document changes, as a list that a person can read and a program can judge. */
import { canonicalJson } from '../encoding/canonical-json.js';
import type { KeyCertificate } from '../formats/key-certificate/document.js';
import { isJsonObject, type JsonObject } from '../formats/json-object.js';
import { TOP_ROLES, type TopRole } from '../formats/tuf/document.js';
import { spkiOf } from '../formats/tuf/key.js';
import { keyIdsOf, type Authority } from './authority.js';
import type { OpenDocument } from './document.js';
import { sha256Hex } from './one-form.js';

export type Change =
  | { readonly kind: 'version'; readonly from: number; readonly to: number }
  | { readonly kind: 'expires'; readonly from: string; readonly to: string }
  | { readonly kind: 'enters' | 'leaves'; readonly role: TopRole; readonly keyId: string }
  | {
      readonly kind: 'threshold';
      readonly role: TopRole;
      readonly from: number;
      readonly to: number;
      readonly of: number;
    }
  | {
      readonly kind: 'delegated' | 'changed';
      readonly name: string;
      readonly keyIds: readonly string[];
      readonly threshold: number;
      readonly paths: readonly string[];
    }
  | { readonly kind: 'undelegated'; readonly name: string }
  | { readonly kind: 'certified'; readonly certificate: KeyCertificate }
  /** Something that no action changes. */
  | { readonly kind: 'field'; readonly field: string };

/** Changes from the base to what is proposed; for a first document what it begins with. */
export function changesOf(base: OpenDocument | undefined, proposed: OpenDocument): readonly Change[] {
  const changes: Change[] = [];
  if (base !== undefined) {
    changes.push({ kind: 'version', from: base.version, to: proposed.version });
    if (base.expires !== proposed.expires) {
      changes.push({ kind: 'expires', from: base.expires, to: proposed.expires });
    }
    changes.push(...fieldChanges(base.json, proposed.json));
  }
  if (proposed.content.format === 'certificate') {
    return [{ kind: 'certified', certificate: proposed.content.document }];
  }
  if (proposed.authority !== undefined) changes.push(...keyChanges(base?.authority, proposed.authority));
  changes.push(...delegationChanges(delegationsOf(base), delegationsOf(proposed)));
  return changes;
}

function keyChanges(old: Authority | undefined, next: Authority): readonly Change[] {
  return TOP_ROLES.flatMap((role) => {
    const before = old === undefined ? [] : keyIdsOf(old[role]);
    const after = keyIdsOf(next[role]);
    const from = old?.[role].threshold ?? 0;
    const to = next[role].threshold;
    const changes: Change[] = [
      ...before
        .filter((one) => !after.includes(one))
        .map((keyId) => ({ kind: 'leaves', role, keyId }) as const),
      ...after
        .filter((one) => !before.includes(one))
        .map((keyId) => ({ kind: 'enters', role, keyId }) as const),
    ];
    return from === to ? changes : [...changes, { kind: 'threshold', role, from, to, of: after.length }];
  });
}

interface Delegated {
  readonly name: string;
  readonly keyIds: readonly string[];
  readonly threshold: number;
  readonly paths: readonly string[];
  /** Everything about it, to compare. */
  readonly text: string;
}

function delegationChanges(before: readonly Delegated[], after: readonly Delegated[]): readonly Change[] {
  const old = new Map(before.map((one) => [one.name, one]));
  const names = new Set(after.map(({ name }) => name));
  return [
    ...before
      .filter(({ name }) => !names.has(name))
      .map(({ name }) => ({ kind: 'undelegated', name }) as const),
    ...after.flatMap(({ text, ...one }) => {
      const earlier = old.get(one.name);
      if (earlier?.text === text) return [];
      return [{ kind: earlier === undefined ? ('delegated' as const) : ('changed' as const), ...one }];
    }),
  ];
}

function delegationsOf(document: OpenDocument | undefined): readonly Delegated[] {
  const { content } = document ?? {};
  if (content?.format !== 'tuf' || content.document.type !== 'targets') return [];
  const { delegations } = content.document;
  return (delegations?.roles ?? []).map((role) => {
    const held = role.keyids.map((id) => {
      const key = delegations?.keys.get(id);
      return key === undefined ? id : sha256Hex(spkiOf(key));
    });
    const { name, threshold, paths = [] } = role;
    const facts = { name, threshold, paths, keyIds: held };
    return { ...facts, text: textOf([facts, role.keyids, role.terminating ?? null, role.raw ?? null]) };
  });
}

/** Top-level fields that differ and are not said otherwise. */
function fieldChanges(base: JsonObject, proposed: JsonObject): readonly Change[] {
  const [before, after] = [residue(base), residue(proposed)];
  const fields = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  const changed = fields.filter((field) => textOf(before[field]) !== textOf(after[field]));
  return [...changed, ...keyObjectChanges(base, proposed), ...orderChanges(base, proposed)].map((field) => ({
    kind: 'field',
    field,
  }));
}

/** What is left when everything that other changes speak of is taken away. */
function residue({
  version: _v,
  expires: _e,
  keys: _k,
  delegations,
  roles,
  ...rest
}: JsonObject): JsonObject {
  return {
    ...rest,
    ...named('roles', roles, bareRole),
    ...named('delegations', delegations, bareDelegations),
  };
}

/** A field with its known parts taken away; left out when nothing else was in it. */
function named(name: string, value: unknown, strip: (value: unknown) => unknown): JsonObject {
  if (!isJsonObject(value)) return value === undefined ? {} : { [name]: value };
  const stripped = name === 'delegations' ? strip(value) : mapValues(value, strip);
  return isJsonObject(stripped) && Object.keys(stripped).length === 0 ? {} : { [name]: stripped };
}

function bareRole(role: unknown): unknown {
  if (!isJsonObject(role)) return role;
  const { keyids: _i, threshold: _t, ...rest } = role;
  return rest;
}

function bareDelegations(value: unknown): unknown {
  if (!isJsonObject(value)) return value;
  const { keys: _k, roles: _r, ...rest } = value;
  return rest;
}

/** Delegations that stay, in another order: the first that matches a path decides. */
function orderChanges(
  { delegations: before }: JsonObject,
  { delegations: after }: JsonObject,
): readonly string[] {
  const [old, next] = [roleNames(before), roleNames(after)];
  const stayed = old.filter((name) => next.includes(name));
  const now = next.filter((name) => old.includes(name));
  return textOf(stayed) === textOf(now) ? [] : ['the order of delegations'];
}

function roleNames(delegations: unknown): readonly unknown[] {
  const { roles } = isJsonObject(delegations) ? delegations : ({} as JsonObject);
  return Array.isArray(roles) ? roles.map((role: unknown) => (isJsonObject(role) ? role['name'] : role)) : [];
}

/** A key under the id that it had before, but another object. */
function keyObjectChanges({ keys: before }: JsonObject, { keys: after }: JsonObject): readonly string[] {
  if (!isJsonObject(before) || !isJsonObject(after)) return [];
  const same = Object.keys(before).filter((id) => Object.hasOwn(after, id));
  return same.filter((id) => textOf(before[id]) !== textOf(after[id])).map((id) => `keys.${id.slice(0, 16)}`);
}

function mapValues(value: JsonObject, change: (value: unknown) => unknown): JsonObject {
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, change(one)]));
}

function textOf(value: unknown): string {
  return value === undefined ? '' : canonicalJson(value, 'comparing documents', 'ceremony.document', 'tuf');
}
