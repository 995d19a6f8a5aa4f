/** The order count that the hot path advances, against a second implementation. */
import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Leaf } from '../../src/crypto/leaf.js';
import { nativeShims } from '../../src/platform/native-shims.js';

function sha256(...parts: readonly Uint8Array[]): Buffer {
  return createHash('sha256').update(Buffer.concat(parts)).digest();
}

/** What the 72 bytes must be after one more order. */
function following(state: Buffer, messageHash: Buffer): Buffer {
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(BigInt.asUintN(64, state.readBigUInt64BE(32) + 1n));
  const keyId = state.subarray(40);
  return Buffer.concat([sha256(state.subarray(0, 32), number, keyId, messageHash), number, keyId]);
}

describe('counted signing', () => {
  it.each(['ecdsa-p256', 'ed25519'] as const)(
    '%s: signature, message hash and state are right',
    (algorithm) => {
      const secret = randomBytes(32);
      secret[0] = 1;
      using leaf = Leaf.import(algorithm, secret);
      const key = createPublicKey({ key: leaf.publicKeySpki(), format: 'der', type: 'spki' });
      const state = randomBytes(72);
      state.writeBigUInt64BE(0xfffffffen, 32);
      for (let round = 0; round < 300; round += 1) {
        const message = randomBytes(round);
        randomBytes(32).copy(state, 40);
        const wanted = following(state, sha256(message));
        const answer = leaf.signCounted(message, state);
        expect(answer.length).toBe(96);
        expect(answer.subarray(64)).toEqual(sha256(message));
        expect(state).toEqual(wanted);
        const signature = answer.subarray(0, 64);
        const verified =
          algorithm === 'ed25519'
            ? verify(null, message, key, signature)
            : verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
        expect(verified).toBe(true);
      }
    },
  );

  it('advances for an order that was signed elsewhere', () => {
    const state = randomBytes(72);
    for (const number of [0n, 255n, 65_535n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 64n - 2n]) {
      state.writeBigUInt64BE(number, 32);
      const hash = randomBytes(32);
      const wanted = following(state, hash);
      nativeShims().orderAdvance(hash, state);
      expect(state).toEqual(wanted);
    }
  });

  it('leaves the state alone when the message is refused', () => {
    using leaf = Leaf.import('ecdsa-p256', Buffer.alloc(32, 1));
    const state = randomBytes(72);
    const before = Buffer.from(state);
    expect(() => leaf.signCounted('text' as unknown as Uint8Array, state)).toThrow();
    expect(state).toEqual(before);
  });
});
