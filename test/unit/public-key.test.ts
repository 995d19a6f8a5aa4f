/** Public keys as other programs read them: OpenSSL, ssh-keygen and node's own JWK import. */
import { execFileSync } from 'node:child_process';
import { createHash, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import { p256 } from '@noble/curves/nist.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ALGORITHMS, KEY_ALGORITHMS, type KeyAlgorithm } from '../../src/crypto/algorithms.js';
import { keyIdOf } from '../../src/crypto/key-id.js';
import {
  importPublicKey,
  publicKeyJwk,
  publicKeyPem,
  rawFromSpki,
  spkiFromRaw,
  sshPublicKeyLine,
} from '../../src/crypto/public-key.js';
import { SecretBytes } from '../../src/crypto/secret-bytes.js';
import { Verifier, verifySignature } from '../../src/crypto/verify.js';
import { decodePem } from '../../src/encoding/pem.js';
import { codeOf } from '../support/error-code.js';

function keyPair(algorithm: KeyAlgorithm) {
  switch (algorithm) {
    case 'ed25519':
      return generateKeyPairSync('ed25519');
    case 'rsa-3072':
      return generateKeyPairSync('rsa', { modulusLength: 3072 });
    case 'ecdsa-p256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'ecdsa-p384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' });
  }
}

/** Bits and kind as `ssh-keygen -l` prints them. */
const SHOWN = {
  'ecdsa-p256': [256, 'ECDSA'],
  ed25519: [256, 'ED25519'],
  'ecdsa-p384': [384, 'ECDSA'],
  'rsa-3072': [3072, 'RSA'],
} as const;

function spkiOf(algorithm: KeyAlgorithm): Buffer {
  return keyPair(algorithm).publicKey.export({ format: 'der', type: 'spki' });
}

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'touchstone-public-key-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe.each(KEY_ALGORITHMS)('%s', (algorithm) => {
  it('is taken apart and put together again', () => {
    const spki = spkiOf(algorithm);
    const { algorithm: found, raw } = rawFromSpki(spki);
    expect(found).toBe(algorithm);
    expect(spkiFromRaw(algorithm, raw).equals(spki)).toBe(true);
    expect(importPublicKey(spki).export({ format: 'der', type: 'spki' }).equals(spki)).toBe(true);
  });

  it('has the key id that openssl computes from its PEM', () => {
    const spki = spkiOf(algorithm);
    const pem = publicKeyPem(spki);
    expect(decodePem(pem, 'key')).toEqual({ label: 'PUBLIC KEY', der: spki });
    const der = execFileSync('openssl', ['pkey', '-pubin', '-outform', 'DER'], { input: pem });
    expect(createHash('sha256').update(der).digest('hex')).toBe(keyIdOf(spki));
  });

  it('is a key to OpenSSH', () => {
    const spki = spkiOf(algorithm);
    const line = sshPublicKeyLine(spki, 'touchstone/release#ssh');
    const file = path.join(folder, `${algorithm}.pub`);
    writeFileSync(file, `${line}\n`);
    const listed = execFileSync('ssh-keygen', ['-l', '-f', file], { encoding: 'utf8' });
    const [, blob = '', comment] = line.split(' ');
    const fingerprint = createHash('sha256').update(blob, 'base64').digest('base64').replace(/=+$/, '');
    const [bits, kind] = SHOWN[algorithm];
    expect(listed).toBe(`${bits} SHA256:${fingerprint} ${comment ?? ''} (${kind})\n`);
    expect(Buffer.from(blob, 'base64').includes(rawFromSpki(spki).raw)).toBe(true);
  });

  it('is a JWK', () => {
    const spki = spkiOf(algorithm);
    const key = createPublicKey({ key: { ...publicKeyJwk(spki) }, format: 'jwk' });
    expect(key.export({ format: 'der', type: 'spki' }).equals(spki)).toBe(true);
  });

  it('verifies its signatures and nothing else', () => {
    const { privateKey, publicKey } = keyPair(algorithm);
    const spki = publicKey.export({ format: 'der', type: 'spki' });
    const message = Buffer.from('signed bytes');
    const { hash } = ALGORITHMS[algorithm];
    const signature = sign(hash, message, { key: privateKey, dsaEncoding: 'ieee-p1363' });
    const verifier = new Verifier(spki);
    expect(verifier.verify(message, signature)).toBe(true);
    expect(verifySignature(spki, algorithm, message, signature)).toBe(true);
    for (let at = 0; at < signature.length; at += 1) {
      const changed = Buffer.from(signature);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(verifier.verify(message, changed)).toBe(false);
    }
    expect(verifier.verify(Buffer.from('other bytes'), signature)).toBe(false);
    expect(verifier.verify(message, signature.subarray(1))).toBe(false);
    expect(new Verifier(spkiOf(algorithm)).verify(message, signature)).toBe(false);
    const other = algorithm === 'ed25519' ? 'ecdsa-p256' : 'ed25519';
    expect(verifySignature(spki, other, message, signature)).toBe(false);
  });
});

