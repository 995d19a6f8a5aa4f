/** The applet of the virtual YubiKey, APDU by APDU: keys, their policies, metadata and attestation. */
import { createECDH, createHash, createPublicKey, verify, X509Certificate } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { INS } from '../support/virtual-yubikey/apdu.js';
import type { Outcome } from '../support/virtual-yubikey/applet.js';
import {
  attestationAuthority,
  AttestationAuthority,
} from '../support/virtual-yubikey/attestation-authority.js';
import {
  answerOf,
  BareApplet,
  bodyOf,
  policies,
  reference,
  signing,
  wordOf,
} from '../support/virtual-yubikey/bare-applet.js';
import { contentOf, parseTlvMap, tlv } from '../support/virtual-yubikey/tlv.js';

const WRONG = reference('999999');
const P256 = 0x11;
const P384 = 0x14;
const RSA = 0x07;
/** RFC 6979, A.2.5: key and public key on P-256. */
const SCALAR = 'c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721';
const POINT =
  '0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299';
const DIGEST = createHash('sha256').update('message').digest();

let card: BareApplet;

beforeEach(() => {
  card = new BareApplet();
});

describe('keys', () => {
  it.each([
    [0x9a, P256, 'sha256'],
    [0x9c, P384, 'sha384'],
    [0x82, P256, 'sha256'],
    [0x95, P384, 'sha256'],
  ] as const)('slot %i, algorithm %i: signs a digest that OpenSSL verifies', (slot, algorithm, hash) => {
    card.prove();
    const point = parseTlvMap(contentOf(bodyOf(card.generate(slot, algorithm)), 0x7f49)).get(0x86);
    card.verifyPin();
    const digest = createHash(hash).update('message').digest();
    const response = bodyOf(card.send(INS.authenticate, algorithm, slot, signing(digest)));
    const signature = contentOf(contentOf(response, 0x7c), 0x82);
    const { key } = card.applet.state.storedKey(slot);
    expect(key.publicPoint).toEqual(tlv(0x86, point ?? Buffer.alloc(0)));
    expect(verify(hash, Buffer.from('message'), key.publicKey, signature)).toBe(true);
  });

  it('RSA-2048: works on a padded block, with chaining and GET RESPONSE', () => {
    card.prove();
    const parts = parseTlvMap(contentOf(bodyOf(card.generate(0x9a, RSA)), 0x7f49));
    const jwk = { kty: 'RSA', n: parts.get(0x81)?.toString('base64url') ?? '', e: 'AQAB' };
    const publicKey = createPublicKey({ key: jwk, format: 'jwk' });
    card.verifyPin();
    const info = Buffer.from('3031300d060960864801650304020105000420', 'hex');
    const tail = Buffer.concat([Buffer.from([0]), info, DIGEST]);
    const block = Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(256 - 2 - tail.length, 0xff), tail]);
    const response = bodyOf(card.send(INS.authenticate, RSA, 0x9a, signing(block)));
    const signature = contentOf(contentOf(response, 0x7c), 0x82);
    expect(verify('sha256', Buffer.from('message'), publicKey, signature)).toBe(true);
  });

  it('imports a scalar and agrees on the same secret as OpenSSL', () => {
    card.prove();
    expect(wordOf(card.send(INS.importKey, P256, 0x82, tlv(0x06, Buffer.from(SCALAR, 'hex'))))).toBe('9000');
    const metadata = parseTlvMap(bodyOf(card.send(INS.getMetadata, 0, 0x82)));
    expect(metadata.get(0x04)?.toString('hex')).toBe(`8641${POINT}`);
    card.verifyPin();
    const peer = createECDH('prime256v1');
    const data = tlv(0x7c, tlv(0x82), tlv(0x85, peer.generateKeys()));
    const secret = contentOf(contentOf(bodyOf(card.send(INS.authenticate, P256, 0x82, data)), 0x7c), 0x82);
    expect(secret).toEqual(peer.computeSecret(Buffer.from(POINT, 'hex')));
  });

  it('refuses points off the curve, digests that are too long, other algorithms and empty slots', () => {
    card.prove();
    card.generate(0x9a, P256);
    card.verifyPin();
    const off = Buffer.from(POINT, 'hex').fill(1, 64);
    const use = (algorithm: number, slot: number, data: Buffer): string =>
      wordOf(card.send(INS.authenticate, algorithm, slot, data));
    expect(use(P256, 0x9a, tlv(0x7c, tlv(0x82), tlv(0x85, off)))).toBe('6a80');
    expect(use(P256, 0x9a, tlv(0x7c, tlv(0x82), tlv(0x85, off.subarray(0, 64))))).toBe('6a80');
    expect(use(P256, 0x9a, signing(Buffer.alloc(33, 1)))).toBe('6a80');
    expect(use(P384, 0x9a, signing(DIGEST))).toBe('6a80');
    expect(use(P256, 0x9d, signing(DIGEST))).toBe('6a88');
    expect(use(P256, 0x96, signing(DIGEST))).toBe('6b00');
    expect(wordOf(card.generate(0x9b, P256))).toBe('6b00');
    expect(wordOf(card.generate(0x9a, 0x22))).toBe('6a80');
  });

  it('keeps to PIN policies: never, once, and each time right before', () => {
    card.prove();
    const use = (slot: number): string => wordOf(card.send(INS.authenticate, P256, slot, signing(DIGEST)));
    card.generate(0x9e, P256);
    card.generate(0x9a, P256);
    card.generate(0x9c, P256);
    expect([use(0x9e), use(0x9a), use(0x9c)]).toEqual(['9000', '6982', '6982']);
    card.verifyPin();
    expect([use(0x9c), use(0x9c), use(0x9a), use(0x9a)]).toEqual(['9000', '6982', '9000', '9000']);
    card.verifyPin();
    card.send(INS.getVersion, 0, 0);
    expect(use(0x9c)).toBe('6982');
    card.generate(0x9c, P256, policies(2, 1));
    expect([use(0x9c), use(0x9c)]).toEqual(['9000', '9000']);
  });

  it('wants a touch each time, or once in 15 seconds', () => {
    card.prove();
    card.generate(0x9a, P256, policies(1, 2));
    card.generate(0x9d, P256, policies(1, 3));
    const ask = (slot: number): Outcome => card.outcome(INS.authenticate, P256, slot, signing(DIGEST));
    const first = ask(0x9d);
    expect(first.kind).toBe('touch');
    if (first.kind === 'touch') expect(wordOf(first.missed())).toBe('6982');
    const second = ask(0x9d);
    if (second.kind === 'touch') expect(wordOf(second.touched())).toBe('9000');
    card.clock += 14_999;
    expect([ask(0x9d).kind, ask(0x9a).kind]).toEqual(['answer', 'touch']);
    card.clock += 1;
    expect(ask(0x9d).kind).toBe('touch');
  });

  it('asks for no touch before it knows that the PIN is right', () => {
    card.prove();
    card.generate(0x9c, P256, policies(3, 2));
    expect(wordOf(answerOf(card.outcome(INS.authenticate, P256, 0x9c, signing(DIGEST))))).toBe('6982');
  });
});

