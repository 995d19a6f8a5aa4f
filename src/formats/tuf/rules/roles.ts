/** Rules about roles, delegations and thresholds. */
import { isJsonObject } from '../../json-object.js';
import { TOP_ROLES, type TufDelegatedRole, type TufDocument, type TufRoleKeys } from '../document.js';
import type { TufKey } from '../key.js';
import { delegationsOf, type Problem, type Rule } from './rule.js';

const ROLE_NAME = /^[a-z][a-z0-9-]*$/;
const PATTERN = /^[A-Za-z0-9._/*?-]+$/;

export const topLevelRoles: Rule = ({ signed }) => {
  if (signed.type !== 'root') return [];
  const { roles } = signed.raw;
  const names = isJsonObject(roles) ? Object.keys(roles) : [];
  return names
    .filter((name) => !(TOP_ROLES as readonly string[]).includes(name))
    .map((name) => ({ where: `roles.${name}`, message: 'python-tuf refuses any role but the four' }));
};

export const consistentSnapshot: Rule = ({ signed }) =>
  signed.type !== 'root' || signed.consistentSnapshot === true
    ? []
    : [{ where: 'consistent_snapshot', message: 'tuf-js and go-tuf need it written, and true' }];

export const keyidsKnown: Rule = ({ signed }) =>
  rolesOf(signed).flatMap(({ where, role, keys }) =>
    role.keyids
      .filter((id) => !keys.has(id))
      .map((id) => ({
        where,
        message: `go-tuf refuses a role whose key ${id.slice(0, 16)} is not among the keys`,
      })),
  );

export const threshold: Rule = ({ signed }) =>
  rolesOf(signed).flatMap(({ where, role }) =>
    role.threshold <= role.keyids.length
      ? []
      : [{ where, message: `${role.keyids.length} keys never meet a threshold of ${role.threshold}` }],
  );

export const terminating: Rule = ({ signed }) =>
  delegatedOf(signed).flatMap(({ name, terminating: written }) =>
    written === undefined
      ? [
          {
            where: delegationField(name),
            message: 'tuf-js, python-tuf and go-tuf refuse it without terminating',
          },
        ]
      : [],
  );

export const roleName: Rule = ({ signed }) => {
  const message =
    'only a-z, 0-9 and - are the same to all: JavaScript sorts numbers first, paths are encoded';
  const { succinctRoles } = delegationsOf(signed) ?? {};
  const names = [
    ...delegatedOf(signed).map(({ name }) => name),
    ...(succinctRoles ? [succinctRoles.namePrefix] : []),
  ];
  return names
    .filter((name) => !ROLE_NAME.test(name) || (TOP_ROLES as readonly string[]).includes(name))
    .map((name) => ({ where: delegationField(name), message }));
};

export const pathPattern: Rule = ({ signed }) =>
  delegatedOf(signed).flatMap(({ name, paths = [] }) =>
    paths
      .filter((pattern) => !PATTERN.test(pattern))
      .map(() => ({
        where: `${delegationField(name)}: paths`,
        message: 'tuf-js reads braces, groups, ! and # in a pattern, others do not',
      })),
  );

export const hashBins: Rule = ({ signed }) =>
  delegatedOf(signed).flatMap(({ name, pathHashPrefixes }) =>
    pathHashPrefixes === undefined
      ? []
      : [
          {
            where: delegationField(name),
            message: 'go-tuf never matches path_hash_prefixes; use succinct_roles',
          },
        ],
  );

interface NamedRole {
  readonly where: string;
  readonly role: TufRoleKeys;
  readonly keys: ReadonlyMap<string, TufKey>;
}

function rolesOf(signed: TufDocument): readonly NamedRole[] {
  if (signed.type === 'root') {
    return TOP_ROLES.map((name) => ({ where: `roles.${name}`, role: signed.roles[name], keys: signed.keys }));
  }
  const { keys, succinctRoles: role } = delegationsOf(signed) ?? {};
  if (keys === undefined) return [];
  if (role !== undefined) return [{ where: 'delegations.succinct_roles', role, keys }];
  return delegatedOf(signed).map((one) => ({ where: delegationField(one.name), role: one, keys }));
}

function delegatedOf(signed: TufDocument): readonly TufDelegatedRole[] {
  return delegationsOf(signed)?.roles ?? [];
}

function delegationField(name: Problem['where']): string {
  return `delegation ${name}`;
}
