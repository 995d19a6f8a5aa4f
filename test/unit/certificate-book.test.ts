/** The book of certificates over a change of who certifies. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CertificateBook } from '../../src/agent/certificate-book.js';
import { CertificateFolder } from '../../src/state/certificate-folder.js';
import {
  certificateEnvelope,
  certificateFor,
  softwareRoot,
  type SoftwareRoot,
} from '../support/key-certificates.js';
import { TempFolder } from '../support/temp-folder.js';

const [alice, bob, carol, leaf] = [softwareRoot(), softwareRoot(), softwareRoot(), softwareRoot()];
let temp: TempFolder;

beforeEach(() => {
  temp = new TempFolder();
});
afterEach(() => {
  temp[Symbol.dispose]();
});

function bookOf(...roots: readonly SoftwareRoot[]): {
  readonly book: CertificateBook;
  readonly notes: string[];
} {
  const notes: string[] = [];
  const book = new CertificateBook({
    config: { required: true, threshold: 2, roots: roots.map(({ spki }) => spki) },
    folder: new CertificateFolder(temp.path),
    note: (what) => notes.push(what),
  });
  return { book, notes };
}

it('keeps a revocation whose signers are roots no more', () => {
  const certificate = certificateEnvelope(certificateFor(leaf), [alice, bob, carol]);
  const { book } = bookOf(alice, bob, carol);
  const { hash } = book.add(certificate).statement;
  const revocation = certificateFor(leaf, { action: 'revoke', kinds: [], previous: hash });
  book.add(certificateEnvelope(revocation, [alice, bob]));
  // The certificate still has two signatures of these roots, the revocation has one.
  const after = bookOf(bob, carol);
  expect(after.book.list(leaf.keyId).map((one) => one.certificate.action)).toEqual(['certify', 'revoke']);
  expect(after.notes).toEqual([]);
});

it('passes over a certificate whose signers are roots no more', () => {
  bookOf(alice, bob).book.add(certificateEnvelope(certificateFor(leaf), [alice, bob]));
  const after = bookOf(bob, carol);
  expect(after.book.list(leaf.keyId)).toEqual([]);
  expect(after.notes).toEqual(['certificate passed over']);
});

it.each([
  ['cut off', (bytes: Buffer) => bytes.subarray(0, -10)],
  ['of another key', () => Buffer.from(certificateEnvelope(certificateFor(carol), [alice, bob]))],
  ['empty', () => Buffer.alloc(0)],
])('takes a revocation that is %s for damage, not for none', (_what, damage) => {
  const { book } = bookOf(alice, bob);
  const { hash } = book.add(certificateEnvelope(certificateFor(leaf), [alice, bob])).statement;
  const revocation = certificateFor(leaf, { action: 'revoke', kinds: [], previous: hash });
  const revoked = book.add(certificateEnvelope(revocation, [alice, bob])).statement.hash;
  const file = path.join(temp.path, 'certificates', `${revoked}.json`);
  writeFileSync(file, damage(readFileSync(file)));
  const after = bookOf(alice, bob);
  expect(after.notes).toEqual(['certificates not in force']);
  expect(() => after.book.add(certificateEnvelope(certificateFor(carol), [alice, bob]))).toThrow(
    expect.objectContaining({ code: 'state.damaged' }),
  );
});
