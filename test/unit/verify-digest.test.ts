/** Signatures over bare digests, made by OpenSSL over the whole message. */
import { constants, createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { RSA_SCHEMES, type RsaScheme } from '../../src/crypto/algorithms.js';
import { digestBytes, digestForKey, Verifier } from '../../src/crypto/verify.js';

const MESSAGE = Buffer.from('what was signed');
const rsa = generateKeyPairSync('rsa', { modulusLength: 3072 });

function verifierOf(key: KeyObject): Verifier {
  return new Verifier(key.export({ format: 'der', type: 'spki' }));
}

function signed(scheme: RsaScheme, saltLength: number = constants.RSA_PSS_SALTLEN_DIGEST): Buffer {
  const padding = scheme.includes('pss') ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
  return sign(scheme.slice(-6), MESSAGE, { key: rsa.privateKey, padding, saltLength });
}

describe.each(RSA_SCHEMES)('%s', (scheme) => {
  const hash = scheme.slice(-6);
  const digest = createHash(hash).update(MESSAGE).digest();
  const verifier = verifierOf(rsa.publicKey);

  it('verifies over message and digest, and no other digest, scheme or bit', () => {
    const signature = signed(scheme);
    expect(verifier.verify(MESSAGE, signature, scheme)).toBe(true);
    expect(verifier.verifyDigest(digest, signature, scheme)).toBe(true);
    expect(verifier.verifyDigest(createHash(hash).update('x').digest(), signature, scheme)).toBe(false);
    for (const other of RSA_SCHEMES) {
      if (other !== scheme) expect(verifier.verifyDigest(digest, signature, other)).toBe(false);
    }
    for (const at of [0, 100, 383]) {
      const changed = Buffer.from(signature);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(verifier.verifyDigest(digest, changed, scheme)).toBe(false);
    }
    expect(verifier.verifyDigest(digest.subarray(1), signature, scheme)).toBe(false);
  });

  it('has the digest of its hash', () => {
    expect(digestBytes('rsa-3072', scheme)).toBe(digest.length);
  });
});

it('a PSS salt of another length is refused', () => {
  const digest = createHash('sha256').update(MESSAGE).digest();
  const verifier = verifierOf(rsa.publicKey);
  for (const salt of [0, 20, 33]) {
    expect(verifier.verifyDigest(digest, signed('rsa-pss-sha256', salt), 'rsa-pss-sha256')).toBe(false);
  }
});

it('P-384 signs SHA-384, Ed25519 no digest at all', () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const signature = sign('sha384', MESSAGE, { key: pair.privateKey, dsaEncoding: 'ieee-p1363' });
  const digest = createHash('sha384').update(MESSAGE).digest();
  expect(verifierOf(pair.publicKey).verifyDigest(digest, signature)).toBe(true);
  expect(verifierOf(pair.publicKey).verifyDigest(digest.subarray(16), signature)).toBe(false);
  expect(digestBytes('ed25519')).toBeUndefined();
  const edwards = generateKeyPairSync('ed25519');
  expect(
    verifierOf(edwards.publicKey).verifyDigest(digest.subarray(16), sign(null, digest, edwards.privateKey)),
  ).toBe(false);
});

describe('a digest of another length than the curve', () => {
  const digest = createHash('sha256').update(MESSAGE).digest();
  const long = createHash('sha512').update(MESSAGE).digest();

  it.each([
    ['prime256v1', 'sha512', long],
    ['secp384r1', 'sha512', long],
    ['secp384r1', 'sha256', digest],
  ])('on %s: a signature over %s verifies by its digest', (namedCurve, hash, bytes) => {
    const pair = generateKeyPairSync('ec', { namedCurve });
    const signature = sign(hash, MESSAGE, { key: pair.privateKey, dsaEncoding: 'ieee-p1363' });
    expect(verifierOf(pair.publicKey).verifyDigest(bytes, signature)).toBe(true);
    expect(verifierOf(pair.publicKey).verifyDigest(Buffer.alloc(bytes.length, 1), signature)).toBe(false);
  });

  it('is cut, or filled in front; RSA and Ed25519 take none, and no other length is taken', () => {
    expect(digestForKey('ecdsa-p256', long)).toEqual(long.subarray(0, 32));
    expect(digestForKey('ecdsa-p384', digest)).toEqual(Buffer.concat([Buffer.alloc(16), digest]));
    expect(digestForKey('rsa-3072', digest, 'rsa-pkcs1-sha512')).toBeUndefined();
    expect(digestForKey('ed25519', digest)).toBeUndefined();
    for (const length of [0, 20, 28, 31, 33, 65]) {
      expect(digestForKey('ecdsa-p384', Buffer.alloc(length))).toBeUndefined();
    }
  });
});
