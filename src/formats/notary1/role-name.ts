/** Names of roles and collections as notary-server takes them. */
export const BASE_ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;

/** The four roles that every collection has. */
export type BaseRole = (typeof BASE_ROLES)[number];

export const DELEGATION_PREFIX = 'targets/';

/** The delegation that docker's tools look into before `targets`. */
export const RELEASES = 'targets/releases';

const MAX_ROLE_LENGTH = 255;
const DELEGATION = /^targets(?:\/[-a-z0-9_]+)+$/;

/** Whether `name` is one of the four roles of every collection. */
export function isBaseRole(name: string): name is BaseRole {
  return (BASE_ROLES as readonly string[]).includes(name);
}

/** Whether `name` is a delegation: a clean path below `targets/` of `-a-z0-9_`, shorter than 256 characters. */
export function isDelegation(name: string): boolean {
  return name.length <= MAX_ROLE_LENGTH && DELEGATION.test(name);
}

/** The role that delegates to `name`: `targets` for `targets/alice`. */
export function parentRole(name: string): string {
  return name.slice(0, name.lastIndexOf('/'));
}
