/** TUF metadata: written as every client reads it, read as others write it, and counted so that nobody counts twice. */
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseCanonicalJson } from '../../src/encoding/canonical-json.js';
import { describe as describeBytes, kindOf } from '../../src/formats/describe.js';
import type { TufDocument, TufTargets } from '../../src/formats/tuf/document.js';
import { isExpired, tufTime } from '../../src/formats/tuf/expiry.js';
import { spkiOf, tufKeyIdOf, tufKeyOf, type TufKey } from '../../src/formats/tuf/key.js';
import { readSigned, readTuf, readTufRoot, readTufTargets } from '../../src/formats/tuf/reader.js';
import { walkRoots } from '../../src/formats/tuf/root-chain.js';
import { countSignatures, isTufSignature, tufSignature } from '../../src/formats/tuf/verify.js';
import { envelopeBytes, signedBytes } from '../../src/formats/tuf/writer.js';
import { codeOf, thrownBy } from '../support/error-code.js';
import { rootOf, signedBy, TufSigner, type TufTestAlgorithm } from '../support/tuf-signer.js';

const [alice, bob, carol, dave] = [TufSigner.make(), TufSigner.make(), TufSigner.make(), TufSigner.make()];
const online = TufSigner.make('ed25519');
const TARGET = { length: 5, hashes: { sha256: 'ab'.repeat(32) } };
const TARGETS: TufTargets = {
  type: 'targets',
  specVersion: '1.0.31',
  version: 3,
  expires: '2031-01-02T03:04:05Z',
  raw: {},
  targets: new Map([['a/b.txt', TARGET]]),
  delegations: {
    keys: new Map([[bob.id, bob.key]]),
    roles: [{ name: 'team', keyids: [bob.id], threshold: 1, terminating: true, paths: ['team/*'] }],
  },
};
const ROOT = rootOf({ root: [alice, bob, carol], threshold: 2, online });

function fileOf(signed: object, signatures: readonly object[] = []): Buffer {
  return Buffer.from(JSON.stringify({ signed, signatures }));
}

function json(document: TufDocument): Record<string, unknown> {
  return parseCanonicalJson(signedBytes(document), 'test', 'tuf.document') as Record<string, unknown>;
}

function withoutDelegations(): TufTargets {
  const { delegations: _, ...bare } = TARGETS;
  return bare;
}

describe('keys', () => {
  it.each<[TufTestAlgorithm, string, string]>([
    ['p256', 'ecdsa', 'ecdsa-sha2-nistp256'],
    ['ed25519', 'ed25519', 'ed25519'],
    ['rsa', 'rsa', 'rsassa-pss-sha256'],
  ])('%s is written as %s and read back', (algorithm, keytype, scheme) => {
    const { key, spki } = TufSigner.make(algorithm);
    expect([key.keytype, key.scheme]).toEqual([keytype, scheme]);
    expect(spkiOf(key).equals(spki)).toBe(true);
  });

  it('are not made of P-384', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    expect(codeOf(() => tufKeyOf(publicKey.export({ format: 'der', type: 'spki' })))).toBe('tuf.key');
  });

  it('of one public key are one, however they are written', () => {
    const jwk = createPublicKey({ key: alice.spki, format: 'der', type: 'spki' }).export({ format: 'jwk' });
    const x = Buffer.from(jwk.x ?? '', 'base64url');
    const y = Buffer.from(jwk.y ?? '', 'base64url');
    const compressed = Buffer.concat([
      Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex'),
      Buffer.of(2 + ((y.at(-1) ?? 0) & 1)),
      x,
    ]);
    const pem = `-----BEGIN PUBLIC KEY-----\n${compressed.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END PUBLIC KEY-----`;
    const point = Buffer.concat([Buffer.of(4), x, y]).toString('hex');
    for (const held of [pem, point, alice.key.keyval.public.trimEnd()]) {
      for (const keytype of ['ecdsa', 'ecdsa-sha2-nistp256']) {
        expect(spkiOf({ ...alice.key, keytype, keyval: { public: held } }).equals(alice.spki)).toBe(true);
      }
    }
  });

  it('have an id over the whole object', () => {
    const named = { ...alice.key, 'x-owner': '@alice' };
    expect(tufKeyIdOf(alice.key)).toMatch(/^[0-9a-f]{64}$/);
    expect(tufKeyIdOf(named)).not.toBe(alice.id);
    const { keytype, scheme, keyval } = alice.key;
    expect(tufKeyIdOf({ scheme, keyval, keytype })).toBe(alice.id);
  });

  it.each<[string, Partial<TufKey>]>([
    ['an unknown type', { keytype: 'ml-dsa' }],
    ['an unknown scheme', { scheme: 'constructor' }],
    ['a type that does not fit the scheme', { keytype: 'rsa' }],
    ['another curve', { scheme: 'ecdsa-sha2-nistp384' }],
    [
      'a private key',
      { keyval: { public: '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n' } },
    ],
    ['nothing', { keyval: { public: '' } }],
    ['a point off the curve', { keyval: { public: `04${'11'.repeat(64)}` } }],
  ])('of %s verify nothing', (_, change) => {
    const key = { ...alice.key, ...change };
    expect(codeOf(() => spkiOf(key))).toBe('tuf.key');
    expect(isTufSignature(key, alice.sign(Buffer.from('x')), Buffer.from('x'))).toBe(false);
  });

  it('of RSA have 2048 bits', () => {
    const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
    const key = {
      keytype: 'rsa',
      scheme: 'rsassa-pss-sha256',
      keyval: { public: short.export({ format: 'pem', type: 'spki' }).toString() },
    };
    expect(codeOf(() => spkiOf(key))).toBe('tuf.key');
  });
});

