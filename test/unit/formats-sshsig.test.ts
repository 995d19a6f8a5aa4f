import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { sshPublicKeyBlob, sshPublicKeyLine } from '../../src/crypto/public-key.js';
import { SshWriter } from '../../src/encoding/ssh-wire.js';
import { spkiFromSshBlob, spkiFromSshLine } from '../../src/formats/ssh-public-key.js';
import { decodeArmor, encodeArmor } from '../../src/formats/sshsig-armor.js';
import { buildSignedData, parseSignedData } from '../../src/formats/sshsig.js';
import { thrownBy } from '../support/error-code.js';

const HASH = Buffer.alloc(64, 9);

interface SignedDataFields {
  readonly magic?: string;
  readonly namespace?: string;
  readonly reserved?: string;
  readonly hashAlgorithm?: string;
  readonly hash?: Buffer;
  readonly after?: Buffer;
}

function signedData(fields: SignedDataFields): Buffer {
  const {
    magic = 'SSHSIG',
    namespace = 'file',
    reserved = '',
    hashAlgorithm = 'sha512',
    hash = HASH,
  } = fields;
  const writer = new SshWriter()
    .raw(Buffer.from(magic))
    .string(namespace)
    .string(reserved)
    .string(hashAlgorithm);
  return writer
    .string(hash)
    .raw(fields.after ?? Buffer.alloc(0))
    .toBuffer();
}

describe('signed data', () => {
  it('is written as the protocol says', () => {
    const built = buildSignedData({ namespace: 'file', hashAlgorithm: 'sha512', hash: HASH });
    expect(built).toEqual(signedData({}));
    expect(parseSignedData(built)).toEqual({ namespace: 'file', hashAlgorithm: 'sha512', hash: HASH });
  });

  it.each<[string, SignedDataFields]>([
    ['another magic', { magic: 'SSHSIX' }],
    ['an empty namespace', { namespace: '' }],
    ['a namespace with a space', { namespace: 'a b' }],
    ['a namespace with a control character', { namespace: 'a\u0000' }],
    ['a namespace that is not ASCII', { namespace: '\u00e9' }],
    ['a long namespace', { namespace: 'n'.repeat(201) }],
    ['a reserved field', { reserved: 'x' }],
    ['sha1', { hashAlgorithm: 'sha1', hash: Buffer.alloc(20) }],
    ['an upper-case hash name', { hashAlgorithm: 'SHA512' }],
    ['a hash of the wrong length', { hash: Buffer.alloc(32) }],
    ['a hash of 65 bytes', { hash: Buffer.alloc(65) }],
    ['bytes after it', { after: Buffer.from([0]) }],
  ])('refuses %s', (_, fields) => {
    expect(thrownBy(() => parseSignedData(signedData(fields))).code).toBe('statement.unrecognised');
  });

  it('refuses every truncation', () => {
    const whole = signedData({});
    for (let length = 0; length < whole.length; length += 1) {
      expect(thrownBy(() => parseSignedData(whole.subarray(0, length))).code).toBe('statement.unrecognised');
    }
  });

  it('refuses the stored form, which begins with the same six bytes', () => {
    const stored = new SshWriter().raw(Buffer.from('SSHSIG')).u32(1).string('key').string('file').string('');
    expect(thrownBy(() => parseSignedData(stored.string('sha512').string('sig').toBuffer())).code).toBe(
      'statement.unrecognised',
    );
  });

  it.each([
    ['namespace', { namespace: '', hashAlgorithm: 'sha512', hash: HASH } as const],
    ['hash', { namespace: 'file', hashAlgorithm: 'sha256', hash: HASH } as const],
  ])('does not write an invalid %s', (field, data) => {
    const error = thrownBy(() => buildSignedData(data));
    expect(error.code).toBe('usage.invalid');
    expect(error.message).toContain(field);
  });
});

const P256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({
  type: 'spki',
  format: 'der',
});
const ED25519 = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'der' });

