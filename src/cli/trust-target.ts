/** One target of a repository by its name: what a trusted pull takes, or what the roles hold that a person names. */
import { printable } from '../encoding/utf8.js';
import { AgentError } from '../errors/agent-error.js';
import type { Target } from '../formats/notary1/document.js';
import { RELEASING } from '../trust/approvals.js';
import { targetsOf, visibleTargets, type Collection } from '../trust/collection.js';

const SHOWN_NAME = 200;

export interface FoundTarget {
  readonly role: string;
  readonly target: Target;
}

/**
 * The first of the roles that holds the name.
 * @param roles as a person named them; without any, those that a trusted pull looks into
 * @throws AgentError `notary.unsigned`, `notary.role`
 */
export function requireTargetOf(collection: Collection, name: string, roles: readonly string[]): FoundTarget {
  for (const role of roles) requireRole(collection, role);
  for (const role of roles.length === 0 ? RELEASING : roles) {
    const target = visibleTargets(collection, role).get(name);
    if (target !== undefined) return { role, target };
  }
  const { repository } = collection;
  throw new AgentError('notary.unsigned', {
    message: `looking up "${printable(name, SHOWN_NAME)}" in ${repository}: nothing is signed under this name${elsewhere(collection, name)}`,
    hint: `see what is signed with "touchstone trust list ${repository}"`,
  });
}

/** @throws AgentError `notary.role` for a role that is not part of the view */
export function requireRole(collection: Collection, role: string): void {
  if (targetsOf(collection, role) !== undefined) return;
  throw new AgentError('notary.role', {
    message: `reading ${collection.repository}: it has no role ${JSON.stringify(role.slice(0, 80))} that counts`,
  });
}

/** Roles that hold the name and that nobody asked for. */
function elsewhere(collection: Collection, name: string): string {
  const roles = [...collection.delegations.keys()].filter((role) =>
    visibleTargets(collection, role).has(name),
  );
  return roles.length === 0 ? '' : `; ${roles.join(', ')} has it: name the role with --role`;
}
