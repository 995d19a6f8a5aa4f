/** TUF metadata: what is written is read as it was, fields of others included; what is no metadata is refused and nothing worse. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, parseCanonicalJson } from '../../src/encoding/canonical-json.js';
import { parseJsonStrict } from '../../src/encoding/json.js';
import { AgentError } from '../../src/errors/agent-error.js';
import { describe as describeBytes, kindOf } from '../../src/formats/describe.js';
import { tufCanonical } from '../../src/formats/tuf/canonical.js';
import type { TufDocument, TufSignature, TufTargets } from '../../src/formats/tuf/document.js';
import { lintTuf } from '../../src/formats/tuf/linter.js';
import { readSigned, readTuf } from '../../src/formats/tuf/reader.js';
import { countSignatures } from '../../src/formats/tuf/verify.js';
import { envelopeBytes, signedBytes } from '../../src/formats/tuf/writer.js';
import { TufSigner } from '../support/tuf-signer.js';

const SIGNERS = [TufSigner.make(), TufSigner.make('ed25519'), TufSigner.make(), TufSigner.make('p384')];
const KEYS = new Map(SIGNERS.map(({ id, key }) => [id, key]));

// Every character of the basic plane, which grapheme units alone hardly reach.
const unit = fc.oneof(
  fc.integer({ min: 0, max: 0xd7ff }).map((code) => String.fromCharCode(code)),
  fc.integer({ min: 0xe000, max: 0xffff }).map((code) => String.fromCharCode(code)),
  fc.constantFrom('"', '\\', '\n', '\u0000', 'a', '1', '.', 'e', '_'),
);
const key = fc.string({ unit, maxLength: 8 }).filter((text) => text !== '__proto__');
const text = fc.string({ unit: fc.oneof(unit, fc.constantFrom('\u{1f600}', '\u{10ffff}')), maxLength: 8 });
const value = fc.letrec<{ any: unknown; object: Record<string, unknown> }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(null, true, false),
    fc.maxSafeInteger().filter((each) => !Object.is(each, -0)),
    text,
    fc.array(tie('any'), { maxLength: 4 }),
    tie('object'),
  ),
  object: fc.dictionary(key, tie('any'), { maxKeys: 5 }),
}));

const hex = (bytes: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((raw) => Buffer.from(raw).toString('hex'));
const hashes = fc.oneof(
  fc.record({ sha256: hex(32) }),
  fc.record({ sha512: hex(64) }),
  fc.record({ sha256: hex(32), sha512: hex(64) }),
);
/** Fields that nobody knows. */
const own = fc.dictionary(
  fc.string({ unit, maxLength: 6 }).map((name) => `x-${name}`),
  value.any,
  { maxKeys: 2 },
);
const name = key.filter((each) => each !== '');
const length = fc.nat();
const version = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const expires = fc
  .date({ min: new Date('2000-01-01T00:00:00Z'), max: new Date('2199-01-01T00:00:00Z'), noInvalidDate: true })
  .map((date) => date.toISOString());
const role = fc
  .record({ chosen: fc.subarray(SIGNERS), threshold: fc.integer({ min: 1, max: 5 }), own })
  .map(({ chosen, threshold, own: raw }) => ({ keyids: chosen.map(({ id }) => id), threshold, raw }));
const map = <T>(each: fc.Arbitrary<T>): fc.Arbitrary<ReadonlyMap<string, T>> =>
  fc.array(fc.tuple(name, each), { maxLength: 4 }).map((entries) => new Map(entries));
const common = {
  specVersion: fc.constantFrom('1.0', '1.0.31', '1.0.34'),
  version,
  expires,
  raw: own,
};
const meta = map(
  fc.oneof(fc.record({ version, raw: own }), fc.record({ version, length, hashes, raw: own })),
);
const target = fc.oneof(
  fc.record({ length, hashes, raw: own }),
  fc.record({ length, hashes, custom: value.any, raw: own }),
);
const delegated = fc
  .tuple(name, role, fc.boolean(), fc.array(text, { maxLength: 3 }))
  .map(([each, keyed, terminating, paths]) => ({ ...keyed, name: each, terminating, paths }));
