/** Whether a vendor vouches for a key on a card: certificates of the suite's own vendor, with the layout of the real ones. */
import { generateKeyPairSync, type KeyObject, sign, X509Certificate } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { contextTag, der, derOid, derTime, derUnsigned, TAG } from '../../src/encoding/asn1.js';
import { encodePem } from '../../src/encoding/pem.js';
import { checkAttestation, parseRoots, rootOf } from '../../src/formats/attestation-chain.js';
import { AttestationAuthority, attest } from '../support/virtual-yubikey/attestation-authority.js';
import { ALGORITHM, generateKey, type CardKey } from '../support/virtual-yubikey/card-key.js';
import { Firmware } from '../support/virtual-yubikey/firmware.js';

const SERIAL = 14_700_001;
const ECDSA_SHA256 = der(TAG.sequence, derOid('1.2.840.10045.4.3.2'));

const vendor = new AttestationAuthority();
let key: CardKey;
let device: Buffer;
let word: Buffer;

function spkiOf(cardKey: CardKey): Buffer {
  return cardKey.publicKey.export({ type: 'spki', format: 'der' });
}

function expected(change: Partial<{ spki: Buffer; serial: string; slot: string }> = {}): {
  spki: Buffer;
  serial: string;
  slot: string;
} {
  return { spki: spkiOf(key), serial: String(SERIAL), slot: '9c', ...change };
}

beforeEach(() => {
  key = generateKey(ALGORITHM.p256);
});

describe.each([
  ['RSA-2048', ALGORITHM.rsa2048, '5.4.3'],
  ['P-384', ALGORITHM.p384, '5.7.1'],
] as const)('a card that attests with %s', (_name, algorithm, version) => {
  beforeEach(() => {
    const attester = vendor.device(algorithm);
    device = attester.certificate;
    word = attest(attester.key, {
      slot: 0x9c,
      publicKey: key.publicKey,
      policies: { pin: 'once', touch: 'always' },
      firmware: new Firmware(version),
      serial: SERIAL,
    });
  });

  it('is vouched for by its vendor, and says what its key is', () => {
    const root = rootOf(device, parseRoots(vendor.pem, 'roots'));
    expect(root).toEqual({ sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string, vendor: 'configured' });
    const { policies, serial, firmware, slot } = checkAttestation({ key: word, device }, expected());
    expect({ policies, serial, firmware, slot }).toEqual({
      policies: { pin: 'once', touch: 'always' },
      serial: String(SERIAL),
      firmware: version,
      slot: '9c',
    });
  });

  it('is not vouched for by another vendor of the same name', () => {
    const other = new AttestationAuthority();
    expect(() => rootOf(device, parseRoots(other.pem, 'roots'))).toThrow('no root that is trusted');
  });

  it('vouches for this key, this card and this slot alone', () => {
    const pair = { key: word, device };
    const another = spkiOf(generateKey(ALGORITHM.p256));
    expect(() => checkAttestation(pair, expected({ spki: another }))).toThrow('another key');
    expect(() => checkAttestation(pair, expected({ serial: '7' }))).toThrow('card 14700001, not 7');
    expect(() => checkAttestation(pair, expected({ slot: '82' }))).toThrow('another slot');
  });

  it('is not believed when a bit of its word is another, or another key signed it', () => {
    const last = word.length - 1;
    const bent = Buffer.from(word);
    bent[last] = (bent[last] ?? 0) ^ 1;
    expect(() => checkAttestation({ key: bent, device }, expected())).toThrow('not by the key that attests');
    const other = new AttestationAuthority().device(algorithm).certificate;
    expect(() => checkAttestation({ key: word, device: other }, expected())).toThrow(
      expect.objectContaining({ code: 'token.attestation' }),
    );
  });
});

describe('certificates in between', () => {
  const root = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const middle = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const card = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const rootCertificate = certify('root', 'root', root.publicKey, root.privateKey, true);
  const cardCertificate = certify('middle', 'card', card.publicKey, middle.privateKey, true);

  it('lead to the root when they are there, whatever their order', () => {
    const between = certify('root', 'middle', middle.publicKey, root.privateKey, true);
    const pem = [between, rootCertificate].map((each) => encodePem('CERTIFICATE', each)).join('');
    expect(rootOf(cardCertificate, parseRoots(pem, 'roots')).vendor).toBe('configured');
    const without = encodePem('CERTIFICATE', rootCertificate);
    expect(() => rootOf(cardCertificate, parseRoots(without, 'roots'))).toThrow('no root that is trusted');
  });

  it('have to be authorities', () => {
    const between = certify('root', 'middle', middle.publicKey, root.privateKey, false);
    const known = [between, rootCertificate].map((each) => new X509Certificate(each));
    expect(() => rootOf(cardCertificate, known)).toThrow('no root that is trusted');
  });

  it('are no roots themselves', () => {
    const between = certify('root', 'middle', middle.publicKey, root.privateKey, true);
    expect(() => rootOf(cardCertificate, [new X509Certificate(between)])).toThrow('no root that is trusted');
  });
});

describe('a file of roots', () => {
  it('has to hold certificates', () => {
    expect(() => parseRoots('nothing\n', 'roots.pem')).toThrow('roots.pem: there is no certificate in it');
    const broken = encodePem('CERTIFICATE', Buffer.from('3003020101', 'hex'));
    expect(() => parseRoots(broken, 'roots.pem')).toThrow('a certificate in it is not valid');
  });

  it('may say in words what is in it', () => {
    expect(parseRoots(`# the vendor\n${vendor.pem}and no more\n`, 'roots.pem')).toHaveLength(1);
  });
});

function certify(issuer: string, subject: string, spki: KeyObject, signer: KeyObject, isCa: boolean): Buffer {
  const name = (text: string): Buffer =>
    der(
      TAG.sequence,
      der(TAG.set, der(TAG.sequence, derOid('2.5.4.3'), der(TAG.utf8String, Buffer.from(text)))),
    );
  const constraint = isCa ? [der(TAG.boolean, Buffer.from([0xff]))] : [];
  const basic = der(
    TAG.sequence,
    derOid('2.5.29.19'),
    der(TAG.octetString, der(TAG.sequence, ...constraint)),
  );
  const body = der(
    TAG.sequence,
    der(contextTag(0), derUnsigned(Buffer.from([2]))),
    derUnsigned(Buffer.from([1])),
    ECDSA_SHA256,
    name(issuer),
    der(TAG.sequence, derTime(new Date('2020-01-01T00:00:00Z')), derTime(new Date('2049-01-01T00:00:00Z'))),
    name(subject),
    spki.export({ type: 'spki', format: 'der' }),
    der(contextTag(3), der(TAG.sequence, basic)),
  );
  return der(
    TAG.sequence,
    body,
    ECDSA_SHA256,
    der(TAG.bitString, Buffer.from([0]), sign('sha256', body, signer)),
  );
}