describe('documents', () => {
  const documents: readonly TufDocument[] = [
    ROOT,
    TARGETS,
    withoutDelegations(),
    {
      ...TARGETS,
      delegations: {
        keys: new Map([[bob.id, bob.key]]),
        succinctRoles: { keyids: [bob.id], threshold: 1, bitLength: 4, namePrefix: 'bin' },
      },
    },
    {
      type: 'snapshot',
      specVersion: '1.0.31',
      version: 1,
      expires: '2031-01-02T03:04:05Z',
      raw: {},
      meta: new Map([['targets.json', { version: 3, length: 9, hashes: { sha256: 'ab'.repeat(32) } }]]),
    },
    {
      type: 'timestamp',
      specVersion: '1.0.31',
      version: 1,
      expires: '2031-01-02T03:04:05Z',
      raw: {},
      meta: new Map([['snapshot.json', { version: 1 }]]),
    },
  ];

  it.each(documents)('of type $type are read as they were written', (document) => {
    const file = envelopeBytes(document, [alice.signature(document)]);
    const { signed, signatures, raw } = readTuf(file);
    expect(signed).toMatchObject({ ...document, raw: {} });
    expect(envelopeBytes(signed, signatures, raw).equals(file)).toBe(true);
    expect(signedBytes(readSigned(signedBytes(document))).equals(signedBytes(document))).toBe(true);
    expect(file.at(-1)).toBe(0x0a);
  });

  it('keep what others added, through a change', () => {
    const body = json(TARGETS);
    const targets = { 'a/b.txt': { ...TARGET, 'x-note': [1, null], custom: null } };
    const file = fileOf({ ...body, targets, 'x-top': { a: 'b' } }, [{ keyid: 'k', sig: '', 'x-who': 'bob' }]);
    const { signed, signatures, raw } = readTufTargets(file);
    const written = readTufTargets(envelopeBytes({ ...signed, version: 4 }, signatures, raw));
    expect(written.signed.version).toBe(4);
    expect(json(written.signed)).toEqual({ ...body, targets, 'x-top': { a: 'b' }, version: 4 });
    expect(written.signatures[0]?.raw).toEqual({ keyid: 'k', sig: '', 'x-who': 'bob' });
    const bare = new Map(
      [...signed.targets].map(([name, target]) => [name, { ...target, custom: undefined }]),
    );
    expect(signedBytes({ ...signed, targets: bare }).includes('"custom"')).toBe(false);
  });

  it('are refused as another type', () => {
    const file = envelopeBytes(TARGETS, []);
    expect(codeOf(() => readTufRoot(file))).toBe('tuf.document');
  });

  it.each<[string, object]>([
    ['_type', { _type: 'Targets' }],
    ['spec_version', { spec_version: '2.0.0' }],
    ['spec_version', { spec_version: 1 }],
    ['expires', { expires: 'next year' }],
    ['expires', { expires: '2031-02-30T00:00:00Z' }],
    ['version', { version: 0 }],
    ['version', { version: '3' }],
    ['targets', { targets: [] }],
    ['targets["a"]', { targets: { a: { ...TARGET, length: -1 } } }],
    ['targets["a"]', { targets: { a: { ...TARGET, hashes: {} } } }],
    ['targets["a"]', { targets: { a: { ...TARGET, hashes: { sha256: 'abcd' } } } }],
    ['delegations', { delegations: null }],
    ['delegations', { delegations: { keys: {} } }],
    ['delegations.keys', { delegations: { roles: [] } }],
  ])('are refused for %s', (field, change) => {
    expect(thrownBy(() => readTuf(fileOf({ ...json(TARGETS), ...change })))).toMatchObject({
      code: 'tuf.document',
      details: { field },
    });
  });

  it.each<[string, string]>([
    ['a number with a point', '{"signed":{"version":1.0},"signatures":[]}'],
    ['a number with an exponent', '{"signed":{"version":1e0},"signatures":[]}'],
    ['a key that occurs twice', '{"signed":{"version":1,"version":2},"signatures":[]}'],
    ['no object', '[]'],
    ['no signatures', JSON.stringify({ signed: json(TARGETS) })],
    [
      'two signatures by one id',
      fileOf(json(TARGETS), [
        { keyid: 'a', sig: '' },
        { keyid: 'a', sig: '00' },
      ]).toString(),
    ],
  ])('are refused for %s', (_, text) => {
    expect(codeOf(() => readTuf(Buffer.from(text)))).toBe('tuf.document');
  });

  it('are not written when a key signed twice', () => {
    const signature = alice.signature(TARGETS);
    expect(codeOf(() => envelopeBytes(TARGETS, [signature, signature]))).toBe('tuf.document');
  });

  it('are the same file in whatever order was signed', () => {
    const signatures = [alice, bob, carol].map((signer) => signer.signature(ROOT));
    expect(envelopeBytes(ROOT, signatures.toReversed()).equals(envelopeBytes(ROOT, signatures))).toBe(true);
  });
});

