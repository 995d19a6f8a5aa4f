/** Notation payloads and certificates: what is read, and everything near it that is refused. */
import { createHash, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { der, derOid, DerReader, derTime, derUnsigned, TAG } from '../../src/encoding/asn1.js';
import { describe as describeBytes } from '../../src/formats/describe.js';
import { buildNotationPayload, decodeNotation, encodeNotation } from '../../src/formats/notation.js';
import { formatName, parseName } from '../../src/formats/x509-name.js';
import { sealTbs } from '../../src/formats/x509-tbs.js';
import { codeOf } from '../support/error-code.js';
import { DIGEST_TEXT, tbsBytes } from '../support/signable-bytes.js';

const TARGET = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: DIGEST_TEXT, size: 528 };
const TIME = new Date('2026-01-02T03:04:05Z');

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

const HEADERS = {
  alg: 'ES256',
  crit: ['io.cncf.notary.signingScheme'],
  cty: 'application/vnd.cncf.notary.payload.v1+json',
  'io.cncf.notary.signingScheme': 'notary.x509',
  'io.cncf.notary.signingTime': '2026-01-02T03:04:05Z',
};

function input(headers: object = HEADERS, payload: object = { targetArtifact: TARGET }): Buffer {
  return Buffer.from(`${part(headers)}.${part(payload)}`);
}

describe('a Notation payload', () => {
  it('is what notation itself hands to a plugin: sorted headers, image in the payload', () => {
    expect(buildNotationPayload(TARGET, TIME).equals(input())).toBe(true);
    expect(describeBytes('notation.payload', input())).toEqual({
      kind: 'notation.payload',
      summary: [`Notation signature of ${TARGET.mediaType}`, DIGEST_TEXT],
      facts: { ...TARGET, signingTime: '2026-01-02T03:04:05Z' },
      blind: false,
    });
    const expiring = {
      ...HEADERS,
      crit: [...HEADERS.crit, 'io.cncf.notary.expiry'],
      'io.cncf.notary.expiry': '2027-01-02T03:04:05+01:00',
    };
    expect(describeBytes('notation.payload', input(expiring)).facts['expiry']).toBe(
      '2027-01-02T03:04:05+01:00',
    );
  });

  it.each<[string, Buffer]>([
    ['another algorithm behind the right beginning', Buffer.from(input().toString().replace('.', 'A.'))],
    ['another content type', input({ ...HEADERS, cty: 'application/json' })],
    ['another scheme', input({ ...HEADERS, 'io.cncf.notary.signingScheme': 'notary.x509.signingAuthority' })],
    ['a critical header nobody knows', input({ ...HEADERS, crit: [...HEADERS.crit, 'b64'] })],
    ['no critical scheme', input({ ...HEADERS, crit: [] })],
    ['no signing time', input({ ...HEADERS, 'io.cncf.notary.signingTime': 'yesterday' })],
    ['an expiry that is no time', input({ ...HEADERS, 'io.cncf.notary.expiry': 5 })],
    ['more than a target', input(HEADERS, { targetArtifact: TARGET, other: 1 })],
    ['no target', input(HEADERS, {})],
    ['a target without digest', input(HEADERS, { targetArtifact: { ...TARGET, digest: 'latest' } })],
    ['a target without size', input(HEADERS, { targetArtifact: { ...TARGET, size: -1 } })],
    ['a target without media type', input(HEADERS, { targetArtifact: { ...TARGET, mediaType: '' } })],
    ['three parts', Buffer.concat([input(), Buffer.from('.AA')])],
    ['padding', Buffer.concat([input(), Buffer.from('=')])],
  ])('is refused with %s', (_name, bytes) => {
    expect(codeOf(() => describeBytes('notation.payload', bytes))).toBe('statement.unrecognised');
  });

  it('comes back out of an envelope', () => {
    const chain = [Buffer.from('leaf'), Buffer.from('root')];
    const envelope = encodeNotation(input(), Buffer.alloc(64, 7), chain);
    const read = decodeNotation(envelope);
    expect(read).toMatchObject({
      target: TARGET,
      signingInput: input(),
      signature: Buffer.alloc(64, 7),
      chain,
    });
    const text = envelope.toString('utf8');
    for (const broken of [
      '[]',
      '{}',
      text.replace('x5c', 'x5d'),
      text.replace('"payload":"', '"payload":"!'),
    ])
      expect(codeOf(() => decodeNotation(Buffer.from(broken)))).toBe('verify.format');
  });
});

