/** Public keys of signers, in every form that people hand them over. */
import { generateKeyPairSync } from 'node:crypto';
import { expect, it } from 'vitest';
import { canonicalKeyId } from '../../src/formats/notary1/key.js';
import { readSignerKey } from '../../src/trust/signer-key-file.js';
import { SoftwareSigner } from '../support/software-signer.js';

const FILE = 'alice.pub';

it('plain PEM', () => {
  const signer = SoftwareSigner.make();
  expect(readSignerKey(signer.publicPem, FILE)).toEqual(signer.key);
  expect(readSignerKey(signer.publicPem.replaceAll('\n', '\r\n'), FILE)).toEqual(signer.key);
});

it('PEM with the headers of docker', () => {
  const signer = SoftwareSigner.make();
  const docker = signer.publicPem.replace('KEY-----\n', 'KEY-----\nrole: alice\n\n');
  expect(readSignerKey(docker, FILE)).toEqual(signer.key);
});

it('a certificate, known by the key in it', () => {
  const signer = SoftwareSigner.make();
  const key = readSignerKey(signer.certificate('alice'), FILE);
  expect(key.keytype).toBe('ecdsa-x509');
  expect(canonicalKeyId(key)).toBe(signer.canonicalId);
});

it.each(['p384', 'ed25519', 'rsa'] as const)('%s', (algorithm) => {
  const signer = SoftwareSigner.make(algorithm);
  expect(readSignerKey(signer.publicPem, FILE)).toEqual(signer.key);
});

it.each([
  ['a private key', SoftwareSigner.make().privatePem, 'private key'],
  ['nothing', '', 'not one PEM block'],
  ['a short RSA key', generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey, 'neither a certificate'],
  ['a key of another kind', generateKeyPairSync('x25519').publicKey, 'neither a certificate'],
])('not %s', (_name, given, words) => {
  const pem = typeof given === 'string' ? given : given.export({ format: 'pem', type: 'spki' }).toString();
  expect(() => readSignerKey(pem, FILE)).toThrow(words);
});
