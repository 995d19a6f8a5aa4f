import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { sshPublicKeyLine } from '../../src/crypto/public-key.js';
import { Verifier } from '../../src/crypto/verify.js';
import { spkiFromSshLine } from '../../src/formats/ssh-public-key.js';
import { decodeArmor, encodeArmor } from '../../src/formats/sshsig-armor.js';
import { buildSignedData } from '../../src/formats/sshsig.js';

const folder = mkdtempSync(join(tmpdir(), 'touchstone-sshsig-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const MESSAGE = Buffer.from('the message that is signed\n');

function keyPair(name: string): { readonly privateKey: KeyObject; readonly spki: Buffer } {
  const pair =
    name === 'P-256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519');
  return { privateKey: pair.privateKey, spki: pair.publicKey.export({ type: 'spki', format: 'der' }) };
}

/** Whether `ssh-keygen -Y verify` accepts the signature by this key over `message`. */
function sshKeygenAccepts(file: string, spki: Buffer, namespace: string, message: Buffer): boolean {
  const signers = join(folder, 'allowed_signers');
  writeFileSync(signers, `me@example.org ${sshPublicKeyLine(spki, '')}\n`);
  const args = ['-Y', 'verify', '-f', signers, '-I', 'me@example.org', '-n', namespace, '-s', file];
  const { status, error } = spawnSync('ssh-keygen', args, { input: message, timeout: 45_000 });
  if (error !== undefined) throw error;
  return status === 0;
}

describe('SSHSIG', () => {
  it.each([
    ['P-256', 'sha512', 'file'],
    ['P-256', 'sha256', 'git'],
    ['Ed25519', 'sha512', 'file'],
    ['Ed25519', 'sha256', 'git'],
  ] as const)(
    'made by us with %s and %s is accepted by ssh-keygen',
    (algorithm, hashAlgorithm, namespace) => {
      const { privateKey, spki } = keyPair(algorithm);
      const hash = createHash(hashAlgorithm).update(MESSAGE).digest();
      const message = buildSignedData({ namespace, hashAlgorithm, hash });
      const digest = algorithm === 'P-256' ? 'sha256' : null;
      const signature = sign(digest, message, { key: privateKey, dsaEncoding: 'ieee-p1363' });
      const file = join(folder, `${algorithm}-${hashAlgorithm}.sig`);
      writeFileSync(file, encodeArmor({ spki, namespace, hashAlgorithm, signature }));
      expect(sshKeygenAccepts(file, spki, namespace, MESSAGE)).toBe(true);
      expect(sshKeygenAccepts(file, spki, namespace, Buffer.from('another message'))).toBe(false);
      expect(sshKeygenAccepts(file, spki, 'other', MESSAGE)).toBe(false);
      expect(sshKeygenAccepts(file, keyPair(algorithm).spki, namespace, MESSAGE)).toBe(false);
    },
  );

  it.each([
    ['ecdsa', 'sha512'],
    ['ecdsa', 'sha256'],
    ['ed25519', 'sha512'],
  ] as const)('made by ssh-keygen with %s and %s is read and verified by us', (type, hashAlgorithm) => {
    const key = join(folder, `${type}-${hashAlgorithm}`);
    const file = `${key}.message`;
    execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', 'test', '-f', key], { timeout: 45_000 });
    writeFileSync(file, MESSAGE);
    const args = ['-q', '-Y', 'sign', '-O', `hashalg=${hashAlgorithm}`, '-f', key, '-n', 'file', file];
    execFileSync('ssh-keygen', args, { timeout: 45_000, stdio: 'pipe' });
    const text = readFileSync(`${file}.sig`, 'utf8');
    const read = decodeArmor(text);
    expect(read.namespace).toBe('file');
    expect(read.hashAlgorithm).toBe(hashAlgorithm);
    expect(read.spki).toEqual(spkiFromSshLine(readFileSync(`${key}.pub`, 'utf8')));
    const hash = createHash(hashAlgorithm).update(MESSAGE).digest();
    const message = buildSignedData({ namespace: 'file', hashAlgorithm, hash });
    expect(new Verifier(read.spki).verify(message, read.signature)).toBe(true);
    // The same fields give the same file: line width, order and integers are those of OpenSSH.
    expect(encodeArmor(read)).toBe(text);
  });
});