describe('public keys', () => {
  it.each([
    ['P-256', P256],
    ['Ed25519', ED25519],
  ])('%s: blob and line come back as the same key', (_, spki) => {
    expect(spkiFromSshBlob(sshPublicKeyBlob(spki))).toEqual(spki);
    const line = sshPublicKeyLine(spki, 'a comment');
    expect(spkiFromSshLine(`${line}\n`)).toEqual(spki);
    expect(spkiFromSshLine(`me@example.org namespaces="file" ${line}`)).toEqual(spki);
  });

  it.each([
    ['an RSA key', new SshWriter().string('ssh-rsa').string('x').toBuffer()],
    [
      'another curve',
      new SshWriter().string('ecdsa-sha2-nistp256').string('nistp384').string(Buffer.alloc(65, 4)).toBuffer(),
    ],
    [
      'a point off the curve',
      new SshWriter().string('ecdsa-sha2-nistp256').string('nistp256').string(Buffer.alloc(65, 4)).toBuffer(),
    ],
    ['a short key', new SshWriter().string('ssh-ed25519').string(Buffer.alloc(31)).toBuffer()],
    ['bytes after it', Buffer.concat([sshPublicKeyBlob(ED25519), Buffer.alloc(1)])],
    ['nothing', Buffer.alloc(0)],
  ])('refuses %s', (_, blob) => {
    expect(thrownBy(() => spkiFromSshBlob(blob)).code).toBe('verify.format');
  });

  it('refuses lines without a key', () => {
    for (const line of ['', 'ssh-rsa AAAA', 'ssh-ed25519', 'ssh-ed25519 ???']) {
      expect(thrownBy(() => spkiFromSshLine(line)).code).toBe('verify.format');
    }
  });
});

describe('armor', () => {
  const fields = {
    spki: ED25519,
    namespace: 'file',
    hashAlgorithm: 'sha512',
    signature: Buffer.alloc(64, 0x81),
  } as const;

  it.each([
    ['P-256', { ...fields, spki: P256 }],
    [
      'P-256 with small numbers',
      {
        ...fields,
        spki: P256,
        signature: Buffer.concat([Buffer.alloc(31), Buffer.from([1]), Buffer.alloc(32, 3)]),
      },
    ],
    ['Ed25519', fields],
  ])('%s comes back as it was written, in lines of at most 70', (_, signature) => {
    const text = encodeArmor(signature);
    expect(decodeArmor(text)).toEqual(signature);
    expect(decodeArmor(text.replaceAll('\n', '\r\n'))).toEqual(signature);
    const lines = text.split('\n');
    expect(lines[0]).toBe('-----BEGIN SSH SIGNATURE-----');
    expect(lines[1]).toHaveLength(70);
    expect(Math.max(...lines.map((line) => line.length))).toBe(70);
    expect(text.endsWith('-----END SSH SIGNATURE-----\n')).toBe(true);
  });

  function stored(change: (writer: SshWriter) => SshWriter): string {
    const blob = change(new SshWriter().raw(Buffer.from('SSHSIG'))).toBuffer();
    return `-----BEGIN SSH SIGNATURE-----\n${blob.toString('base64')}\n-----END SSH SIGNATURE-----\n`;
  }
  const key = sshPublicKeyBlob(ED25519);
  const blob = new SshWriter().string('ssh-ed25519').string(Buffer.alloc(64)).toBuffer();
  const other = new SshWriter().string('ecdsa-sha2-nistp256').string(Buffer.alloc(64)).toBuffer();
  const short = new SshWriter().string('ssh-ed25519').string(Buffer.alloc(63)).toBuffer();

  it('accepts what the refused ones are made from', () => {
    const text = stored((w) => w.u32(1).string(key).string('file').string('').string('sha256').string(blob));
    expect(decodeArmor(text).namespace).toBe('file');
  });

  it.each([
    [
      'version 2',
      stored((w) => w.u32(2).string(key).string('file').string('').string('sha256').string(blob)),
    ],
    ['no namespace', stored((w) => w.u32(1).string(key).string('').string('').string('sha256').string(blob))],
    [
      'a reserved field',
      stored((w) => w.u32(1).string(key).string('file').string('x').string('sha256').string(blob)),
    ],
    ['sha1', stored((w) => w.u32(1).string(key).string('file').string('').string('sha1').string(blob))],
    [
      'another algorithm',
      stored((w) => w.u32(1).string(key).string('file').string('').string('sha256').string(other)),
    ],
    [
      'a short signature',
      stored((w) => w.u32(1).string(key).string('file').string('').string('sha256').string(short)),
    ],
    [
      'bytes after it',
      stored((w) => w.u32(1).string(key).string('file').string('').string('sha256').string(blob).u8(0)),
    ],
    ['no armor', 'AAAA'],
    ['no end', '-----BEGIN SSH SIGNATURE-----\nAAAA\n'],
    ['no base64', '-----BEGIN SSH SIGNATURE-----\n?\n-----END SSH SIGNATURE-----'],
    ['another magic', '-----BEGIN SSH SIGNATURE-----\nAAAAAAAA\n-----END SSH SIGNATURE-----'],
  ])('refuses %s', (_, text) => {
    expect(thrownBy(() => decodeArmor(text)).code).toBe('verify.format');
  });

  it('does not write a signature of the wrong length', () => {
    expect(thrownBy(() => encodeArmor({ ...fields, signature: Buffer.alloc(63) })).code).toBe(
      'usage.invalid',
    );
  });
});
