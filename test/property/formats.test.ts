import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pae } from '../../src/encoding/dsse-pae.js';
import { AgentError } from '../../src/errors/agent-error.js';
import { describe as describeBytes, kindOf } from '../../src/formats/describe.js';
import { decodeEnvelope, encodeEnvelope, parsePae } from '../../src/formats/dsse.js';
import { prefixMatches } from '../../src/formats/prefixes.js';
import { buildSimpleSigning, parseSimpleSigning } from '../../src/formats/simple-signing.js';
import { buildSignedData, parseSignedData } from '../../src/formats/sshsig.js';
import { signableBytes } from '../support/signable-bytes.js';

const examples = signableBytes().map(([, bytes]) => bytes);
const kinds = [...new Set([...signableBytes().map(([kind]) => kind), 'dsse:x', 'sshsig:x'])];

/** A valid example with bytes changed, cut off, inserted, or joined to another. */
const mutated = fc
  .tuple(
    fc.constantFrom(...examples),
    fc.constantFrom(...examples),
    fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 4 }),
    fc.tuple(fc.nat(400), fc.nat(400), fc.uint8Array({ maxLength: 8 })),
    fc.constantFrom('change', 'cut', 'insert', 'join', 'digest'),
  )
  .map(([base, other, changes, [from, to, extra], how]) => {
    const bytes = Buffer.from(base);
    for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
    if (how === 'cut') return bytes.subarray(0, from);
    if (how === 'insert') return Buffer.concat([bytes.subarray(0, from), extra, bytes.subarray(from)]);
    if (how === 'join') return Buffer.concat([bytes.subarray(0, from), other.subarray(to)]);
    return how === 'digest' ? Buffer.concat([bytes, Buffer.alloc(32)]).subarray(0, 32) : bytes;
  });

const type = fc.stringMatching(/^[!-~]{1,40}$/);
const reference = fc.stringMatching(/^[a-z0-9][a-z0-9._:/-]{0,40}$/);
const digest = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => `sha256:${Buffer.from(bytes).toString('hex')}`);

function kindsThatDescribe(bytes: Buffer): readonly string[] {
  const own = kindOf(bytes);
  return [...new Set(own === undefined ? kinds : [...kinds, own])].filter((kind) => {
    try {
      return describeBytes(kind, bytes).kind === kind;
    } catch (thrown) {
      if (thrown instanceof AgentError && thrown.code === 'statement.unrecognised') return false;
      throw thrown;
    }
  });
}

describe('formats', () => {
  it('describe no byte string as two kinds, and agree with the prefix check', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          mutated,
          fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
        ),
        (bytes) => {
          const found = kindsThatDescribe(bytes);
          expect(found.length).toBeLessThanOrEqual(1);
          expect(found[0]).toBe(kindOf(bytes));
          for (const kind of found) expect(prefixMatches(kind, bytes)).toBe(true);
          expect(kinds.filter((kind) => prefixMatches(kind, bytes)).length).toBeLessThanOrEqual(1);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('read back every simple signing payload they write', () => {
    // Keys that objects of JavaScript reorder or treat specially come back all the same.
    const optional = fc.dictionary(
      fc.string({ unit: 'grapheme' }).filter((key) => key !== '__proto__'),
      fc.string({ unit: 'grapheme' }),
    );
    fc.assert(
      fc.property(reference, digest, optional, (name, hash, annotations) => {
        const read = parseSimpleSigning(
          buildSimpleSigning({ reference: name, digest: hash, optional: annotations }),
        );
        expect(read.reference).toBe(name);
        expect(read.digest).toBe(hash);
        expect(read.optional ?? {}).toEqual({ ...annotations });
      }),
    );
  });

  it('read back every pre-authentication encoding, and only itself', () => {
    fc.assert(
      fc.property(type, fc.uint8Array({ maxLength: 100 }), (payloadType, raw) => {
        const body = Buffer.from(raw);
        const bytes = pae(payloadType, body);
        expect(parsePae(bytes)).toEqual({ payloadType, body });
        expect(prefixMatches(`dsse:${payloadType}`, bytes)).toBe(true);
        expect(prefixMatches(`dsse:${payloadType}x`, bytes)).toBe(false);
      }),
    );
  });

  it('read back every SSHSIG they write', () => {
    const data = fc.oneof(
      fc.tuple(fc.constant('sha256' as const), fc.uint8Array({ minLength: 32, maxLength: 32 })),
      fc.tuple(fc.constant('sha512' as const), fc.uint8Array({ minLength: 64, maxLength: 64 })),
    );
    fc.assert(
      fc.property(type, data, (namespace, [hashAlgorithm, raw]) => {
        const fields = { namespace, hashAlgorithm, hash: Buffer.from(raw) };
        const bytes = buildSignedData(fields);
        expect(parseSignedData(bytes)).toEqual(fields);
        expect(kindOf(bytes)).toBe(`sshsig:${namespace}`);
      }),
    );
  });

  it('read back every envelope they write', () => {
    const bytes = fc.uint8Array({ maxLength: 50 }).map((raw) => Buffer.from(raw));
    const signatures = fc.array(fc.record({ keyid: fc.string({ minLength: 1 }), sig: bytes }), {
      minLength: 1,
      maxLength: 3,
    });
    fc.assert(
      fc.property(type, bytes, signatures, (payloadType, payload, list) => {
        const envelope = { payloadType, payload, signatures: list };
        expect(decodeEnvelope(encodeEnvelope(envelope))).toEqual(envelope);
      }),
    );
  });
});
