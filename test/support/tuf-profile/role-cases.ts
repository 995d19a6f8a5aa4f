/** Fixtures of the rules about roles and delegations. */
import { at, type Case, type Expected, type Json } from './case.js';
import { CAROL, ONLINE, TEAM } from './fixed-key.js';

const delegation = (signed: Json): Json => at(signed, 'delegations', 'roles', 0);
function pattern(rule: Expected, paths: string): Case {
  return {
    rule: 'path-pattern',
    type: 'targets',
    expected: rule,
    note: `the pattern ${paths}`,
    change: (signed) => (delegation(signed)['paths'] = [paths]),
  };
}

function roleNamed(expected: Expected, name: string): Case {
  return {
    rule: 'role-name',
    type: 'targets',
    expected,
    note: `a role named ${name}`,
    change: (signed) => (delegation(signed)['name'] = name),
  };
}

export const ROLE_CASES: readonly Case[] = [
  { rule: 'consistent-snapshot', type: 'root', expected: 'portable', note: 'written, and true' },
  {
    rule: 'consistent-snapshot',
    type: 'root',
    expected: 'finding',
    note: 'left out',
    change: (signed) => delete signed['consistent_snapshot'],
  },
  { rule: 'top-level-roles', type: 'root', expected: 'portable', note: 'the four roles' },
  {
    rule: 'top-level-roles',
    type: 'root',
    expected: 'finding',
    note: 'a role named mirrors',
    change: (signed) => (at(signed, 'roles')['mirrors'] = { keyids: [ONLINE.id], threshold: 1 }),
  },
  { rule: 'keyids-known', type: 'root', expected: 'portable', note: 'every key id is there' },
  {
    rule: 'keyids-known',
    type: 'root',
    expected: 'finding',
    note: 'a key id without a key',
    change: (signed) => (at(signed, 'roles', 'targets')['keyids'] = [ONLINE.id, '0'.repeat(64)]),
  },
  {
    rule: 'threshold',
    type: 'root',
    expected: 'portable',
    note: 'all of two keys',
    change: (signed) => (at(signed, 'roles')['targets'] = { keyids: [ONLINE.id, CAROL.id], threshold: 2 }),
  },
  {
    rule: 'threshold',
    type: 'root',
    expected: 'finding',
    note: 'two of one key',
    change: (signed) => (at(signed, 'roles', 'targets')['threshold'] = 2),
  },
  {
    rule: 'threshold',
    type: 'root',
    expected: 'refused',
    note: 'a threshold of nothing',
    change: (signed) => (at(signed, 'roles', 'targets')['threshold'] = 0),
  },
  {
    rule: 'terminating',
    type: 'targets',
    expected: 'portable',
    note: 'written, and false',
    change: (signed) => (delegation(signed)['terminating'] = false),
  },
  {
    rule: 'terminating',
    type: 'targets',
    expected: 'finding',
    note: 'left out',
    change: (signed) => delete delegation(signed)['terminating'],
  },
  roleNamed('portable', 'team-1a'),
  roleNamed('finding', '10'),
  roleNamed('finding', 'Team A'),
  roleNamed('finding', 'snapshot'),
  pattern('portable', 'a/b-?/*.tar.gz'),
  pattern('finding', 'team/{a,b}'),
  pattern('finding', 'team/!secret'),
  pattern('finding', '#team/*'),
  pattern('finding', 'team/+(a|b)'),
  {
    rule: 'hash-bins',
    type: 'targets',
    expected: 'portable',
    note: 'succinct_roles',
    change: (signed) =>
      (signed['delegations'] = {
        keys: { [TEAM.id]: TEAM.key },
        succinct_roles: { keyids: [TEAM.id], threshold: 1, bit_length: 8, name_prefix: 'bin' },
      }),
  },
  {
    rule: 'hash-bins',
    type: 'targets',
    expected: 'finding',
    note: 'path_hash_prefixes',
    change: (signed) => {
      delete delegation(signed)['paths'];
      delegation(signed)['path_hash_prefixes'] = ['0', '1'];
    },
  },
];