describe('counting', () => {
  it('says who signed, who tried and who is missing', () => {
    const { signatures } = signedBy(ROOT, [alice]);
    const placeholder = { keyid: carol.id, sig: '' };
    const wrong = { keyid: bob.id, sig: alice.signature(ROOT).sig };
    const stranger = dave.signature(ROOT);
    const count = countSignatures(
      { signed: ROOT, signatures: [...signatures, placeholder, wrong, stranger] },
      ROOT.keys,
      ROOT.roles.root,
    );
    expect(count).toEqual({
      good: [alice.id],
      bad: [bob.id],
      missing: [carol.id],
      repeated: [],
      threshold: 2,
      isMet: false,
    });
    const both = signedBy(ROOT, [alice, carol]);
    expect(countSignatures(both, ROOT.keys, ROOT.roles.root).isMet).toBe(true);
  });

  it('counts one public key once, whatever ids it has', () => {
    const twin = { ...alice.key, keytype: 'ecdsa-sha2-nistp256' };
    const twinId = tufKeyIdOf(twin);
    const root = {
      ...ROOT,
      keys: new Map([...ROOT.keys, [twinId, twin]]),
      roles: { ...ROOT.roles, root: { keyids: [alice.id, twinId], threshold: 2 } },
    };
    const signature = alice.signature(root);
    const count = countSignatures(
      { signed: root, signatures: [signature, { ...signature, keyid: twinId }] },
      root.keys,
      root.roles.root,
    );
    expect(count).toMatchObject({ good: [alice.id], repeated: [twinId], isMet: false });
  });

  it.each<TufTestAlgorithm>(['p256', 'p384', 'ed25519', 'rsa'])('verifies %s', (algorithm) => {
    const signer = TufSigner.make(algorithm);
    const message = Buffer.from('message');
    const sig = signer.sign(message);
    expect(isTufSignature(signer.key, sig, message)).toBe(true);
    expect(isTufSignature(signer.key, sig.toUpperCase(), message)).toBe(true);
    expect(isTufSignature(signer.key, sig, Buffer.from('massage'))).toBe(false);
    expect(isTufSignature(signer.key, sig.slice(2), message)).toBe(false);
    expect(isTufSignature(signer.key, 'no hex', message)).toBe(false);
  });

  it('writes ECDSA as DER and the others as they are', () => {
    const raw = Buffer.alloc(64, 1);
    expect(tufSignature('ecdsa-p256', raw)).toBe(`3044${`0220${'01'.repeat(32)}`.repeat(2)}`);
    expect(tufSignature('ed25519', raw)).toBe('01'.repeat(64));
  });
});

