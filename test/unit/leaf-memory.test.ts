/** A wiped leaf is gone from the memory of its process: looked for from outside, in every writable page. */
import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { NativeChild } from '../support/native-child.js';
import { countInMemory } from '../support/process-memory.js';

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const SALT = 'touchstone-derive-v1/ec';
const CONTEXT = 'memory test';

const SCRIPT = `
const [, algorithm, prf] = process.argv;
const leaf = shims.leafDerive(algorithm, Buffer.from(${JSON.stringify(SALT)}), Buffer.from(prf, 'hex'),
  Buffer.from(${JSON.stringify(CONTEXT)}));
for (let i = 0; i < 50; i++) shims.leafSign(leaf, Buffer.from('message ' + i));
say('derived');
await hear();
shims.leafWipe(leaf);
say('wiped');
await hear();
process.exit(0);
`;

interface Intermediates {
  readonly prk: Buffer;
  readonly okm: Buffer;
  readonly secret: Buffer;
}

/** Steps 2 and 3 of derive v1 again, by other code than ours. */
function intermediates(algorithm: string, prf: Buffer): Intermediates {
  const prk = createHmac('sha256', SALT).update(prf).digest();
  const length = algorithm === 'ed25519' ? 32 : 48;
  const okm = Buffer.from(hkdfSync('sha256', prf, SALT, CONTEXT, length));
  if (algorithm === 'ed25519') return { prk, okm, secret: okm };
  const scalar = (BigInt(`0x${okm.toString('hex')}`) % (ORDER - 1n)) + 1n;
  return { prk, okm, secret: Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex') };
}

/** In both byte orders: OpenSSL keeps numbers as little-endian words. */
function needles({ prk, okm, secret }: Intermediates): readonly Buffer[] {
  const parts = [secret, prk, okm.subarray(0, 32), okm.subarray(16)];
  return parts.flatMap((part) => [part, Buffer.from(part).reverse()]);
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

describe('memory of a leaf', () => {
  const heaps = [[], ['--secure-heap=65536', '--secure-heap-min=16']];
  const cases = ['ecdsa-p256', 'ed25519'].flatMap((algorithm) =>
    heaps.map((flags) => ({ algorithm, flags })),
  );

  it.each(cases)(
    '$algorithm $flags: one copy while loaded, none after the wipe',
    async ({ algorithm, flags }) => {
      const prf = randomBytes(32);
      const wanted = intermediates(algorithm, prf);
      await using child = new NativeChild(SCRIPT, { flags, args: [algorithm, prf.toString('hex')] });
      expect(await child.heard()).toBe('derived');
      const loaded = countInMemory(child.pid, needles(wanted));
      child.tell('wipe');
      expect(await child.heard()).toBe('wiped');
      const wiped = countInMemory(child.pid, needles(wanted));
      // The control: the scan does find the key while it is there, so that zero afterwards means something.
      expect(sum(loaded.slice(0, 2))).toBe(1);
      expect(sum(wiped)).toBe(0);
    },
  );
});
