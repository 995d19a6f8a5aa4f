/** Leaves: derive v1 against frozen vectors, signatures against other verifiers, wiping, and a full secure heap. */
import { execFileSync } from 'node:child_process';
import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { saltFor, type DerivationBackend } from '../../src/crypto/derive.js';
import { Leaf } from '../../src/crypto/leaf.js';
import type { DerivedAlgorithm } from '../../src/crypto/algorithms.js';
import { NativeChild } from '../support/native-child.js';
import { PROJECT_ROOT } from '../support/project-root.js';

interface Vector {
  readonly backend: DerivationBackend;
  readonly repository: string;
  readonly role: string;
  readonly algorithm: DerivedAlgorithm;
  readonly context: string;
  readonly prf: string;
  readonly private: string;
  readonly public: string;
}

const VECTORS = (
  JSON.parse(readFileSync(path.join(PROJECT_ROOT, 'test/vectors/derivation.json'), 'utf8')) as {
    readonly vectors: readonly Vector[];
  }
).vectors;
const ALGORITHMS = ['ecdsa-p256', 'ed25519'] as const;
const ORDER = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551';

function derive(vector: Vector): Leaf {
  const { algorithm } = vector;
  const prf = Buffer.from(vector.prf, 'hex');
  return Leaf.derive({
    algorithm,
    salt: saltFor(vector.backend),
    prf,
    context: Buffer.from(vector.context, 'hex'),
  });
}

function verifies(leaf: Leaf, message: Buffer, signature: Buffer): boolean {
  const key = createPublicKey({ key: leaf.publicKeySpki(), format: 'der', type: 'spki' });
  return leaf.algorithm === 'ed25519'
    ? verify(null, message, key, signature)
    : verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
}

function fresh(algorithm: DerivedAlgorithm): Leaf {
  const secret = randomBytes(32);
  secret[0] = 1;
  return Leaf.import(algorithm, secret);
}

describe('derivation', () => {
  it.each(VECTORS)('$backend $repository#$role $algorithm gives the frozen key', (vector) => {
    using leaf = derive(vector);
    const secret = Buffer.alloc(32);
    leaf.exportInto(secret);
    expect(leaf.publicKeySpki().toString('hex').endsWith(vector.public)).toBe(true);
    expect(secret.toString('hex')).toBe(vector.private);
    const message = Buffer.from(vector.role);
    expect(verifies(leaf, message, leaf.sign(message))).toBe(true);
  });

  it('overwrites the output of the PRF', () => {
    const prf = randomBytes(32);
    using leaf = Leaf.derive({
      algorithm: 'ecdsa-p256',
      salt: saltFor('ec'),
      prf,
      context: Buffer.from('x'),
    });
    expect(leaf.algorithm).toBe('ecdsa-p256');
    expect(prf.equals(Buffer.alloc(32))).toBe(true);
  });

  it('takes contexts of every length up to the longest that can be', () => {
    const keys = new Set<string>();
    for (const length of [1, 63, 64, 65, 439, 512]) {
      const prf = Buffer.alloc(32, 9);
      using leaf = Leaf.derive({
        algorithm: 'ed25519',
        salt: saltFor('hmac'),
        prf,
        context: Buffer.alloc(length, 5),
      });
      keys.add(leaf.publicKeySpki().toString('hex'));
    }
    expect(keys.size).toBe(6);
  });
});

describe('import', () => {
  it('takes the same scalar to the same key as derivation and overwrites it', () => {
    for (const vector of VECTORS) {
      const secret = Buffer.from(vector.private, 'hex');
      using leaf = Leaf.import(vector.algorithm, secret);
      expect(leaf.publicKeySpki().toString('hex').endsWith(vector.public)).toBe(true);
      expect(secret.equals(Buffer.alloc(32))).toBe(true);
    }
  });

  it.each([
    ['zero', '00'.repeat(32)],
    ['the order of the group', ORDER],
    ['more than the order', 'ff'.repeat(32)],
  ])('refuses %s as a scalar', (_name, hex) => {
    expect(() => Leaf.import('ecdsa-p256', Buffer.from(hex, 'hex'))).toThrow(
      expect.objectContaining({ code: 'native.call' }),
    );
  });

  it('takes the smallest and the largest scalar', () => {
    for (const hex of ['01'.padStart(64, '0'), ORDER.replace(/51$/, '50')]) {
      using leaf = Leaf.import('ecdsa-p256', Buffer.from(hex, 'hex'));
      expect(verifies(leaf, Buffer.from(hex), leaf.sign(Buffer.from(hex)))).toBe(true);
    }
  });
});