describe('a chain of roots', () => {
  const first = signedBy(ROOT, [alice, bob]);
  const second = rootOf({ root: [alice, bob, dave], threshold: 2, online }, 2);
  const third = rootOf({ root: [bob, dave, carol], threshold: 3, online }, 3);
  const chain = [signedBy(second, [bob, alice]), signedBy(third, [dave, bob, carol])];

  it('is walked to its end', () => {
    expect(walkRoots(first, chain).signed.version).toBe(3);
    expect(walkRoots(first, []).signed.version).toBe(1);
  });

  it('may have expired in between, and not at its end', () => {
    const old = { ...second, expires: '2020-01-01T00:00:00Z' };
    const now = new Date('2026-01-01T00:00:00Z');
    const [, last] = chain;
    expect(walkRoots(first, [signedBy(old, [alice, bob]), last ?? first], now).signed.version).toBe(3);
    expect(codeOf(() => walkRoots(first, [signedBy(old, [alice, bob])], now))).toBe('tuf.expired');
  });

  it.each<[string, () => unknown, string]>([
    ['a version is left out', () => walkRoots(first, chain.slice(1)), 'tuf.version'],
    ['the old keys did not sign', () => walkRoots(first, [signedBy(second, [alice, dave])]), 'tuf.threshold'],
    [
      'the new keys did not sign',
      () => walkRoots(first, [chain[0] ?? first, signedBy(third, [bob, dave])]),
      'tuf.threshold',
    ],
    ['the first one is not signed', () => walkRoots({ ...first, signatures: [] }, []), 'tuf.threshold'],
  ])('ends where %s', (_, act, code) => {
    expect(codeOf(act)).toBe(code);
  });
});

describe('times', () => {
  it('have whole seconds and a Z', () => {
    expect(tufTime(new Date('2031-01-02T03:04:05.678Z'))).toBe('2031-01-02T03:04:05Z');
    expect(codeOf(() => tufTime(new Date(Number.NaN)))).toBe('tuf.document');
    expect(codeOf(() => tufTime(new Date('+012031-01-02T03:04:05Z')))).toBe('tuf.document');
  });

  it('have expired from their second on', () => {
    const expires = '2031-01-02T03:04:05Z';
    expect(isExpired({ expires }, new Date('2031-01-02T03:04:04.999Z'))).toBe(false);
    expect(isExpired({ expires }, new Date(expires))).toBe(true);
    expect(isExpired({ expires: 'never' }, new Date(0))).toBe(true);
  });
});

describe('statements', () => {
  it('say version, expiry and what is named', () => {
    const bytes = signedBytes(TARGETS);
    const statement = describeBytes('tuf.targets', bytes);
    expect(kindOf(bytes)).toBe('tuf.targets');
    expect(statement.document).toMatchObject({ version: 3, expires: TARGETS.expires });
    expect(statement.document?.targets?.get('a/b.txt')).toEqual({ sha256: 'ab'.repeat(32), length: 5 });
    expect(statement.summary).toEqual([
      'tuf.targets version 3',
      'expires 2031-01-02T03:04:05Z; 1 targets, 1 delegations',
    ]);
    const root = describeBytes('tuf.root', signedBytes(ROOT));
    expect(root.summary).toEqual([
      'tuf.root version 1',
      'expires 2031-01-02T03:04:05Z; root 2 of 3, targets 1 of 1, snapshot 1 of 1, timestamp 1 of 1',
    ]);
    expect(root.facts).toMatchObject({
      threshold: 2,
      rootKeys: [alice.id, bob.id, carol.id],
    });
  });

  it.each<[string, string, Buffer]>([
    ['of another kind', 'tuf.root', signedBytes(TARGETS)],
    ['with a space', 'tuf.targets', Buffer.from(signedBytes(TARGETS).toString().replace(':3', ': 3'))],
    [
      'of a target without SHA-256',
      'tuf.targets',
      signedBytes({
        ...TARGETS,
        targets: new Map([['a', { length: 1, hashes: { sha512: 'ab'.repeat(64) } }]]),
      }),
    ],
    ['with newlines escaped', 'tuf.root', Buffer.from(signedBytes(ROOT).toString().replaceAll('\n', '\\n'))],
  ])('are not made of bytes %s', (_, kind, bytes) => {
    expect(codeOf(() => describeBytes(kind, bytes))).toBe('statement.unrecognised');
  });
});
