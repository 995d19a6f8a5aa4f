/** HPKE against the vector of RFC 9180 and, both ways, against an independent implementation. */
import type { webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Chacha20Poly1305 } from '@hpke/chacha20poly1305';
import { CipherSuite, HkdfSha256 } from '@hpke/core';
import { DhkemX25519HkdfSha256 } from '@hpke/dhkem-x25519';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HpkeRecipient, seal } from '../../src/crypto/hpke.js';
import { codeOf } from '../support/error-code.js';

type Vector = Readonly<
  Record<'info' | 'recipientPrivate' | 'recipientPublic' | 'enc' | 'aad' | 'plaintext' | 'ciphertext', string>
>;

const vector = JSON.parse(readFileSync(new URL('../vectors/hpke.json', import.meta.url), 'utf8')) as Vector;
const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const oracle = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Chacha20Poly1305(),
});

/** Bytes in an ArrayBuffer of their own, as WebCrypto-style interfaces ask. */
function own(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

const info = Buffer.from('touchstone unlock, serial 0123, attempt 45');
const pin = Buffer.from('123456');

it('opens the vector of RFC 9180 A.2.1', () => {
  using recipient = HpkeRecipient.fromPrivateKey(hex(vector.recipientPrivate));
  expect(recipient.publicKey.toString('hex')).toBe(vector.recipientPublic);
  const sealed = { enc: hex(vector.enc), ciphertext: hex(vector.ciphertext) };
  expect(recipient.open(sealed, hex(vector.info), hex(vector.aad)).toString('hex')).toBe(vector.plaintext);
});

it('opens what it seals, whatever the bytes', () => {
  using recipient = HpkeRecipient.generate();
  const bytes = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(bytes, bytes, bytes, (plaintext, context, aad) => {
      const sealed = seal(recipient.publicKey, plaintext, context, aad);
      expect(sealed.enc.length).toBe(32);
      expect(sealed.ciphertext.length).toBe(plaintext.length + 16);
      expect(recipient.open(sealed, context, aad).equals(plaintext)).toBe(true);
    }),
    { numRuns: 50 },
  );
});

it('seals what the independent implementation opens', async () => {
  const keys = (await oracle.kem.generateKeyPair()) as webcrypto.CryptoKeyPair;
  const publicKey = Buffer.from(await oracle.kem.serializePublicKey(keys.publicKey));
  const sealed = seal(publicKey, pin, info);
  const context = { recipientKey: keys.privateKey, enc: own(sealed.enc), info: own(info) };
  expect(Buffer.from(await oracle.open(context, own(sealed.ciphertext))).equals(pin)).toBe(true);
});

it('opens what the independent implementation seals', async () => {
  using recipient = HpkeRecipient.generate();
  const recipientPublicKey = (await oracle.kem.deserializePublicKey(
    own(recipient.publicKey),
  )) as webcrypto.CryptoKey;
  const sealed = await oracle.seal(
    { recipientPublicKey, info: own(info) },
    own(pin),
    own(Buffer.from('aad')),
  );
  const opened = recipient.open(
    { enc: Buffer.from(sealed.enc), ciphertext: Buffer.from(sealed.ct) },
    info,
    Buffer.from('aad'),
  );
  expect(opened.equals(pin)).toBe(true);
});

describe('refuses', () => {
  it('any changed bit of ciphertext or encapsulated key', () => {
    using recipient = HpkeRecipient.generate();
    const sealed = seal(recipient.publicKey, pin, info);
    for (let bit = 0; bit < sealed.ciphertext.length * 8; bit += 1) {
      const changed = { ...sealed, ciphertext: flip(sealed.ciphertext, bit) };
      expect(codeOf(() => recipient.open(changed, info))).toBe('usage.invalid');
    }
    // X25519 ignores the top bit, so the last round gives the same shared point: the key schedule has to notice.
    for (let bit = 0; bit < 256; bit += 1) {
      const changed = { ...sealed, enc: flip(sealed.enc, bit) };
      expect(codeOf(() => recipient.open(changed, info))).toBe('usage.invalid');
    }
  });

  it('another info, another additional data, another recipient', () => {
    using mine = HpkeRecipient.generate();
    using other = HpkeRecipient.generate();
    const message = seal(mine.publicKey, pin, info);
    expect(mine.open(message, info).equals(pin)).toBe(true);
    expect(codeOf(() => mine.open(message, Buffer.from('other')))).toBe('usage.invalid');
    expect(codeOf(() => mine.open(message, info, Buffer.from('x')))).toBe('usage.invalid');
    expect(codeOf(() => other.open(message, info))).toBe('usage.invalid');
  });

  it('lengths that cannot be', () => {
    using mine = HpkeRecipient.generate();
    const message = seal(mine.publicKey, pin, info);
    expect(codeOf(() => mine.open({ ...message, enc: message.enc.subarray(1) }, info))).toBe('usage.invalid');
    expect(codeOf(() => mine.open({ ...message, ciphertext: Buffer.alloc(15) }, info))).toBe('usage.invalid');
    expect(codeOf(() => seal(Buffer.alloc(31), pin, info))).toBe('usage.invalid');
  });

  it('a public key of low order', () => {
    expect(codeOf(() => seal(Buffer.alloc(32), pin, info))).toBe('usage.invalid');
    using mine = HpkeRecipient.generate();
    const message = seal(mine.publicKey, pin, info);
    expect(codeOf(() => mine.open({ ...message, enc: Buffer.alloc(32) }, info))).toBe('usage.invalid');
  });

  it('anything once it is disposed', () => {
    const mine = HpkeRecipient.generate();
    const message = seal(mine.publicKey, pin, info);
    mine[Symbol.dispose]();
    expect(codeOf(() => mine.open(message, info))).toBe('usage.invalid');
  });
});

function flip(bytes: Buffer, bit: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return changed;
}