describe('signing', () => {
  it.each(ALGORITHMS)('%s: 2,000 random messages verify, and none does after a change', (algorithm) => {
    using leaf = fresh(algorithm);
    const key = createPublicKey({ key: leaf.publicKeySpki(), format: 'der', type: 'spki' });
    const check = (message: Buffer, signature: Buffer): boolean =>
      algorithm === 'ed25519'
        ? verify(null, message, key, signature)
        : verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
    for (let length = 0; length < 2_000; length += 1) {
      const message = randomBytes(length);
      const signature = leaf.sign(message);
      expect(signature.length).toBe(64);
      if (!check(message, signature)) throw new Error(`length ${length}: does not verify`);
      signature[length % 64] = (signature[length % 64] ?? 0) ^ 1;
      if (check(message, signature)) throw new Error(`length ${length}: verifies after a change`);
    }
  });

  it('signs a digest as the message of that digest', () => {
    using leaf = fresh('ecdsa-p256');
    const message = randomBytes(100);
    const signature = leaf.signDigest(createHash('sha256').update(message).digest());
    expect(verifies(leaf, message, signature)).toBe(true);
    using other = fresh('ed25519');
    expect(() => other.signDigest(Buffer.alloc(32))).toThrow(
      expect.objectContaining({ code: 'usage.invalid' }),
    );
  });

  it.each(ALGORITHMS)('%s: keys do not mix when they sign in turns', (algorithm) => {
    const leaves = Array.from({ length: 5 }, () => fresh(algorithm));
    for (let turn = 0; turn < 50; turn += 1) {
      for (const leaf of leaves) {
        const message = randomBytes(40);
        expect(verifies(leaf, message, leaf.sign(message))).toBe(true);
      }
    }
    for (const leaf of leaves) leaf.wipe();
  });

  it('refuses to work once wiped, and wiping again is harmless', () => {
    for (const algorithm of ALGORITHMS) {
      const leaf = fresh(algorithm);
      leaf.wipe();
      leaf.wipe();
      const state = Buffer.alloc(72, 3);
      const locked = expect.objectContaining({ code: 'key.locked' }) as Error;
      expect(() => leaf.sign(Buffer.from('x'))).toThrow(locked);
      expect(() => leaf.signCounted(Buffer.from('x'), state)).toThrow(locked);
      expect(() => leaf.publicKeySpki()).toThrow(locked);
      expect(() => {
        leaf.exportInto(Buffer.alloc(32));
      }).toThrow(locked);
      expect(state.equals(Buffer.alloc(72, 3))).toBe(true);
    }
  });
});

describe('signatures before the openssl program', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'touchstone-leaf-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(ALGORITHMS)('%s verifies', (algorithm) => {
    using leaf = fresh(algorithm);
    const message = randomBytes(333);
    const raw = leaf.sign(message);
    const file = (name: string): string => path.join(folder, name);
    writeFileSync(file('key.der'), leaf.publicKeySpki());
    writeFileSync(file('message'), message);
    writeFileSync(file('signature'), algorithm === 'ed25519' ? raw : derOf(raw));
    const how = algorithm === 'ed25519' ? ['-rawin'] : ['-rawin', '-digest', 'sha256'];
    const keys = ['-pubin', '-keyform', 'DER', '-inkey', file('key.der')];
    const files = ['-in', file('message'), '-sigfile', file('signature')];
    const said = execFileSync('openssl', ['pkeyutl', '-verify', ...keys, ...how, ...files], {
      encoding: 'utf8',
    });
    expect(said).toContain('Signature Verified Successfully');
  });
});

/** SEQUENCE of two INTEGERs, short form. */
function derOf(raw: Buffer): Buffer {
  const integers = [raw.subarray(0, 32), raw.subarray(32)].map((half) => {
    const first = half.findIndex((byte) => byte !== 0);
    const trimmed = half.subarray(first);
    const value = (trimmed[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), trimmed]) : trimmed;
    return Buffer.concat([Buffer.from([0x02, value.length]), value]);
  });
  const body = Buffer.concat(integers);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}

describe('the secure heap', () => {
  const script = `
    const leaves = [];
    let code;
    while (code === undefined && leaves.length < 5000) {
      try { leaves.push(shims.leafImport(process.argv[1], Buffer.alloc(32, 1 + leaves.length % 200))); }
      catch (error) { code = error.code; }
    }
    const signed = leaves.slice(-200).every((leaf) => shims.leafSign(leaf, Buffer.from('x')).length === 64);
    const derive = () => shims.leafDerive(process.argv[1], Buffer.from('s'), Buffer.alloc(32, 1), Buffer.from('c'));
    let derived;
    try { derive(); } catch (error) { derived = error.code; }
    for (const leaf of leaves) shims.leafWipe(leaf);
    shims.leafWipe(derive());
    say({ code, derived, signed, count: leaves.length });`;

  it.each(ALGORITHMS)(
    '%s: a full one is ENOMEM, loaded keys go on signing, wiping makes room',
    async (algorithm) => {
      const flags = ['--secure-heap=65536', '--secure-heap-min=16'];
      await using child = new NativeChild(script, { flags, args: [algorithm] });
      const said = (await child.heard()) as { readonly count: number };
      expect(said).toMatchObject({ code: 'ENOMEM', derived: 'ENOMEM', signed: true });
      expect(said.count).toBeGreaterThan(100);
    },
  );
});