const delegations = fc.oneof(
  fc.record({
    keys: fc.constant(KEYS),
    roles: fc.uniqueArray(delegated, { maxLength: 3, selector: (each) => each.name }),
    raw: own,
  }),
  fc.tuple(role, fc.integer({ min: 1, max: 32 }), name, own).map(([keyed, bitLength, namePrefix, raw]) => ({
    keys: KEYS,
    succinctRoles: { ...keyed, bitLength, namePrefix },
    raw,
  })),
);
const document: fc.Arbitrary<TufDocument> = fc.oneof(
  fc.record({
    type: fc.constant('root' as const),
    ...common,
    consistentSnapshot: fc.constantFrom(true, false, undefined),
    keys: fc.constant(KEYS),
    roles: fc.record({ root: role, targets: role, snapshot: role, timestamp: role }),
  }),
  fc.record({ type: fc.constant('targets' as const), ...common, targets: map(target) }),
  fc.record({ type: fc.constant('targets' as const), ...common, targets: map(target), delegations }),
  fc.record({ type: fc.constant('snapshot' as const), ...common, meta }),
  fc.record({ type: fc.constant('timestamp' as const), ...common, meta }),
);
const signatures: fc.Arbitrary<readonly TufSignature[]> = fc.uniqueArray(
  fc.tuple(text, fc.oneof(hex(64), fc.constant('')), own).map(([keyid, sig, raw]) => ({ keyid, sig, raw })),
  { maxLength: 3, selector: ({ keyid }) => keyid },
);

function refusedAtMost(act: () => unknown, codes: readonly string[]): void {
  try {
    act();
  } catch (thrown) {
    if (!(thrown instanceof AgentError) || !codes.includes(thrown.code)) throw thrown;
  }
}

