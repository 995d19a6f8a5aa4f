/** Fixtures of the rules about signatures and about JSON itself. */
import { at, type Case, type Json } from './case.js';
import { CAROL } from './fixed-key.js';

const target = (signed: Json): Json => at(signed, 'targets', 'tools/hello-1.0.tar.gz');

export const BYTE_CASES: readonly Case[] = [
  {
    rule: 'signature-form',
    type: 'root',
    expected: 'portable',
    note: 'upper-case hex, and an empty place for who has still to sign',
    signatures: (signatures) => [
      ...signatures.map((one) => ({ ...one, sig: String(one['sig']).toUpperCase() })),
      { keyid: CAROL.id, sig: '' },
    ],
  },
  {
    rule: 'signature-form',
    type: 'root',
    expected: 'finding',
    note: 'r and s side by side, as a token gives them',
    signatures: ([first, ...more]) => [{ ...first, sig: 'ab'.repeat(64) }, ...more],
  },
  {
    rule: 'distinct-signatures',
    type: 'root',
    expected: 'portable',
    note: 'signatures of two keys, one with a field more',
    signatures: (signatures) => signatures.map((one) => ({ ...one, 'x-device': 'token' })),
  },
  {
    rule: 'distinct-signatures',
    type: 'root',
    expected: 'refused',
    note: 'one key signed twice',
    signatures: ([first]) => [{ ...first }, { ...first }],
  },
  {
    rule: 'integers',
    type: 'targets',
    expected: 'portable',
    note: 'the largest integer',
    change: (signed) => (target(signed)['custom'] = { big: Number.MAX_SAFE_INTEGER }),
  },
  {
    rule: 'integers',
    type: 'targets',
    expected: 'refused',
    note: 'an integer beyond 2^53-1',
    change: (signed) => (target(signed)['custom'] = { big: 1 }),
    text: (file) => file.replace('"big": 1', '"big": 9007199254740993'),
  },
  {
    rule: 'integers',
    type: 'targets',
    expected: 'refused',
    note: 'an integer with a point',
    text: (file) => file.replace('"length": 42', '"length": 42.0'),
  },
  {
    rule: 'integers',
    type: 'targets',
    expected: 'refused',
    note: 'an integer with an exponent',
    text: (file) => file.replace('"length": 42', '"length": 42e0'),
  },
  { rule: 'distinct-fields', type: 'timestamp', expected: 'portable', note: 'every field once' },
  {
    rule: 'distinct-fields',
    type: 'timestamp',
    expected: 'refused',
    note: 'two versions',
    text: (file) => file.replace('"version": 1,\n', '"version": 1,\n  "version": 2,\n'),
  },
  {
    rule: 'key-order',
    type: 'targets',
    expected: 'portable',
    note: 'control characters and letters of the basic plane in names',
    change: (signed) => (target(signed)['custom'] = { 'a\u0001b': 'c\nd', '\uff5e': 1, z: 2 }),
  },
  {
    rule: 'key-order',
    type: 'targets',
    expected: 'refused',
    note: 'a name with a character beyond U+FFFF, which JavaScript sorts elsewhere',
    text: (file) => file.replace('tools/hello-1.0.tar.gz', 'tools/\u{1f600}.tar.gz'),
  },
];
