/** Names and URIs: every value has one written form, and that form reads back as the value. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { KEY_ALGORITHMS } from '../../src/crypto/algorithms.js';
import { formatKeyName, parseKeyName, type KeyName } from '../../src/keys/key-name.js';
import { formatKeyUri, matchesToken, parseKeyUri, type KeyUri } from '../../src/keys/key-uri.js';
import { thrownBy } from '../support/error-code.js';

const MAX_U32 = 0xffff_ffff;

function over(alphabet: string, maxLength: number): fc.Arbitrary<string> {
  return fc.string({ unit: fc.constantFrom(...alphabet.split('')), minLength: 1, maxLength });
}

const name: fc.Arbitrary<KeyName> = fc.record(
  {
    repository: over('abz019._:/-', 40),
    role: over('abz019._/-', 20),
    epoch: fc.integer({ min: 1, max: MAX_U32 }),
    algorithm: fc.constantFrom(...KEY_ALGORITHMS),
    index: fc.nat({ max: MAX_U32 }),
  },
  { requiredKeys: ['repository', 'role'] },
);

it('a name reads back as itself, defaults apart', () => {
  fc.assert(
    fc.property(name, (written) => {
      const read = parseKeyName(formatKeyName(written));
      expect({ algorithm: 'ecdsa-p256', index: 0, ...read }).toEqual({
        algorithm: 'ecdsa-p256',
        index: 0,
        ...written,
      });
      expect(formatKeyName(read)).toBe(formatKeyName(written));
    }),
    { numRuns: 500 },
  );
});

it('two names of different keys are never written alike', () => {
  fc.assert(
    fc.property(name, name, (a, b) => {
      const same =
        JSON.stringify(Object.entries({ epoch: 0, algorithm: 'ecdsa-p256', index: 0, ...a }).sort()) ===
        JSON.stringify(Object.entries({ epoch: 0, algorithm: 'ecdsa-p256', index: 0, ...b }).sort());
      expect(formatKeyName(a) === formatKeyName(b)).toBe(same);
    }),
    { numRuns: 500 },
  );
});

it('text is a name or is refused with one code', () => {
  const text = fc.oneof(fc.string({ maxLength: 20 }), over('ab#@~:/01 A', 14));
  fc.assert(
    fc.property(text, (candidate) => {
      let read: KeyName;
      try {
        read = parseKeyName(candidate);
      } catch (error) {
        expect(
          thrownBy(() => {
            throw error;
          }).code,
        ).toBe('key.name-invalid');
        return;
      }
      expect(parseKeyName(formatKeyName(read))).toEqual(parseKeyName(formatKeyName(read)));
      expect(candidate.startsWith(`${read.repository}#${read.role}`)).toBe(true);
    }),
    { numRuns: 3000 },
  );
});

function label(maxBytes: number): fc.Arbitrary<string> {
  return fc
    .string({
      unit: fc.oneof(
        fc.constantFrom(';', '?', '%', '=', '&', '/', ' ', 'a', 'ü', '日'),
        fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
      ),
      maxLength: maxBytes,
    })
    .filter((text) => Buffer.byteLength(text) <= maxBytes);
}

const uri: fc.Arbitrary<KeyUri> = fc.record(
  {
    token: label(32),
    serial: label(16),
    manufacturer: label(32),
    model: label(16),
    object: label(255),
    id: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString('hex')),
    type: fc.constantFrom('cert', 'data', 'private', 'public', 'secret-key'),
    slotId: fc.nat({ max: MAX_U32 }),
    slotDescription: label(64),
    libraryVersion: label(7),
    vendor: fc
      .dictionary(
        over('abc', 3).map((tail) => `x-${tail}`),
        label(20),
        { minKeys: 1, maxKeys: 3 },
      )
      .map((entries) => ({ ...entries })),
  },
  { requiredKeys: [] },
);

it('a URI reads back as itself', () => {
  fc.assert(
    fc.property(uri, (written) => {
      const text = formatKeyUri(written);
      expect(text).toMatch(/^[\x21-\x7e]+$/);
      expect(parseKeyUri(text)).toEqual(written);
      expect(formatKeyUri(parseKeyUri(text))).toBe(text);
    }),
    { numRuns: 500 },
  );
});

it('text is a URI or is refused with one of two codes, and a PIN is never repeated', () => {
  const piece = fc.constantFrom(
    'token=',
    'pin-value=',
    'pin-source=',
    'id=',
    'x-a=',
    ';',
    '?',
    '&',
    '%41',
    '%',
    'S3CRET',
    'object=',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const text = `pkcs11:${pieces.join('')}`;
      try {
        parseKeyUri(text);
      } catch (thrown) {
        const error = thrownBy(() => {
          throw thrown;
        });
        expect(['key.uri-invalid', 'usage.pin-in-uri']).toContain(error.code);
        expect(`${error.message}${error.hint}${JSON.stringify(error.details)}`).not.toContain('S3CRET');
        return;
      }
      expect(text).not.toMatch(/pin-(value|source)=/);
    }),
    { numRuns: 3000 },
  );
});

it('a token matches the URI made of its own facts, and no longer when one fact differs', () => {
  const facts = fc.record({ label: label(32), serial: label(16), manufacturer: label(32), model: label(16) });
  fc.assert(
    fc.property(facts, fc.constantFrom('label', 'serial', 'manufacturer', 'model'), (token, field) => {
      const { label: tokenLabel, ...others } = token;
      const own = parseKeyUri(formatKeyUri({ token: tokenLabel, ...others }));
      expect(matchesToken(own, token)).toBe(true);
      expect(matchesToken(own, { ...token, [field]: `${token[field]}x` })).toBe(false);
    }),
  );
});