it('verifies ECDSA signatures over a digest, low and high s alike', () => {
  const { secretKey, publicKey } = p256.keygen();
  const verifier = new Verifier(spkiFromRaw('ecdsa-p256', p256.Point.fromBytes(publicKey).toBytes(false)));
  const digest = createHash('sha256').update('message').digest();
  const signature = Buffer.from(p256.sign(digest, secretKey, { prehash: false, lowS: false }));
  const negated = p256.Point.Fn.neg(BigInt(`0x${signature.toString('hex', 32)}`));
  const mirrored = Buffer.concat([signature.subarray(0, 32), Buffer.from(p256.Point.Fn.toBytes(negated))]);
  expect(verifier.verifyDigest(digest, signature)).toBe(true);
  expect(verifier.verifyDigest(digest, mirrored)).toBe(true);
  expect(verifier.verifyDigest(createHash('sha256').update('other').digest(), signature)).toBe(false);
  expect(verifier.verifyDigest(digest.subarray(1), signature)).toBe(false);
  expect(verifier.verifyDigest(digest, Buffer.alloc(64))).toBe(false);
  expect(new Verifier(spkiOf('ed25519')).verifyDigest(digest, signature)).toBe(false);
});

it('is the same key to OpenSSH when it converts it back', () => {
  const spki = spkiOf('ecdsa-p256');
  const file = path.join(folder, 'converted.pub');
  writeFileSync(file, `${sshPublicKeyLine(spki, '')}\n`);
  const pem = execFileSync('ssh-keygen', ['-e', '-m', 'PKCS8', '-f', file], { encoding: 'utf8' });
  expect(decodePem(pem, 'key').der.equals(spki)).toBe(true);
});

describe('refuses', () => {
  it.each([
    ['no bytes', Buffer.alloc(0)],
    ['a byte too many', Buffer.concat([spkiOf('ed25519'), Buffer.alloc(1)])],
    [
      'another curve',
      generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey.export({ format: 'der', type: 'spki' }),
    ],
    [
      'RSA of another size',
      generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'der', type: 'spki' }),
    ],
    ['X25519', generateKeyPairSync('x25519').publicKey.export({ format: 'der', type: 'spki' })],
  ])('%s', (_, spki) => {
    expect(codeOf(() => rawFromSpki(spki))).toBe('usage.invalid');
  });

  it('a point that is not on the curve', () => {
    const spki = spkiFromRaw('ecdsa-p256', Buffer.concat([Buffer.from([4]), Buffer.alloc(64, 1)]));
    expect(codeOf(() => importPublicKey(spki))).toBe('usage.invalid');
  });

  it('a compressed point', () => {
    expect(codeOf(() => spkiFromRaw('ecdsa-p256', Buffer.alloc(33, 2)))).toBe('usage.invalid');
    expect(codeOf(() => spkiFromRaw('ecdsa-p256', Buffer.alloc(65, 2)))).toBe('usage.invalid');
  });

  it('a comment that would begin a new line', () => {
    expect(codeOf(() => sshPublicKeyLine(spkiOf('ed25519'), 'a\nssh-rsa AAAA'))).toBe('usage.invalid');
  });
});

it('keeps a secret out of every way to print it, and overwrites it', () => {
  const source = Buffer.from('1234-secret');
  const secret = SecretBytes.take(source);
  expect(source.every((byte) => byte === 0)).toBe(true);
  expect(secret.bytes.toString()).toBe('1234-secret');
  expect(secret.length).toBe(11);
  const printed = [String(secret), JSON.stringify({ secret }), inspect({ secret }, { showHidden: true })];
  for (const text of printed) {
    expect(text).toContain('[secret]');
    expect(text).not.toContain('1234');
    expect(text).not.toContain('31 32 33 34');
  }
  const { bytes } = secret;
  secret[Symbol.dispose]();
  expect(bytes.every((byte) => byte === 0)).toBe(true);
  expect(codeOf(() => secret.bytes)).toBe('internal.unexpected');
});
