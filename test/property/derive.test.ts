/** Two different keys never share a context, and nothing outside the alphabets gets into one. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { DERIVED_ALGORITHMS } from '../../src/crypto/algorithms.js';
import { encodeContext, peerPoint, type DeriveContext } from '../../src/crypto/derive.js';
import { p256 } from '@noble/curves/nist.js';
import { thrownBy } from '../support/error-code.js';

const ALPHABETS = {
  domain: { characters: 'abcdefghijklmnopqrstuvwxyz0123456789.-', max: 64 },
  repository: { characters: 'abcdefghijklmnopqrstuvwxyz0123456789._:/-', max: 255 },
  role: { characters: 'abcdefghijklmnopqrstuvwxyz0123456789._/-', max: 64 },
} as const;

type TextField = keyof typeof ALPHABETS;
const TEXT_FIELDS = Object.keys(ALPHABETS) as TextField[];
const MAX_U32 = 0xffff_ffff;

function text(field: TextField): fc.Arbitrary<string> {
  const { characters, max } = ALPHABETS[field];
  return fc.string({ unit: fc.constantFrom(...characters.split(/(?:)/u)), minLength: 1, maxLength: max });
}

const context: fc.Arbitrary<DeriveContext> = fc.record({
  domain: text('domain'),
  repository: text('repository'),
  role: text('role'),
  algorithm: fc.constantFrom(...DERIVED_ALGORITHMS),
  epoch: fc.integer({ min: 1, max: MAX_U32 }),
  index: fc.integer({ min: 0, max: MAX_U32 }),
});

/** Fields that only differ in where characters stand: the ones a careless encoding would confuse. */
const shifted = fc
  .tuple(
    context,
    fc.string({ unit: fc.constantFrom('a', 'b', '.', '-'), minLength: 3, maxLength: 12 }),
    fc.nat(),
    fc.nat(),
  )
  .map(([base, letters, a, b]): DeriveContext => {
    const [first = 1, second = 2] = [1 + (a % (letters.length - 2)), 1 + (b % (letters.length - 2))].sort(
      (x, y) => x - y,
    );
    return {
      ...base,
      domain: letters.slice(0, first),
      repository: letters.slice(first, second + 1),
      role: letters.slice(second + 1),
      algorithm: 'ecdsa-p256',
      epoch: 1,
      index: 0,
    };
  })
  .filter(({ domain, repository, role }) => domain !== '' && repository !== '' && role !== '');

it('is injective', () => {
  const either = fc.oneof(context, shifted);
  fc.assert(
    fc.property(either, either, (a, b) => {
      const same = JSON.stringify(Object.values(a)) === JSON.stringify(Object.values(b));
      expect(encodeContext(a).equals(encodeContext(b))).toBe(same);
    }),
    { numRuns: 500 },
  );
});

it('is injective for fields cut at every pair of places', () => {
  const letters = 'ab.cd-ef';
  const seen = new Set<string>();
  let tuples = 0;
  for (let first = 1; first < letters.length - 1; first += 1) {
    for (let second = first + 1; second < letters.length; second += 1) {
      const fields = {
        domain: letters.slice(0, first),
        repository: letters.slice(first, second),
        role: letters.slice(second),
      };
      seen.add(encodeContext({ ...fields, algorithm: 'ecdsa-p256', epoch: 1, index: 0 }).toString('hex'));
      tuples += 1;
    }
  }
  expect(seen.size).toBe(tuples);
});

it('refuses every character outside the alphabet of each field, wherever it stands', () => {
  const valid: DeriveContext = {
    domain: 'acme.example',
    repository: 'a/b',
    role: 'ssh',
    algorithm: 'ecdsa-p256',
    epoch: 1,
    index: 0,
  };
  for (const field of TEXT_FIELDS) {
    const allowed: string = ALPHABETS[field].characters;
    for (let unit = 0; unit < 0x3000; unit += 1) {
      const character = String.fromCharCode(unit);
      for (const value of [character, `a${character}`, `${character}a`, `a${character}a`]) {
        if (allowed.includes(character)) {
          expect(() => encodeContext({ ...valid, [field]: value })).not.toThrow();
        } else {
          const error = thrownBy(() => encodeContext({ ...valid, [field]: value }));
          if (error.details?.['field'] !== field) expect.fail(`U+${unit.toString(16)} in ${field}`);
        }
      }
    }
  }
});

it('refuses every length outside the bounds of each field', () => {
  for (const field of TEXT_FIELDS) {
    const { max } = ALPHABETS[field];
    fc.assert(
      fc.property(context, fc.integer({ min: 0, max: 600 }), (fields, length) => {
        const changed = { ...fields, [field]: 'a'.repeat(length) };
        if (length >= 1 && length <= max) {
          expect(encodeContext(changed).length).toBeGreaterThan(length);
        } else {
          expect(thrownBy(() => encodeContext(changed)).details).toEqual({ field });
        }
      }),
      { numRuns: 60 },
    );
  }
});

it('refuses numbers that are not whole or not in 32 bits', () => {
  fc.assert(
    fc.property(context, fc.constantFrom('epoch', 'index'), fc.double(), (fields, field, value) => {
      const min = field === 'epoch' ? 1 : 0;
      fc.pre(!(Number.isInteger(value) && value >= min && value <= MAX_U32));
      expect(thrownBy(() => encodeContext({ ...fields, [field]: value })).details).toEqual({ field });
    }),
  );
});

it('gives a point on the curve for every context, and another one for another context', () => {
  fc.assert(
    fc.property(context, context, (a, b) => {
      const points = [a, b].map((fields) => peerPoint(encodeContext(fields)));
      for (const point of points) {
        expect(point.length).toBe(65);
        p256.Point.fromBytes(point).assertValidity();
      }
      const same = encodeContext(a).equals(encodeContext(b));
      expect(points[0]?.equals(points[1] ?? Buffer.alloc(0))).toBe(same);
    }),
    { numRuns: 20 },
  );
});
