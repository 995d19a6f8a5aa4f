/** Ten times as many targets are ten times the work, and no more. */
import { describe, expect, it } from 'vitest';
import { describe as describeBytes } from '../../src/formats/describe.js';
import { SPEC_VERSION, type TufTargets } from '../../src/formats/tuf/document.js';
import { lintTuf } from '../../src/formats/tuf/linter.js';
import { readSigned, readTufTargets } from '../../src/formats/tuf/reader.js';
import { countSignatures } from '../../src/formats/tuf/verify.js';
import { envelopeBytes, signedBytes } from '../../src/formats/tuf/writer.js';
import { signedBy, TufSigner } from '../support/tuf-signer.js';
import { workOf } from '../support/work-count.js';

const signer = TufSigner.make();

function targetsOf(count: number): TufTargets {
  const names = Array.from({ length: count }, (_, index) => `folder-${index % 100}/file-${index}.tar.gz`);
  return {
    type: 'targets',
    specVersion: SPEC_VERSION,
    version: 1,
    expires: '2041-01-02T03:04:05Z',
    raw: {},
    targets: new Map(names.map((name, length) => [name, { length, hashes: { sha256: 'ab'.repeat(32) } }])),
  };
}

const acts: readonly (readonly [string, (document: TufTargets) => () => void])[] = [
  ['writing what is signed', (document) => () => signedBytes(document)],
  ['writing a file', (document) => () => envelopeBytes(document, [])],
  [
    'reading a file',
    (document) => {
      const file = envelopeBytes(document, []);
      return () => readTufTargets(file);
    },
  ],
  [
    'reading what is to be signed',
    (document) => {
      const bytes = signedBytes(document);
      return () => readSigned(bytes);
    },
  ],
  [
    'describing',
    (document) => {
      const bytes = signedBytes(document);
      return () => describeBytes('tuf.targets', bytes);
    },
  ],
  ['linting', (document) => () => lintTuf({ signed: document, signatures: [] })],
  [
    'counting signatures',
    (document) => {
      const envelope = signedBy(document, [signer]);
      const keys = new Map([[signer.id, signer.key]]);
      return () => countSignatures(envelope, keys, { keyids: [signer.id], threshold: 1 });
    },
  ],
];

describe('the work of', () => {
  it.each(acts)('%s grows with the number of targets, not faster', (_, prepare) => {
    const few = workOf(prepare(targetsOf(500)));
    const many = workOf(prepare(targetsOf(5_000)));
    expect(few).toBeGreaterThan(10_000);
    // What is done once makes it a little less than ten times, longer numbers a little more.
    expect(many / few).toBeGreaterThan(9.9);
    expect(many / few).toBeLessThan(10.2);
  });

  it('something quadratic would be noticed', () => {
    const quadratic = (count: number) => (): void => {
      const { targets, ...more } = targetsOf(count);
      for (let turn = 1; turn <= count; turn += 1) {
        signedBytes({ ...more, targets: new Map([...targets].slice(0, turn)) });
      }
    };
    expect(workOf(quadratic(100)) / workOf(quadratic(10))).toBeGreaterThan(50);
  });
});
