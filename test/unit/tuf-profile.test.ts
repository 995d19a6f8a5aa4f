/** The portable profile: each rule by files that keep it and files that break it. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { AgentError } from '../../src/errors/agent-error.js';
import { LINT_RULES, lintTuf, requirePortable } from '../../src/formats/tuf/linter.js';
import { readTuf, readTufRoot } from '../../src/formats/tuf/reader.js';
import { countSignatures } from '../../src/formats/tuf/verify.js';
import { codeOf, thrownBy } from '../support/error-code.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { profileFiles, type ProfileCase } from '../support/tuf-profile/files.js';

const FOLDER = path.join(PROJECT_ROOT, 'test/vectors/tuf/profile');
const FILES = profileFiles();
const { cases } = JSON.parse(FILES.get('index.json') ?? '') as { readonly cases: readonly ProfileCase[] };
const ROOT = readTufRoot(Buffer.from(FILES.get('root.json') ?? '')).signed;
/** Rules that the reader enforces on its own. */
const READER_RULES = ['spec-version', 'distinct-signatures', 'integers', 'distinct-fields', 'key-order'];

function read(file: string): Buffer {
  return readFileSync(path.join(FOLDER, file));
}

function rulesBroken(file: string): readonly string[] {
  const bytes = read(file);
  return lintTuf(readTuf(bytes), { bytes: bytes.length, signers: ROOT.keys }).map(({ rule }) => rule);
}

describe('the fixtures (npx vitest run tuf-profile -u writes them anew)', () => {
  it.each([...FILES])('%s is current', async (file, text) => {
    await expect(text).toMatchFileSnapshot(path.join(FOLDER, file));
  });

  it('are all in the folder, and no others', () => {
    expect(readdirSync(FOLDER).sort()).toEqual([...FILES.keys()].sort());
  });

  it('have a good and a bad one of each rule', () => {
    const rules = [...LINT_RULES, ...READER_RULES];
    for (const isGood of [true, false]) {
      const covered = cases.filter(({ expected }) => (expected === 'portable') === isGood);
      expect([...new Set(covered.map(({ rule }) => rule))].sort()).toEqual(rules.toSorted());
    }
  });
});

describe.each(cases)('$file ($note)', ({ rule, file, expected }) => {
  it(`is ${expected}`, () => {
    switch (expected) {
      case 'portable':
        expect(rulesBroken(file)).toEqual([]);
        break;
      case 'finding':
        expect([...new Set(rulesBroken(file))]).toEqual([rule]);
        break;
      case 'refused':
        expect(codeOf(() => readTuf(read(file)))).toBe('tuf.document');
        break;
    }
  });
});

describe('portable files', () => {
  const portable = cases.filter(({ expected }) => expected === 'portable');

  it.each(portable)('$file is signed', ({ file }) => {
    const envelope = readTuf(read(file));
    const { type } = envelope.signed;
    expect(countSignatures(envelope, ROOT.keys, ROOT.roles[type]).isMet).toBe(true);
  });
});

describe('the linter', () => {
  it('has a sentence for each rule in the documentation', () => {
    const page = readFileSync(path.join(PROJECT_ROOT, 'docs/spec/tuf-profile.md'), 'utf8');
    const rows = [...page.matchAll(/^\| `([a-z0-9-]+)` \|/gm)].map(([, rule]) => rule);
    expect(rows.toSorted()).toEqual([...LINT_RULES, ...READER_RULES].toSorted());
  });

  it('stops a writer at what is new, and not at what was there before', () => {
    const broken = readTuf(read('role-name-bad.json')).signed;
    const act = (): void => {
      requirePortable(broken);
    };
    expect(thrownBy(act)).toMatchObject({
      code: 'tuf.profile',
      details: { rule: 'role-name', where: 'delegation 10' },
    });
    expect(() => {
      requirePortable({ ...broken, version: 2 }, broken);
    }).not.toThrow();
    const worse = readTuf(read('role-name-bad-2.json')).signed;
    expect(() => {
      requirePortable(worse, broken);
    }).toThrow(AgentError);
    expect(() => {
      requirePortable(ROOT);
    }).not.toThrow();
  });
});
