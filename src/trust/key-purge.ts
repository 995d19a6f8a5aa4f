/** One key out of every role that signers have it in, whatever the roles are called: what is to be done when a key was lost. */
import { AgentError } from '../errors/agent-error.js';
import type { DelegationRole, TargetsDocument } from '../formats/notary1/document.js';
import { BASE_ROLES, RELEASES } from '../formats/notary1/role-name.js';
import { signersOf } from '../formats/notary1/signature.js';
import { bareIdOf } from './collection.js';
import { withMembers, withoutMembers } from './delegation-changes.js';
import { Draft, type PublishedState } from './draft.js';
import type { PlanInput } from './publisher.js';
import { isWithinReach } from './reach.js';
import { releasesFault } from './releases-rebuild.js';
import type { RoleKey } from './role-signer.js';

const WRITTEN_ID = /^[0-9a-f]{12,64}$/;

export interface LeavingKey {
  /** Id of the key, bare or as it stands in the metadata; its first twelve digits will do. */
  readonly id: string;
  /** The owner's leaf for `targets/releases`. */
  readonly owner: RoleKey;
  /** Roles that a person has agreed to leave as they are, because nobody within reach signs for them. */
  readonly leave: readonly string[];
}

/**
 * Takes a key away from every delegation, and signs anew what it had signed, where that is within reach.
 * @throws AgentError `notary.missing`; `usage.invalid` when no or more than one key is meant; `notary.keys` where a role would have fewer
 *   keys than it takes, or is given its keys by somebody who is not within reach; `notary.rebuild`
 */
export function planKeyPurge(input: PlanInput, { id, owner, leave }: LeavingKey): Draft {
  const { base, keys } = input;
  if (base === undefined) throw new AgentError('notary.missing');
  const draft = new Draft(base);
  const holders = holdersOf(draft, base);
  const key = meantKey(base, holders, id);
  const held = keys.concat(owner);
  for (const { parent, role } of holders.filter(({ ids }) => ids.has(key))) {
    if (!isWithinReach(draft, parent, held)) {
      if (!leave.includes(parent)) throw outOfReach(parent, role.name);
      draft.note(`${role.name} keeps the key: ${parent} gives it`);
      continue;
    }
    if (role.name === RELEASES && key === owner.canonicalId) throw ownLeaf(base.repository);
    draft.edit(parent, (document) => without(document, role.name, key, owner));
    requireEnough(draft, role.name);
    signAnew(draft, role.name, held);
  }
  return draft;
}

interface Holder {
  readonly parent: string;
  readonly role: DelegationRole;
  /** Of its keys, canonical. */
  readonly ids: ReadonlySet<string>;
  /** As the metadata has them, by canonical id. */
  readonly written: ReadonlyMap<string, string>;
}

/** Every delegation, with its keys. */
function holdersOf(draft: Draft, base: PublishedState): readonly Holder[] {
  const parents = ['targets', ...base.delegations.keys(), ...base.faults.keys()];
  return parents.flatMap((parent) => {
    const { roles = [], keys } = draft.targetsOf(parent)?.delegations ?? {};
    return roles.map((role) => {
      const written = new Map(
        role.keyids.map((id) => {
          const key = keys?.get(id);
          return [(key === undefined ? undefined : bareIdOf(key)) ?? id, id] as const;
        }),
      );
      return { parent, role, ids: new Set(written.keys()), written };
    });
  });
}

/** Canonical id of the one key that is meant. */
function meantKey(base: PublishedState, holders: readonly Holder[], id: string): string {
  const isMeant = (one: string): boolean => WRITTEN_ID.test(id) && one.startsWith(id);
  const found = new Set(
    holders.flatMap(({ written }) =>
      [...written].flatMap(([canonical, tuf]) => (isMeant(canonical) || isMeant(tuf) ? [canonical] : [])),
    ),
  );
  const [first, ...others] = found;
  if (first !== undefined && others.length === 0) return first;
  const { repository, root } = base;
  const { roles, keys } = root.document;
  const top = BASE_ROLES.find((role) =>
    roles[role].keyids.some((one) => {
      const key = keys.get(one);
      return isMeant(one) || (key !== undefined && isMeant(bareIdOf(key) ?? one));
    }),
  );
  throw new AgentError('usage.invalid', {
    message: `removing a key from ${repository}: ${first === undefined ? 'no signer has a key with this id' : 'more than one key begins so'}`,
    hint:
      top === undefined
        ? `twelve to 64 hex digits are needed, as "touchstone trust signer list ${repository}" shows them`
        : `${top} has it: touchstone trust key rotate ${repository} ${top}`,
  });
}

/** Releases get the owner's leaf beside what is left, as with every signer who goes. */
function without(document: TargetsDocument, role: string, key: string, owner: RoleKey): TargetsDocument {
  const left = withoutMembers(document, role, new Set([key]));
  return role === RELEASES ? withMembers(left, role, [owner.key]) : left;
}

function requireEnough(draft: Draft, role: string): void {
  const { keyids, threshold } = draft.membersOf(role);
  if (keyids.length >= threshold) return;
  const repository = draft.base?.repository ?? 'REPOSITORY';
  const name = role.replace('targets/', '');
  const left = keyids.length === 0 ? 'no key is left' : `only ${keyids.length} would be left`;
  throw new AgentError('notary.keys', {
    message: `${role} takes ${threshold} ${threshold === 1 ? 'key' : 'keys'}, and ${left} without this one`,
    hint: `let the signer go: touchstone trust signer remove ${name} ${repository}; or give them another key first with "touchstone trust signer add"`,
    details: { role },
  });
}

/** What only the key has signed counts for nobody any more, until somebody else of the role signs it. */
function signAnew(draft: Draft, role: string, held: readonly RoleKey[]): void {
  const signed = draft.base?.delegations.get(role);
  if (role === RELEASES && releasesFault(draft) !== undefined) {
    throw new AgentError('notary.rebuild', { details: { role } });
  }
  if (signed === undefined) return;
  const { keyids, threshold, keys } = draft.membersOf(role);
  const { signedBytes, signatures } = signed;
  if (role !== RELEASES && signersOf(signedBytes, signatures, keyids, keys).length >= threshold) return;
  if (isWithinReach(draft, role, held)) {
    draft.edit(role, (document) => document);
    return;
  }
  draft.note(
    `${role}: only this key has signed what stands in it, which counts again when another of its keys does: touchstone trust witness ${draft.base?.repository ?? 'REPOSITORY'} ${role}`,
  );
}

function outOfReach(parent: string, role: string): AgentError {
  return new AgentError('notary.keys', {
    message: `${parent} gives the key to ${role}, and no key of ${parent} is within reach`,
    hint: `have its signer do it, with --as; or accept that the key stays there with --leave ${parent}`,
    details: { role: parent },
  });
}

function ownLeaf(repository: string): AgentError {
  return new AgentError('usage.invalid', {
    message: `removing a key from ${repository}: it is the owner's own for ${RELEASES}`,
    hint: `give the role a new one: touchstone trust key rotate ${repository} ${RELEASES}`,
  });
}
