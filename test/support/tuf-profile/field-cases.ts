/** Fixtures of the rules about fields. */
import { EXPIRES, HASHES } from './base-document.js';
import { at, type Case, type Expected, type Json } from './case.js';
import { ALICE } from './fixed-key.js';

const target = (signed: Json): Json => at(signed, 'targets', 'tools/hello-1.0.tar.gz');

function expiring(expected: Expected, expires: string): Case {
  return {
    rule: 'expires-form',
    type: 'timestamp',
    expected,
    note: `expires ${expires}`,
    change: (signed) => (signed['expires'] = expires),
  };
}

function named(expected: Expected, name: string, note: string): Case {
  return {
    rule: 'target-name',
    type: 'targets',
    expected,
    note,
    change: (signed) => (signed['targets'] = { [name]: { length: 1, hashes: { ...HASHES } } }),
  };
}

/** The rule is broken by what is left out or put in here. */
export const FIELD_CASES: readonly Case[] = [
  expiring('portable', EXPIRES),
  expiring('finding', '2041-01-02T03:04:05.000Z'),
  expiring('finding', '2041-01-02T03:04:05+00:00'),
  expiring('refused', 'never'),
  expiring('refused', '2041-02-30T03:04:05Z'),
  {
    rule: 'spec-version',
    type: 'root',
    expected: 'portable',
    note: 'a later minor version',
    change: (signed) => (signed['spec_version'] = '1.0.34'),
  },
  {
    rule: 'spec-version',
    type: 'root',
    expected: 'refused',
    note: 'another major version',
    change: (signed) => (signed['spec_version'] = '2.0.0'),
  },
  {
    rule: 'field-names',
    type: 'root',
    expected: 'portable',
    note: 'holders in an object of their own, by key id',
    change: (signed) => (signed['x-holders'] = { [ALICE.id]: 'Alice' }),
  },
  {
    rule: 'field-names',
    type: 'root',
    expected: 'finding',
    note: 'a field that sorts before _type',
    change: (signed) => (signed['Holders'] = { [ALICE.id]: 'Alice' }),
  },
  {
    rule: 'size-limits',
    type: 'timestamp',
    expected: 'portable',
    note: 'about 16,000 bytes',
    change: (signed) => (signed['x-padding'] = 'x'.repeat(15_000)),
  },
  {
    rule: 'size-limits',
    type: 'timestamp',
    expected: 'finding',
    note: 'more than 16,384 bytes',
    change: (signed) => (signed['x-padding'] = 'x'.repeat(16_384)),
  },
  { rule: 'timestamp-meta', type: 'timestamp', expected: 'portable', note: 'snapshot.json alone' },
  {
    rule: 'timestamp-meta',
    type: 'timestamp',
    expected: 'finding',
    note: 'a second file',
    change: (signed) => (at(signed, 'meta')['mirrors.json'] = { version: 1 }),
  },
  { rule: 'snapshot-meta', type: 'snapshot', expected: 'portable', note: 'targets.json and a role' },
  {
    rule: 'snapshot-meta',
    type: 'snapshot',
    expected: 'finding',
    note: 'targets.json is missing',
    change: (signed) => (signed['meta'] = { 'team.json': { version: 1 } }),
  },
  {
    rule: 'sha256',
    type: 'targets',
    expected: 'portable',
    note: 'SHA-256 alone',
    change: (signed) => (target(signed)['hashes'] = { sha256: HASHES.sha256 }),
  },
  {
    rule: 'sha256',
    type: 'targets',
    expected: 'finding',
    note: 'SHA-512 alone',
    change: (signed) => (target(signed)['hashes'] = { sha512: HASHES.sha512 }),
  },
  {
    rule: 'custom-object',
    type: 'targets',
    expected: 'portable',
    note: 'custom is an object',
    change: (signed) => (target(signed)['custom'] = { note: null }),
  },
  {
    rule: 'custom-object',
    type: 'targets',
    expected: 'finding',
    note: 'custom is null',
    change: (signed) => (target(signed)['custom'] = null),
  },
  named('portable', 'a dir/Größe 1.tar.gz', 'spaces and letters beyond ASCII'),
  named('finding', 'a/../b', 'a way up'),
  named('finding', '/a', 'an absolute path'),
  named('finding', 'team/.hidden', 'a dot in front of a segment'),
];
