/** Key names and URIs by vector, and which record a name means. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { findLeaf, resolveLeaf } from '../../src/keys/key-lookup.js';
import { formatKeyName, keyNameOf, parseKeyName } from '../../src/keys/key-name.js';
import { formatKeyUri, matchesToken, parseKeyUri } from '../../src/keys/key-uri.js';
import { kindsOfRole, matchesKind, maySignBlind, roleAllows } from '../../src/keys/roles.js';
import type { LeafRecord } from '../../src/keys/key-record.js';
import { codeOf, thrownBy } from '../support/error-code.js';
import { leafRecord } from '../support/software-keyring.js';

interface NameVectors {
  readonly valid: readonly { readonly text: string; readonly canonical: string }[];
  readonly invalid: readonly { readonly text: string; readonly why: string }[];
}

interface UriVectors {
  readonly valid: readonly { readonly text: string; readonly fields: object; readonly canonical: string }[];
  readonly invalid: readonly { readonly text: string; readonly code: string }[];
}

function vectors(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8'));
}

const names = vectors('key-names') as NameVectors;
const uris = vectors('key-uris') as UriVectors;

describe('key names', () => {
  it.each(names.valid)('$text', ({ text, canonical, ...parts }) => {
    expect(parseKeyName(text)).toEqual(parts);
    expect(formatKeyName(parseKeyName(text))).toBe(canonical);
    expect(formatKeyName(parseKeyName(canonical))).toBe(canonical);
  });

  it.each(names.invalid)('$text: $why', ({ text }) => {
    expect(codeOf(() => parseKeyName(text))).toBe('key.name-invalid');
  });
});

describe('key URIs', () => {
  it.each(uris.valid)('$text', ({ text, fields, canonical }) => {
    expect(parseKeyUri(text)).toEqual(fields);
    expect(formatKeyUri(parseKeyUri(text))).toBe(canonical);
    expect(parseKeyUri(canonical)).toEqual(fields);
  });

  it.each(uris.invalid)('$text', ({ text, code }) => {
    const error = thrownBy(() => parseKeyUri(text));
    expect(error.code).toBe(code);
    expect(`${error.message} ${error.hint} ${JSON.stringify(error.details)}`).not.toContain('1234');
  });

  it('match a token only when everything they say of it fits', () => {
    const facts = { label: 'release', serial: '0123', manufacturer: 'SoftHSM project', model: 'SoftHSM v2' };
    for (const [text, fits] of [
      ['pkcs11:', true],
      ['pkcs11:token=release', true],
      ['pkcs11:token=release;serial=0123;manufacturer=SoftHSM%20project;model=SoftHSM%20v2', true],
      ['pkcs11:object=x;id=%01;type=private;x-note=1;serial=0123', true],
      ['pkcs11:token=Release', false],
      ['pkcs11:token=', false],
      ['pkcs11:token=release;serial=0124', false],
      ['pkcs11:manufacturer=other', false],
      ['pkcs11:model=other', false],
      ['pkcs11:token=release;slot-id=0', false],
      ['pkcs11:token=release;library-version=2.6', false],
    ] as const) {
      expect([text, matchesToken(parseKeyUri(text), facts)]).toEqual([text, fits]);
    }
  });
});

describe('a name means', () => {
  const leaf = (changes: Partial<LeafRecord>): LeafRecord => leafRecord({ repository: 'a', ...changes });
  const leaves = [
    leaf({ epoch: 1, state: 'retired', retiredAt: '2025-01-01T00:00:00Z' }),
    leaf({ epoch: 2, state: 'revoked', revokedAt: '2025-01-01T00:00:00Z', revokedReason: 'laptop lost' }),
    leaf({ epoch: 3 }),
    leaf({ epoch: 1, index: 7 }),
    leaf({ role: 'ssh', algorithm: 'ed25519' }),
    leaf({ role: 'targets', index: 1 }),
    leaf({ role: 'targets', index: 2 }),
    leaf({ role: 'snapshot', state: 'retired', retiredAt: '2025-01-01T00:00:00Z' }),
    leaf({ role: 'timestamp', state: 'revoked', revokedAt: '2025-01-01T00:00:00Z', revokedReason: 'stolen' }),
    leaf({ role: 'notation' }),
    leaf({ role: 'notation', algorithm: 'ed25519' }),
    leaf({ role: 'notation', algorithm: 'ed25519', index: 1 }),
  ];

  it.each([
    ['a#cosign', 2],
    ['a#cosign@3', 2],
    ['a#cosign:7', 3],
    ['a#ssh', 4],
    ['a#ssh~ed25519', 4],
    ['a#targets:2', 6],
    ['a#notation', 9],
    ['a#notation~ed25519', 10],
    ['a#notation:1', 11],
  ])('%s: record %i', (text, position) => {
    expect(resolveLeaf(parseKeyName(text), leaves)).toBe(leaves[position]);
  });

  it.each([
    ['a#cosign@1', 'key.retired'],
    ['a#cosign@2', 'key.revoked'],
    ['a#snapshot', 'key.retired'],
    ['a#timestamp', 'key.revoked'],
    ['a#timestamp@1', 'key.revoked'],
    ['a#targets', 'key.ambiguous'],
    ['a#cosign~ed25519', 'key.unknown'],
    ['a#cosign@9', 'key.unknown'],
    ['b#cosign', 'key.unknown'],
    ['a#ssh~ecdsa-p256', 'key.unknown'],
  ])('%s: %s', (text, code) => {
    expect(codeOf(() => resolveLeaf(parseKeyName(text), leaves))).toBe(code);
  });

  it('a retired or revoked record too, when it is only looked at', () => {
    expect(findLeaf(parseKeyName('a#cosign@1'), leaves)).toBe(leaves[0]);
    expect(findLeaf(parseKeyName('a#cosign@2'), leaves)).toBe(leaves[1]);
  });

  it('what its record is called', () => {
    expect(leaves.map(keyNameOf).slice(0, 5)).toEqual([
      'a#cosign@1',
      'a#cosign@2',
      'a#cosign',
      'a#cosign:7',
      'a#ssh~ed25519',
    ]);
    for (const record of leaves)
      expect(findLeaf(parseKeyName(keyNameOf(record)), leaves).keyId).toBeDefined();
  });

  it('nothing, and the errors help', () => {
    const unknown = thrownBy(() => resolveLeaf(parseKeyName('a#cosing'), leaves));
    expect(unknown.details?.['closest']).toContain('a#cosign');
    expect(unknown.hint).toContain('a#cosign');
    const ambiguous = thrownBy(() => resolveLeaf(parseKeyName('a#targets'), leaves));
    expect(ambiguous.details?.['matches']).toEqual(['a#targets@1~ecdsa-p256:1', 'a#targets@1~ecdsa-p256:2']);
    const revoked = thrownBy(() => resolveLeaf(parseKeyName('a#cosign@2'), leaves));
    expect(revoked.message).toContain('laptop lost');
  });
});

describe('roles', () => {
  it.each([
    ['cosign', 'oci.simple-signing', true],
    ['cosign', 'dsse:application/vnd.in-toto+json', true],
    ['cosign', 'sshsig:file', false],
    ['cosign', 'digest', false],
    ['ssh', 'sshsig:git', true],
    ['ssh', 'ssh.userauth', true],
    ['ssh', 'oci.simple-signing', false],
    ['notation', 'notation.payload', true],
    ['targets', 'notary.targets', true],
    ['targets', 'notary.delegation', false],
    ['targets', 'notary.snapshot', false],
    ['targets/releases', 'notary.delegation', true],
    ['targets/releases', 'notary.targets', false],
    ['targets/releases', 'tuf.targets', true],
    ['targets/', 'tuf.targets', false],
    ['snapshot', 'notary.snapshot', true],
    ['snapshot', 'notary.timestamp', false],
    ['timestamp', 'notary.timestamp', true],
    ['timestamp', 'dsse:x', false],
    ['audit', 'dsse:x', false],
    ['root', 'notary.root', true],
    ['root', 'x509.tbs', true],
    ['root', 'notary.targets', false],
    ['root', 'dsse:application/vnd.touchstone.keyring-anchor+json', false],
    ['derive', 'digest', false],
    ['unknown', 'oci.simple-signing', false],
  ])('%s signs %s: %s', (role, kind, allowed) => {
    expect(roleAllows(role, kind)).toBe(allowed);
  });

  it.each(['root', 'audit', 'derive'])('%s signs no bare digest, whatever a rule says', (role) => {
    expect(maySignBlind(role)).toBe(false);
  });

  it('that nobody knows are refused, naming the known ones', () => {
    const error = thrownBy(() => kindsOfRole('consign'));
    expect(error.code).toBe('key.field-invalid');
    expect(error.details?.['field']).toBe('role');
    expect(error.message).toContain('cosign');
    expect(kindsOfRole('audit')).toEqual([]);
  });

  it('cover kinds by globs', () => {
    expect(matchesKind('sshsig:*', 'sshsig:git')).toBe(true);
    expect(matchesKind('sshsig:file', 'sshsig:git')).toBe(false);
  });
});
