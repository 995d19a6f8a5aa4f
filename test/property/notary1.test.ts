/** Documents of Docker Content Trust: what is written is read as it was, and only what would be written again is described. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AgentError } from '../../src/errors/agent-error.js';
import { describe as describeBytes, kindOf } from '../../src/formats/describe.js';
import type { FileMeta, NotaryDocument } from '../../src/formats/notary1/document.js';
import { readEnvelope } from '../../src/formats/notary1/reader.js';
import { envelopeOf, signedBytesOf } from '../../src/formats/notary1/writer.js';
import { SoftwareSigner } from '../support/software-signer.js';

const SIGNERS = Array.from({ length: 3 }, () => SoftwareSigner.make());
const ROOTS = SIGNERS.map((signer) => signer.certified('registry.example/acme/app'));
const hex = (bytes: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((raw) => Buffer.from(raw).toString('hex'));
const hashes = fc.oneof(fc.record({ sha256: hex(32) }), fc.record({ sha256: hex(32), sha512: hex(64) }));
const meta: fc.Arbitrary<FileMeta> = fc.record({ hashes, length: fc.nat() });
// Anything but control characters, lone surrogates, and the one name that strict JSON has no room for.
const name = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  .filter((text) => !/[\p{Cc}\p{Cs}]/u.test(text) && text !== '__proto__');
const expires = fc
  .date({ min: new Date('2020-01-01T00:00:00Z'), max: new Date('2090-01-01T00:00:00Z'), noInvalidDate: true })
  .map((date) => date.toISOString().replace(/\.\d{3}Z$/, 'Z'));
const version = fc.integer({ min: 1, max: 1e9 });
const versioned = { version, expires };
const map = <T>(keys: fc.Arbitrary<string>, value: fc.Arbitrary<T>): fc.Arbitrary<ReadonlyMap<string, T>> =>
  fc.array(fc.tuple(keys, value), { maxLength: 4 }).map((entries) => new Map(entries));
const members = fc
  .record({ chosen: fc.subarray(SIGNERS, { minLength: 1 }), threshold: fc.integer({ min: 1, max: 3 }) })
  .map(({ chosen, threshold }) => ({ keyids: chosen.map(({ id }) => id), threshold }));
const rootMembers = fc
  .subarray(ROOTS, { minLength: 1 })
  .map((chosen) => ({ keyids: chosen.map(({ id }) => id), threshold: 1 }));
const keys = new Map([...SIGNERS, ...ROOTS].map(({ id, key }) => [id, key]));

const document: fc.Arbitrary<NotaryDocument> = fc.oneof(
  fc.record({
    type: fc.constant('root' as const),
    ...versioned,
    consistentSnapshot: fc.boolean(),
    keys: fc.constant(keys),
    roles: fc.record({ root: rootMembers, targets: members, snapshot: members, timestamp: members }),
  }),
  fc.record({
    type: fc.constant('targets' as const),
    ...versioned,
    targets: map(name, meta),
    delegations: fc.record({
      keys: fc.constant(new Map(SIGNERS.map(({ id, key }) => [id, key]))),
      roles: fc.array(
        fc
          .tuple(fc.stringMatching(/^targets\/[a-z0-9_-]{1,8}$/), members, fc.array(name, { maxLength: 2 }))
          .map(([role, keyed, paths]) => ({ ...keyed, name: role, paths })),
        { maxLength: 3 },
      ),
    }),
  }),
  fc.record({ type: fc.constant('snapshot' as const), ...versioned, meta: map(name, meta) }),
  fc.record({ type: fc.constant('timestamp' as const), ...versioned, meta: map(name, meta) }),
);

describe('documents', () => {
  it('are read as they were written, and written again byte for byte', () => {
    fc.assert(
      fc.property(document, fc.subarray(SIGNERS), (written, signers) => {
        const bytes = signedBytesOf(written);
        const file = envelopeOf(
          bytes,
          signers.map((signer) => signer.sign(bytes)),
        );
        const read = readEnvelope(file, written.type);
        expect(read.signedBytes.equals(bytes)).toBe(true);
        expect(signedBytesOf(read.document).equals(bytes)).toBe(true);
        expect(envelopeOf(read.signedBytes, read.signatures).equals(file)).toBe(true);
        expect(JSON.parse(file.toString('utf8'))).toMatchObject({ signed: { version: written.version } });
      }),
    );
  });

  it('are described, and their bytes with anything changed are the same facts of other bytes, or nothing', () => {
    fc.assert(
      fc.property(
        document,
        fc.nat(),
        fc.integer({ min: 0, max: 255 }),
        fc.constantFrom('change', 'insert', 'cut'),
        (written, at, byte, how) => {
          const bytes = signedBytesOf(written);
          const kind = `notary.${written.type}`;
          expect(describeBytes(kind, bytes).document?.version).toBe(written.version);
          expect(kindOf(bytes)).toBe(kind);
          const offset = at % bytes.length;
          const inserted = [
            bytes.subarray(0, offset),
            Buffer.from([byte]),
            bytes.subarray(offset + (how === 'change' ? 1 : 0)),
          ];
          const other = how === 'cut' ? bytes.subarray(0, offset) : Buffer.concat(inserted);
          try {
            describeBytes(kind, other);
            // What is described is canonical: a reader and a writer of it agree on every byte.
            expect(
              signedBytesOf(readEnvelope(envelopeOf(other, []), written.type).document).equals(other),
            ).toBe(true);
          } catch (thrown) {
            if (!(thrown instanceof AgentError)) throw thrown;
            expect(thrown.code).toBe('statement.unrecognised');
          }
        },
      ),
    );
  });

  it('with white space, another order or escapes are described as nothing', () => {
    fc.assert(
      fc.property(document, (written) => {
        const bytes = signedBytesOf(written);
        const kind = `notary.${written.type}`;
        const value = JSON.parse(bytes.toString('utf8')) as Record<string, unknown>;
        const reordered = JSON.stringify(Object.fromEntries(Object.entries(value).reverse()));
        for (const text of [JSON.stringify(value, null, 1), reordered, `${bytes.toString('utf8')}\n`]) {
          expect(() => describeBytes(kind, Buffer.from(text, 'utf8'))).toThrow(AgentError);
        }
        const more = { ...value, spec_version: '1.0' };
        expect(() => describeBytes(kind, Buffer.from(JSON.stringify(more), 'utf8'))).toThrow(AgentError);
      }),
    );
  });
});