function bytewise(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

describe('canonical JSON', () => {
  it('is read as the value it was written from', () => {
    fc.assert(
      fc.property(value.any, (written) => {
        const bytes = tufCanonical(written, 'test');
        expect(parseCanonicalJson(bytes, 'test', 'tuf.document')).toEqual(written);
      }),
    );
  });

  it('is one for one value, whatever the order and layout it came in', () => {
    const shuffled = (each: unknown): unknown => {
      if (Array.isArray(each)) return each.map(shuffled);
      if (typeof each !== 'object' || each === null) return each;
      return Object.fromEntries(
        Object.entries(each)
          .reverse()
          .map(([name_, held]) => [name_, shuffled(held)]),
      );
    };
    fc.assert(
      fc.property(value.object, fc.integer({ min: 0, max: 4 }), (written, indent) => {
        const file = JSON.stringify(shuffled(written), null, indent);
        const read = parseJsonStrict(Buffer.from(file), 'test', 'tuf.document', 'integers');
        expect(tufCanonical(read, 'test').equals(tufCanonical(written, 'test'))).toBe(true);
      }),
    );
  });

  it('has its names in the order of code points', () => {
    fc.assert(
      fc.property(fc.uniqueArray(key, { maxLength: 12 }), (names) => {
        const written = canonicalJson(
          Object.fromEntries(names.map((each) => [each, 0])),
          'test',
          'tuf.document',
          'tuf',
        );
        const expected = names.toSorted(bytewise).map((each) => `"${each.replace(/["\\]/g, '\\$&')}":0`);
        expect(written).toBe(`{${expected.join(',')}}`);
      }),
    );
  });

  it('is read from nothing else', () => {
    fc.assert(
      fc.property(value.object, fc.nat(), fc.nat(255), (written, at, byte) => {
        const bytes = tufCanonical(written, 'test');
        bytes[at % bytes.length] = byte;
        refusedAtMost(() => {
          const read = parseCanonicalJson(bytes, 'test', 'tuf.document');
          expect(tufCanonical(read, 'test').equals(bytes)).toBe(true);
        }, ['tuf.document']);
      }),
    );
  });
});

describe('documents', () => {
  it('are read as they were written, and written again byte for byte', () => {
    fc.assert(
      fc.property(document, signatures, own, (signed, signers, raw) => {
        const file = envelopeBytes(signed, signers, raw);
        const read = readTuf(file);
        expect(envelopeBytes(read.signed, read.signatures, read.raw).equals(file)).toBe(true);
        expect(signedBytes(read.signed).equals(signedBytes(signed))).toBe(true);
        const plain = JSON.parse(file.toString('utf8')) as { readonly signed: unknown };
        expect(tufCanonical(plain.signed, 'test').equals(signedBytes(signed))).toBe(true);
        expect(signedBytes(readSigned(signedBytes(signed))).equals(signedBytes(signed))).toBe(true);
      }),
    );
  });

  it('keep the fields of others when what is known is changed', () => {
    fc.assert(
      fc.property(document, version, own, (signed, next, raw) => {
        const before = { ...signed, raw: { ...signed.raw, ...raw } };
        const read = readSigned(signedBytes(before));
        expect(
          signedBytes({ ...read, version: next }).equals(signedBytes({ ...before, version: next })),
        ).toBe(true);
      }),
    );
  });

  it('are counted and linted without surprises', () => {
    fc.assert(
      fc.property(document, fc.subarray(SIGNERS), role, (signed, signers, keyed) => {
        const listed = signers.map((signer) => signer.signature(signed));
        const { good, bad, missing, repeated, isMet } = countSignatures(
          { signed, signatures: listed },
          KEYS,
          keyed,
        );
        const expected = keyed.keyids.filter((id) => signers.some((signer) => signer.id === id));
        expect([good, bad, repeated]).toEqual([expected, [], []]);
        expect([...good, ...missing].sort()).toEqual(keyed.keyids.toSorted());
        expect(isMet).toBe(expected.length >= keyed.threshold);
        expect(lintTuf({ signed, signatures: listed }).map(({ rule }) => rule)).not.toContain(
          'signature-form',
        );
      }),
      { numRuns: 40 },
    );
  });

  it('are described as one kind, and with a byte changed as the same kind or none', () => {
    const startsWithType = document.filter(
      (signed) => signedBytes(signed).subarray(0, 9).toString() === '{"_type":',
    );
    fc.assert(
      fc.property(startsWithType, fc.nat(), fc.nat(255), (signed, at, byte) => {
        const bytes = signedBytes(signed);
        const kind = `tuf.${signed.type}`;
        const hasSha256 = signed.type !== 'targets' || everyTargetHasSha256(signed);
        expect(kindOf(bytes)).toBe(hasSha256 ? kind : undefined);
        bytes[at % bytes.length] = byte;
        expect([kind, undefined]).toContain(kindOf(bytes));
        const others = ['tuf.root', 'tuf.targets', 'tuf.snapshot', 'tuf.timestamp'].filter(
          (one) => one !== kind,
        );
        for (const other of others) {
          expect(() => describeBytes(other, bytes)).toThrow(AgentError);
        }
      }),
    );
  });
});

function everyTargetHasSha256({ targets }: TufTargets): boolean {
  return [...targets.values()].every((each) => each.hashes['sha256'] !== undefined);
}

describe('readers', () => {
  it('refuse garbage, and throw nothing else', () => {
    const garbage = fc.oneof(
      fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
      fc.json().map((json) => Buffer.from(json)),
      value.any.map((each) => Buffer.from(JSON.stringify({ signed: each, signatures: [] }))),
    );
    fc.assert(
      fc.property(garbage, (bytes) => {
        refusedAtMost(() => readTuf(bytes), ['tuf.document']);
        refusedAtMost(() => readSigned(bytes), ['tuf.document']);
      }),
      { numRuns: 500 },
    );
  });

  it('refuse documents with any field put wrong, and throw nothing else', () => {
    const types = ['root', 'targets', 'snapshot', 'timestamp'];
    fc.assert(
      fc.property(
        document,
        fc.nat(),
        fc.nat(),
        value.any,
        fc.constantFrom(...types),
        (signed, which, deep, put, type) => {
          const body = parseCanonicalJson(signedBytes(signed), 'test', 'tuf.document') as Record<
            string,
            unknown
          >;
          misplace({ ...body, _type: type }, which, deep, put, (file) => {
            refusedAtMost(() => {
              const read = readTuf(file);
              lintTuf(read);
              countSignatures(read, KEYS, { keyids: [...KEYS.keys()], threshold: 1 });
            }, ['tuf.document']);
          });
        },
      ),
      { numRuns: 500 },
    );
  });
});

/** Puts a value somewhere into a document: in one of its fields, or one level below. */
function misplace(
  body: Record<string, unknown>,
  which: number,
  deep: number,
  put: unknown,
  then: (file: Buffer) => void,
): void {
  const fields = Object.keys(body);
  const field = fields[which % fields.length] ?? '';
  const held = body[field];
  const inner = typeof held === 'object' && held !== null ? Object.keys(held) : [];
  const innerField = inner[deep % Math.max(inner.length, 1)];
  const changed = innerField === undefined ? put : { ...(held as object), [innerField]: put };
  then(Buffer.from(JSON.stringify({ signed: { ...body, [field]: changed }, signatures: [] })));
}