describe('a certificate to be signed', () => {
  it('is read into facts, and is one that OpenSSL reads the same way', () => {
    const leaf = describeBytes('x509.tbs', tbsBytes('leaf'));
    expect(leaf.facts).toMatchObject({
      profile: 'leaf',
      subject: 'C=DE,ST=Berlin,O=Acme,CN=registry.example/acme/app',
      issuer: 'C=DE,ST=Berlin,O=Acme,CN=Authority',
      notAfter: '2027-01-02T03:04:05Z',
    });
    expect(leaf.signer).toBeUndefined();
    const certificate = new X509Certificate(
      sealTbs(tbsBytes('leaf'), Buffer.from('3006020101020101', 'hex')),
    );
    expect(certificate.subject.split('\n').join(',')).toBe(leaf.facts['subject']);
    expect([certificate.ca, certificate.serialNumber, certificate.keyUsage]).toEqual([
      false,
      '1234',
      ['1.3.6.1.5.5.7.3.3'],
    ]);
    const authority = describeBytes('x509.tbs', tbsBytes('authority'));
    const spki = certificate.publicKey.export({ format: 'der', type: 'spki' });
    expect(authority.signer).toBe(createHash('sha256').update(spki).digest('hex'));
  });

  it('is refused when it is of neither profile', () => {
    const leaf = tbsBytes('leaf');
    const swap = (from: string, to: string): Buffer =>
      Buffer.from(leaf.toString('hex').replace(from, to), 'hex');
    const cases: readonly Buffer[] = [
      // keyUsage with certificate signing; another extended usage; SHA-384; a P-256 point off the curve.
      swap('03020780', '03020204'),
      swap('2b06010505070303', '2b06010505070301'),
      swap('2a8648ce3d040302', '2a8648ce3d040303'),
      swap('4fe342e2', '4fe342e3'),
      // It ends before it begins; bytes follow; an authority below another.
      tbsBytes('leaf', { notAfter: new Date('2025-01-01T00:00:00Z') }),
      Buffer.concat([leaf, Buffer.from([0])]),
      tbsBytes('authority', { subject: { C: 'DE', O: 'Other' } }),
    ];
    expect(cases.every((bytes) => !bytes.equals(leaf))).toBe(true);
    for (const bytes of cases)
      expect(codeOf(() => describeBytes('x509.tbs', bytes))).toBe('statement.unrecognised');
  });
});

describe('names', () => {
  it('are read and written in one order', () => {
    expect(formatName(parseName('O=Acme, C=DE,ST=Berlin'))).toBe('C=DE,ST=Berlin,O=Acme');
    for (const wrong of ['', 'X=1', 'C=de', 'O=', 'O=a,O=b', `O=${'x'.repeat(65)}`, 'O=a<b'])
      expect(codeOf(() => parseName(wrong))).toBe('usage.invalid');
  });
});

describe('DER', () => {
  it('has one form for each value', () => {
    expect(derUnsigned(Buffer.from([0, 0, 0x80])).toString('hex')).toBe('02020080');
    expect(derUnsigned(Buffer.alloc(0)).toString('hex')).toBe('020100');
    expect(derOid('1.2.840.10045.4.3.2').toString('hex')).toBe('06082a8648ce3d040302');
    expect(derTime(new Date('2049-12-31T23:59:59Z')).toString('latin1', 2)).toBe('491231235959Z');
    expect(derTime(new Date('2050-01-01T00:00:00Z')).toString('latin1', 2)).toBe('20500101000000Z');
    expect(der(TAG.octetString, Buffer.alloc(200)).toString('hex', 0, 3)).toBe('0481c8');
  });

  it.each(['0401', '048001', '04810100', '0482000100', '05', '0485000000000100'])('%s is refused', (hex) => {
    const reader = new DerReader(Buffer.from(hex, 'hex'), 'test', 'verify.format');
    expect(codeOf(() => reader.content(TAG.octetString))).toBe('verify.format');
  });
});
