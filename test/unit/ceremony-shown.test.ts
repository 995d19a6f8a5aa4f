/** What the room is shown is all that it signs, whatever a prepared folder holds. */
import { describe, expect, it } from 'vitest';
import type { Change } from '../../src/ceremony/diff.js';
import { baseFile } from '../../src/ceremony/file-names.js';
import { HolderBook } from '../../src/ceremony/holder-book.js';
import { writeForm } from '../../src/ceremony/one-form.js';
import { readRequest } from '../../src/ceremony/request.js';
import { sentenceOf } from '../../src/ceremony/sentences.js';
import { CREATED, EXPIRES } from '../support/ceremony-dates.js';
import { codeOf } from '../support/error-code.js';
import { certificateFor, softwareRoot } from '../support/key-certificates.js';
import { TEST_POLICY } from '../support/software-holder.js';

const HOLDERS = new HolderBook(TEST_POLICY, []);
const KEY = `d76b03f1${'a5'.repeat(28)}`;

describe('a sentence', () => {
  it('names every path of a delegation, however many and however long', () => {
    const paths = Array.from({ length: 256 }, (_, at) => `${'p'.repeat(500)}/${at}/*`);
    const change: Change = { kind: 'delegated', name: 'r'.repeat(128), keyIds: [KEY], threshold: 1, paths };
    const said = sentenceOf(change, HOLDERS);
    expect(paths.filter((path) => !said.includes(path))).toEqual([]);
    expect(said).toContain('r'.repeat(128));
  });

  it('names every kind of a certificate, and all of its name', () => {
    const kinds = ['dsse:application/vnd.in-toto+json', `dsse:${'k'.repeat(250)}`, 'oci.cosign', '*'];
    const name = { repository: `registry.example/${'n'.repeat(238)}`, role: 'r'.repeat(64) };
    const certificate = certificateFor(softwareRoot(), { ...name, kinds });
    const said = sentenceOf({ kind: 'certified', certificate }, HOLDERS);
    expect(said).toContain(`for ${kinds.join(', ')}, from`);
    expect(said).toContain(`${name.repository}#${name.role}@1`);
  });

  it('names keys that no holder has by more than somebody finds again by trying', () => {
    const entering: Change = { kind: 'enters', role: 'targets', keyId: KEY };
    expect(sentenceOf(entering, HOLDERS)).toContain(KEY.slice(0, 16));
    const delegated: Change = { kind: 'delegated', name: 'repo', keyIds: [KEY], threshold: 1, paths: ['*'] };
    expect(sentenceOf(delegated, HOLDERS)).toContain(KEY.slice(0, 16));
  });
});

describe('the id of a document', () => {
  const root = {
    id: 'root',
    format: 'tuf',
    role: 'root',
    version: 1,
    base: null,
    authority: null,
    signed: {},
  };
  const read = (...documents: readonly object[]): (() => unknown) => {
    const request = {
      format: 'touchstone-ceremony-request',
      version: 1,
      id: 'acme-root-1',
      rehearsal: false,
      action: { type: 'extend' },
      reason: 'a test',
      created: CREATED,
      expires: EXPIRES,
      policy: '0'.repeat(64),
      previous: null,
      enrolments: [],
      signers: [],
      documents,
    };
    return () => readRequest(writeForm(request));
  };

  it.each([
    ['root', 'tuf', 'root'],
    ['targets', 'tuf', 'targets'],
    ['registry.example/acme/app#root', 'notary1', 'root'],
    ['registry.example/acme/app#cosign@1', 'certificate', 'root'],
  ])('%s is one of %s', (id, format, role) => {
    expect(read({ ...root, id, format, role })).not.toThrow();
  });

  it.each([
    ['of another role', 'targets', 'tuf', 'root'],
    ['with a line of its own', 'root v7 to v8:\n  - it expires later', 'tuf', 'root'],
    ['that hides what comes after it', 'root\u001b[8m', 'tuf', 'root'],
    ['with a line, of a repository', 'registry.example/app\nmore#root', 'notary1', 'root'],
    ['of no repository', 'root', 'notary1', 'root'],
    ['that calls a root targets', 'registry.example/app#targets', 'notary1', 'targets'],
    ['without an epoch', 'registry.example/app#cosign', 'certificate', 'root'],
    ['of a certificate that targets would sign', 'registry.example/app#cosign@1', 'certificate', 'targets'],
  ])('is refused %s', (_what, id, format, role) => {
    expect(codeOf(read({ ...root, id, format, role }))).toBe('ceremony.file');
  });

  it('shares its files with no other, however somebody has chosen it', () => {
    const seen = new Map<string, string>();
    const ids = Array.from({ length: 300_000 }, (_, at) => `registry.example/${'a'.repeat(40)}${at}#root`);
    const twin = ids.find((id) => {
      const name = baseFile({ id, role: 'root' }, 1);
      if (seen.has(name)) return true;
      seen.set(name, id);
      return false;
    });
    const other = seen.get(baseFile({ id: twin ?? '', role: 'root' }, 1));
    const documents = [twin, other].map((id) => ({ ...root, id, format: 'notary1' }));
    expect(documents.map(({ id }) => id)).not.toContain(undefined);
    expect(codeOf(read(...documents))).toBe('ceremony.file');
    expect(read(...documents.slice(1))).not.toThrow();
  });

  it('stands in a request once', () => {
    expect(codeOf(read(root, { ...root, version: 2 }))).toBe('ceremony.file');
  });
});
