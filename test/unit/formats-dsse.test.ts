import { describe, expect, it } from 'vitest';
import { pae } from '../../src/encoding/dsse-pae.js';
import { decodeEnvelope, describeDsse, encodeEnvelope, parsePae } from '../../src/formats/dsse.js';
import { parseInToto } from '../../src/formats/in-toto.js';
import { inTotoBody } from '../support/signable-bytes.js';
import { thrownBy } from '../support/error-code.js';

describe('pre-authentication encoding', () => {
  it('reads the example of the specification', () => {
    const bytes = Buffer.from('DSSEv1 29 http://example.com/HelloWorld 11 hello world');
    expect(pae('http://example.com/HelloWorld', Buffer.from('hello world'))).toEqual(bytes);
    expect(parsePae(bytes)).toEqual({
      payloadType: 'http://example.com/HelloWorld',
      body: Buffer.from('hello world'),
    });
  });

  it('takes an empty body, and a body with spaces', () => {
    expect(parsePae(Buffer.from('DSSEv1 1 a 0 ')).body).toHaveLength(0);
    expect(parsePae(Buffer.from('DSSEv1 1 a 3    ')).body).toHaveLength(3);
  });

  it.each([
    ['DSSEv2 1 a 0 '],
    ['DSSEv1 01 a 0 '],
    ['DSSEv1 +1 a 0 '],
    ['DSSEv1 1 a 00 '],
    ['DSSEv1 1 a -0 '],
    ['DSSEv1 1 a 1e0 x'],
    ['DSSEv1 1 a 0x1 x'],
    ['DSSEv1  1 a 0 '],
    ['DSSEv1 1  a 0 '],
    ['DSSEv1 1 a  0 '],
    ['DSSEv1 1 a 0'],
    ['DSSEv1 1 a 1 '],
    ['DSSEv1 1 a 0 x'],
    ['DSSEv1 1 a 1 xy'],
    ['DSSEv1 2 a 0 '],
    ['DSSEv1 0  0 '],
    ['DSSEv1 3 a b 0 '],
    ['DSSEv1 2 a\n 0 '],
    ['DSSEv1 2 \u00e9 0 '],
    ['DSSEv1 99999999999 a 0 '],
    ['DSSEv1 1\ta 0 '],
    ['dssev1 1 a 0 '],
    ['DSSEv1 '],
    [''],
    [`DSSEv1 251 ${'a'.repeat(251)} 0 `],
  ])('refuses %j', (text) => {
    expect(thrownBy(() => parsePae(Buffer.from(text))).code).toBe('statement.unrecognised');
  });

  it('shows size and hash of a type it does not know', () => {
    const { kind, facts } = describeDsse(pae('text/plain', Buffer.from('hello')));
    expect(kind).toBe('dsse:text/plain');
    expect(facts).toEqual({
      payloadType: 'text/plain',
      bytes: 5,
      sha256: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
    });
  });
});