describe('metadata', () => {
  it('tells policies, origin and counters', () => {
    card.prove();
    card.generate(0x9c, P256, policies(3, 2));
    card.verifyPin(WRONG);
    const slot = parseTlvMap(bodyOf(card.send(INS.getMetadata, 0, 0x9c)));
    expect([0x01, 0x02, 0x03].map((tag) => slot.get(tag)?.toString('hex'))).toEqual(['11', '0302', '01']);
    expect(bodyOf(card.send(INS.getMetadata, 0, 0x80)).toString('hex')).toBe('0101ff05010106020302');
    expect(bodyOf(card.send(INS.getMetadata, 0, 0x81)).toString('hex')).toBe('0101ff05010106020303');
    expect(bodyOf(card.send(INS.getMetadata, 0, 0x9b)).toString('hex')).toBe('01010302020001050101');
    expect(wordOf(card.send(INS.getMetadata, 0, 0x9a))).toBe('6a88');
  });

  it.each(['4.3.5', '5.2.7'] as const)('is unknown to firmware %s', (firmware) => {
    card = new BareApplet(firmware);
    expect(wordOf(card.send(INS.getMetadata, 0, 0x80))).toBe('6d00');
  });
});

describe('attestation', () => {
  function extensionOf(certificate: X509Certificate, last: number): string {
    const oid = Buffer.from(`060a2b0601040182c40a03${last.toString(16).padStart(2, '0')}`, 'hex');
    const at = certificate.raw.indexOf(oid) + oid.length;
    return certificate.raw.subarray(at + 2, at + 2 + (certificate.raw[at + 1] ?? 0)).toString('hex');
  }

  it.each(['4.3.5', '5.4.3', '5.7.1'] as const)(
    'firmware %s: chains from the slot to the vendor',
    (firmware) => {
      card = new BareApplet(firmware);
      card.prove();
      card.generate(0x82, P256, policies(2, 3));
      const slot = new X509Certificate(bodyOf(card.send(INS.attest, 0x82, 0)));
      const stored = contentOf(
        bodyOf(card.send(INS.getData, 0x3f, 0xff, tlv(0x5c, Buffer.from('5fff01', 'hex')))),
        0x53,
      );
      const device = new X509Certificate(contentOf(stored, 0x70));
      const root = new X509Certificate(attestationAuthority().pem);
      expect([
        slot.verify(device.publicKey),
        device.verify(root.publicKey),
        root.verify(root.publicKey),
      ]).toEqual([true, true, true]);
      expect([device.ca, slot.ca, device.checkIssued(root), slot.checkIssued(device)]).toEqual([
        true,
        false,
        true,
        true,
      ]);
      expect(slot.publicKey.equals(card.applet.state.storedKey(0x82).key.publicKey)).toBe(true);
      expect(extensionOf(slot, 3)).toBe(Buffer.from(firmware.split('.').map(Number)).toString('hex'));
      expect([7, 8, 9].map((last) => extensionOf(slot, last))).toEqual(['020401020304', '0203', '01']);
    },
  );

  it('is for keys made on the card only', () => {
    card.prove();
    card.send(INS.importKey, P256, 0x82, tlv(0x06, Buffer.from(SCALAR, 'hex')));
    expect(wordOf(card.send(INS.attest, 0x82, 0))).toBe('6a80');
    expect(wordOf(card.send(INS.attest, 0x83, 0))).toBe('6a88');
  });

  it('of another vendor does not chain to this one', () => {
    const other = new AttestationAuthority();
    const device = new X509Certificate(other.device(P256).certificate);
    expect(device.verify(new X509Certificate(attestationAuthority().certificate).publicKey)).toBe(false);
  });
});
