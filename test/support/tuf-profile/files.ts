/**
 * The fixtures of the portable profile: files that break one rule, and files that go as far as the rule lets them. Everything in them is
 * made from fixed keys, so that they come out the same each time; whoever else writes or reads TUF can use them as they are.
 */
import { tufCanonical } from '../../../src/formats/tuf/canonical.js';
import { baseDocument } from './base-document.js';
import { BYTE_CASES } from './byte-cases.js';
import type { Case, Expected } from './case.js';
import { FIELD_CASES } from './field-cases.js';
import { ALICE, BOB, ONLINE } from './fixed-key.js';
import { KEY_CASES } from './key-cases.js';
import { ROLE_CASES } from './role-cases.js';

export interface ProfileCase {
  readonly rule: string;
  readonly file: string;
  readonly expected: Expected;
  readonly note: string;
}

/** Every file of the folder by name, the index among them. */
export function profileFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  const cases: ProfileCase[] = [];
  const counts = new Map<string, number>();
  for (const one of [...FIELD_CASES, ...ROLE_CASES, ...KEY_CASES, ...BYTE_CASES]) {
    const { rule, expected, note } = one;
    const stem = `${rule}-${expected === 'portable' ? 'good' : 'bad'}`;
    const count = (counts.get(stem) ?? 0) + 1;
    counts.set(stem, count);
    const file = `${stem}${count === 1 ? '' : `-${count}`}.json`;
    files.set(file, fileOf(one));
    cases.push({ rule, file, expected, note });
  }
  const about =
    'Files that keep one rule of docs/spec/tuf-profile.md, and files that break it. portable: no finding. finding: readable, but some ' +
    'client reads it otherwise. refused: not readable at all. All are signed with the keys of root.json, two of three.';
  const root = fileOf({ rule: '', type: 'root', expected: 'portable', note: '' });
  files.set('root.json', root);
  files.set('index.json', `${JSON.stringify({ about, cases }, null, 1)}\n`);
  return files;
}

function fileOf({ type, change, signatures, text }: Case): string {
  const signed = baseDocument(type);
  change?.(signed);
  const message = tufCanonical(signed, 'making a fixture');
  const made = (type === 'root' ? [ALICE, BOB] : [ONLINE]).map(({ id, sign: signWith }) => ({
    keyid: id,
    sig: signWith(message),
  }));
  const file = `${JSON.stringify({ signatures: signatures?.(made) ?? made, signed }, null, 1)}\n`;
  return text?.(file) ?? file;
}