describe('in-toto', () => {
  it('shows the predicate type and the first five subjects', () => {
    const subject = Array.from({ length: 7 }, (_, index) => ({
      name: `s${index}`,
      digest: { sha256: 'ab'.repeat(32) },
    }));
    const body = {
      _type: 'https://in-toto.io/Statement/v0.1',
      subject,
      predicateType: 'https://p/v1',
      predicate: {},
    };
    const { facts, summary } = describeDsse(
      pae('application/vnd.in-toto+json', Buffer.from(JSON.stringify(body))),
    );
    expect(facts['predicateType']).toBe('https://p/v1');
    expect(facts['subjectCount']).toBe(7);
    expect(facts['subjects']).toEqual([0, 1, 2, 3, 4].map((index) => `s${index}@sha256:${'ab'.repeat(32)}`));
    expect(summary).toEqual(['attestation https://p/v1', `about s0 sha256:${'ab'.repeat(32)} and 6 more`]);
  });

  it('keeps hostile names printable', () => {
    const subject = [{ name: '\u001b[2J\u202e'.repeat(50), digest: { sha256: 'ab'.repeat(32) } }];
    const body = { _type: 'https://in-toto.io/Statement/v1', subject, predicateType: 'x\u0007'.repeat(200) };
    const { facts, summary } = describeDsse(
      pae('application/vnd.in-toto+json', Buffer.from(JSON.stringify(body))),
    );
    for (const text of [...summary, JSON.stringify(facts)]) expect(text).not.toMatch(/[\p{Cc}\p{Cf}]|\\u00/u);
    for (const line of summary) expect(line.length).toBeLessThanOrEqual(120);
  });

  const valid = JSON.parse(inTotoBody().toString()) as Record<string, unknown>;
  it.each([
    ['no type', { ...valid, _type: undefined }],
    ['another type', { ...valid, _type: 'https://in-toto.io/Statement/v2' }],
    ['no predicate type', { ...valid, predicateType: undefined }],
    ['an empty predicate type', { ...valid, predicateType: '' }],
    ['no subject', { ...valid, subject: undefined }],
    ['an empty subject list', { ...valid, subject: [] }],
    ['a subject as an object', { ...valid, subject: {} }],
    ['a subject without digest', { ...valid, subject: [{ name: 'x' }] }],
    ['an empty digest', { ...valid, subject: [{ name: 'x', digest: {} }] }],
    ['a digest that is not hex', { ...valid, subject: [{ digest: { sha256: 'XYZ' } }] }],
    ['a name that is not text', { ...valid, subject: [{ name: 1, digest: { sha256: 'ab'.repeat(32) } }] }],
    ['a list', []],
    ['text', 'x'],
  ])('refuses %s', (_, body) => {
    expect(thrownBy(() => parseInToto(Buffer.from(JSON.stringify(body)))).code).toBe(
      'statement.unrecognised',
    );
  });

  it('accepts what the refused ones are made from', () => {
    expect(parseInToto(inTotoBody()).predicateType).toBe('https://slsa.dev/provenance/v1');
  });
});

describe('envelope', () => {
  const envelope = {
    payloadType: 'text/plain',
    payload: Buffer.from([0xfb, 0xff, 0xfe, 1]),
    signatures: [{ keyid: 'k', sig: Buffer.from([0xfb, 0xff]) }, { sig: Buffer.from([1]) }],
  };

  it('comes back as it was written', () => {
    expect(decodeEnvelope(encodeEnvelope(envelope))).toEqual(envelope);
  });

  it('takes both alphabets, padded or not, and ignores unknown fields', () => {
    const text = JSON.stringify({
      payloadType: 'text/plain',
      payload: '-__-AQ',
      signatures: [
        { keyid: 'k', sig: '-_8=', extra: 1 },
        { sig: 'AQ==', keyid: '' },
      ],
      other: null,
    });
    expect(decodeEnvelope(text)).toEqual(envelope);
  });

  it.each([
    ['[]'],
    ['{}'],
    ['{"payloadType":"","payload":"","signatures":[{"sig":"AQ=="}]}'],
    ['{"payloadType":"x","payload":"","signatures":[]}'],
    ['{"payloadType":"x","payload":"","signatures":[{}]}'],
    ['{"payloadType":"x","payload":"","signatures":["x"]}'],
    ['{"payloadType":"x","payload":"","signatures":[{"sig":"A?=="}]}'],
    ['{"payloadType":"x","payload":"","signatures":[{"sig":"AQ==","keyid":1}]}'],
    ['{"payloadType":"x","payload":"A","signatures":[{"sig":"AQ=="}]}'],
    ['{"payloadType":"x","payloadType":"y","payload":"","signatures":[{"sig":"AQ=="}]}'],
    ['{"payloadType":"x","payload":1,"signatures":[{"sig":"AQ=="}]}'],
    ['not json'],
  ])('refuses %s', (text) => {
    expect(thrownBy(() => decodeEnvelope(text)).code).toBe('verify.format');
  });
});
