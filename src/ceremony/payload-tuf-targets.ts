/** The next targets of a TUF repository, with other delegations to the keys of repositories. */
import { parseCanonicalJson } from '../encoding/canonical-json.js';
import { isJsonObject, type JsonObject } from '../formats/json-object.js';
import {
  SPEC_VERSION,
  type TufDelegatedRole,
  type TufDelegations,
  type TufTargets,
} from '../formats/tuf/document.js';
import { tufKeyIdOf, tufKeyOf } from '../formats/tuf/key.js';
import { signedBytes } from '../formats/tuf/writer.js';
import type { DelegationOrder } from './action.js';
import type { OpenDocument } from './document.js';
import { healed, nextVersion, unfitting, type PayloadInput } from './payload.js';

/** @throws AgentError `ceremony.action`, `tuf.key` */
export function tufTargetsAfter(input: PayloadInput): JsonObject {
  const changed = { ...changedTargets(input), version: nextVersion(input), expires: input.expires };
  const value = parseCanonicalJson(signedBytes(changed), 'making targets', 'ceremony.action');
  if (isJsonObject(value)) return value;
  throw unfitting('targets are no object');
}

function changedTargets(input: PayloadInput): TufTargets {
  const { action, base } = input;
  const earlier = targetsOf(base.at(-1));
  switch (action.type) {
    case 'certify':
      return action.delegations.reduce(withDelegation, earlier);
    case 'revoke':
      return action.delegations.reduce(withoutDelegation, earlier);
    case 'extend':
      return earlier;
    case 'heal':
      return targetsOf(healed(input, action.from));
    case 'init':
    case 'rotate':
    case 'threshold':
    case 'online-keys':
      throw unfitting(`${action.type}: it changes no targets`);
  }
}

const FIRST_TARGETS: TufTargets = {
  type: 'targets',
  specVersion: SPEC_VERSION,
  version: 0,
  expires: '',
  targets: new Map(),
  raw: {},
};

function withDelegation(targets: TufTargets, order: DelegationOrder): TufTargets {
  const { name, paths, threshold } = order;
  const keys = new Map(
    order.publicKeys
      .map((text) => tufKeyOf(Buffer.from(text, 'base64')))
      .map((key) => [tufKeyIdOf(key), key]),
  );
  if (threshold > keys.size) throw unfitting(`${name}: ${threshold} of ${keys.size} keys cannot sign`);
  const role: TufDelegatedRole = { name, keyids: [...keys.keys()], threshold, terminating: true, paths };
  const { roles, known } = delegationsOf(targets);
  const isThere = roles.some((one) => one.name === name);
  const next = isThere ? roles.map((one) => (one.name === name ? role : one)) : [...roles, role];
  return withRoles(targets, next, new Map([...known, ...[...keys].filter(([id]) => !known.has(id))]));
}

function withoutDelegation(targets: TufTargets, name: string): TufTargets {
  const { roles, known } = delegationsOf(targets);
  const next = roles.filter((one) => one.name !== name);
  if (next.length === roles.length) throw unfitting(`${name} is revoked, and is no delegation`);
  return withRoles(targets, next, known);
}

function withRoles(
  targets: TufTargets,
  roles: readonly TufDelegatedRole[],
  keys: TufDelegations['keys'],
): TufTargets {
  const used = new Set(roles.flatMap(({ keyids }) => keyids));
  const kept = new Map([...keys].filter(([id]) => used.has(id)));
  return { ...targets, delegations: { ...targets.delegations, keys: kept, roles } };
}

function delegationsOf({ delegations }: TufTargets): {
  readonly roles: readonly TufDelegatedRole[];
  readonly known: TufDelegations['keys'];
} {
  if (delegations?.succinctRoles !== undefined) throw unfitting('the targets delegate to hash bins');
  return { roles: delegations?.roles ?? [], known: delegations?.keys ?? new Map() };
}

function targetsOf(document: OpenDocument | undefined): TufTargets {
  if (document === undefined) return FIRST_TARGETS;
  const { content } = document;
  if (content.format === 'tuf' && content.document.type === 'targets') return content.document;
  throw unfitting('there are no targets of TUF to begin with');
}
