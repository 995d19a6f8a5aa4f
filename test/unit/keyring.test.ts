/** The keyring file: what is accepted, what is refused with which error, and every change of the records. */
import { describe, expect, it } from 'vitest';
import { Keyring } from '../../src/keys/keyring.js';
import { addHome, addLeaf, nextEpoch, retireAndAdd, revokeLeaf } from '../../src/keys/keyring-change.js';
import { anchorHash, unsignedAnchor, verifyKeyring } from '../../src/keys/keyring-file.js';
import type { KeyringAnchor, KeyringRecords, LeafRecord } from '../../src/keys/key-record.js';
import { codeOf, thrownBy } from '../support/error-code.js';
import {
  leafRecord,
  signedFile,
  softwareKey,
  softwareKeyring,
  tokenHome,
  type SoftwareKeyring,
} from '../support/software-keyring.js';

const AT = '2025-06-07T08:09:10Z';

function withRecords(base: SoftwareKeyring, changes: Partial<KeyringRecords>): SoftwareKeyring {
  return { ...base, records: { ...base.records, ...changes } };
}

/** Another anchor, signed by the same root, and records that belong to it. */
function withAnchor(base: SoftwareKeyring, changes: Partial<KeyringAnchor>): SoftwareKeyring {
  const anchor = { ...base.anchor, ...changes };
  const hash = anchorHash(unsignedAnchor(anchor).payload);
  return { ...base, anchor, records: { ...base.records, anchor: hash } };
}

function publicHalf(): { readonly keyId: string; readonly publicKey: string } {
  const { keyId, publicKey } = softwareKey();
  return { keyId, publicKey };
}

function withLeaf(changes: Partial<LeafRecord>): SoftwareKeyring {
  return softwareKeyring([leafRecord(changes)]);
}

function withMadeLeaf(changes: Partial<LeafRecord>): SoftwareKeyring {
  const base = withLeaf({ origin: 'token', homes: [tokenHome('0c', 'made')], ...changes });
  return { ...base, records: { ...base.records, version: 2 } };
}

describe('a keyring file', () => {
  it('reads back what was signed', () => {
    const base = softwareKeyring([leafRecord(), leafRecord({ role: 'ssh', algorithm: 'ed25519' })]);
    const { keyring, anchorEnvelope } = verifyKeyring(signedFile(base));
    expect(keyring.anchor).toEqual(base.anchor);
    expect(keyring.records).toEqual(base.records);
    expect(keyring.domain).toBe('acme.example');
    expect(JSON.parse(signedFile(base))).toMatchObject({ anchor: { payload: anchorEnvelope.payload } });
    expect(verifyKeyring(Buffer.from(signedFile(base))).keyring.records.sequence).toBe(2);
  });

  const SLOT = {
    usage: 'derive',
    name: 'touchstone/derivation#derive',
    backend: 'otp',
    home: { token: 'yubikey-otp:serial=12345678;slot=2', id: '02', label: 'slot 2' },
    check: '0123456789abcdef0123456789abcdef',
    backup: 'generated',
    createdAt: AT,
  } as const;

  it('reads back with an OTP slot, whose anchor is of version 2', () => {
    const changed = withAnchor(softwareKeyring(), { version: 2, derivation: SLOT });
    expect(verifyKeyring(signedFile(changed)).keyring.anchor).toEqual(changed.anchor);
  });

  const CARD = { serial: '12345678', firmware: '5.4.3', pin: 'once', touch: 'always' } as const;

  it('reads back with what a card says of its keys, in version 3', () => {
    const base = softwareKeyring();
    const { root, derivation } = base.anchor;
    const evidence = { ...CARD, attestation: 'MAA=', device: 'MAA=', root: 'ab'.repeat(32) };
    const cards = { root: { ...root, card: evidence }, derivation: { ...derivation, card: CARD } };
    const changed = withAnchor(base, { version: 3, ...cards });
    expect(verifyKeyring(signedFile(changed)).keyring.anchor).toEqual(changed.anchor);
    for (const version of [1, 2] as const) {
      const older = withAnchor(base, { version, ...cards });
      expect(codeOf(() => verifyKeyring(signedFile(older)))).toBe('state.damaged');
    }
    expect(codeOf(() => verifyKeyring(signedFile(withAnchor(base, { version: 3 }))))).toBe('state.damaged');
  });

  it.each<[string, Partial<KeyringAnchor>]>([
    ['an OTP slot in version 1', { version: 1, derivation: SLOT }],
    ['version 2 without an OTP slot', { version: 2 }],
    ['an OTP slot without check value', { version: 2, derivation: { ...SLOT, check: undefined } }],
    ['a check value of another length', { version: 2, derivation: { ...SLOT, check: '00' } }],
    [
      'an OTP slot on a PKCS#11 token',
      { version: 2, derivation: { ...SLOT, home: tokenHome('02', 'slot 2') } },
    ],
    [
      'a third slot',
      { version: 2, derivation: { ...SLOT, home: { ...SLOT.home, token: 'yubikey-otp:serial=1;slot=3' } } },
    ],
    ['a public key of an OTP slot', { version: 2, derivation: { ...SLOT, ...publicHalf() } }],
  ])('is damaged with %s', (_, changes) => {
    const changed = withAnchor(softwareKeyring(), changes);
    expect(codeOf(() => verifyKeyring(signedFile(changed)))).toBe('state.damaged');
  });

  it('reads back with an hmac derivation key and an Ed25519 audit leaf', () => {
    const base = softwareKeyring();
    const audit = softwareKey('ed25519');
    const { publicKey: _, keyId: __, ...derivation } = base.anchor.derivation;
    const changed = withAnchor(
      { ...base, audit },
      {
        derivation: { ...derivation, backend: 'hmac' },
        audit: { ...base.anchor.audit, algorithm: 'ed25519', keyId: audit.keyId, publicKey: audit.publicKey },
      },
    );
    expect(verifyKeyring(signedFile(changed)).keyring.anchor).toEqual(changed.anchor);
  });

  it('is refused when any byte of what is signed changes', () => {
    const text = signedFile(softwareKeyring([leafRecord()]));
    const file = JSON.parse(text) as Record<
      'anchor' | 'records',
      { payload: string; signatures: { keyid: string; sig: string }[] }
    >;
    for (const part of ['anchor', 'records'] as const) {
      const payload = Buffer.from(file[part].payload, 'base64');
      for (let at = 0; at < payload.length; at += 7) {
        const changed = structuredClone(file);
        const bytes = Buffer.from(payload);
        bytes[at] = (bytes[at] ?? 0) ^ 1;
        changed[part].payload = bytes.toString('base64');
        expect(['keyring.signature', 'state.damaged', 'state.version']).toContain(
          codeOf(() => verifyKeyring(JSON.stringify(changed))),
        );
      }
      const signature = file[part].signatures[0];
      const sig = Buffer.from(signature?.sig ?? '', 'base64');
      for (let at = 0; at < sig.length; at += 1) {
        const changed = structuredClone(file);
        const bytes = Buffer.from(sig);
        bytes[at] = (bytes[at] ?? 0) ^ 1;
        changed[part].signatures = [{ keyid: signature?.keyid ?? '', sig: bytes.toString('base64') }];
        expect(codeOf(() => verifyKeyring(JSON.stringify(changed)))).toBe('keyring.signature');
      }
    }
  });

  it('is refused when another key signed a part', () => {
    const base = softwareKeyring();
    const other = softwareKey();
    expect(codeOf(() => verifyKeyring(signedFile(base, { anchor: other })))).toBe('keyring.signature');
    expect(codeOf(() => verifyKeyring(signedFile(base, { records: other })))).toBe('keyring.signature');
    expect(codeOf(() => verifyKeyring(signedFile(base, { records: base.root })))).toBe('keyring.signature');
    // The right key id does not help the wrong key.
    const forged = { ...other, keyId: base.root.keyId };
    expect(codeOf(() => verifyKeyring(signedFile(base, { anchor: forged })))).toBe('keyring.signature');
  });

  it('is refused when its parts come from two keyrings or are swapped', () => {
    const [a, b] = [softwareKeyring(), softwareKeyring()].map(
      (base) => JSON.parse(signedFile(base)) as Record<string, unknown>,
    );
    expect(codeOf(() => verifyKeyring(JSON.stringify({ ...a, records: b?.['records'] })))).toBe(
      'keyring.signature',
    );
    const swapped = { ...a, anchor: a?.['records'], records: a?.['anchor'] };
    expect(codeOf(() => verifyKeyring(JSON.stringify(swapped)))).toBe('state.damaged');
    const relinked = withRecords(softwareKeyring(), { anchor: '0'.repeat(64) });
    expect(codeOf(() => verifyKeyring(signedFile(relinked)))).toBe('keyring.signature');
  });

  it.each([
    ['not JSON', (text: string) => text.slice(1), 'state.damaged'],
    ['cut', (text: string) => text.slice(0, -20), 'state.damaged'],
    [
      'a duplicate key',
      (text: string) => text.replace('"version": 1', '"version": 1, "version": 1'),
      'state.damaged',
    ],
    [
      'an unknown field',
      (text: string) => text.replace('"version": 1', '"version": 1, "more": 1'),
      'state.damaged',
    ],
    ['another format', (text: string) => text.replace('"touchstone-keyring"', '"other"'), 'state.damaged'],
    ['a later version', (text: string) => text.replace('"version": 1', '"version": 2'), 'state.version'],
    ['no version', (text: string) => text.replace('"version": 1,', ''), 'state.version'],
    ['an array', () => '[]', 'state.damaged'],
    ['null', () => 'null', 'state.damaged'],
  ])('is refused: %s', (_, change, code) => {
    expect(codeOf(() => verifyKeyring(change(signedFile(softwareKeyring()))))).toBe(code);
  });

  it('is refused when a signed part is of a later version', () => {
    const base = softwareKeyring();
    const later = { ...base, records: { ...base.records, version: 3 as 2 } };
    expect(codeOf(() => verifyKeyring(signedFile(later)))).toBe('state.version');
  });

  it('holds keys that were made on a token from version 2 on, and only with a home', () => {
    const base = softwareKeyring();
    const home = { token: 'pkcs11:token=release', id: 'ab', label: 'acme/app#ssh' };
    const made = { ...leafRecord(), origin: 'token', homes: [home] } as const;
    const fileWith = (version: 1 | 2, leaf: LeafRecord): string =>
      signedFile({ ...base, records: { ...base.records, version, leaves: [leaf] } });
    expect(verifyKeyring(fileWith(2, made)).keyring.records.leaves[0]?.origin).toBe('token');
    expect(codeOf(() => verifyKeyring(fileWith(1, made)))).toBe('state.damaged');
    expect(codeOf(() => verifyKeyring(fileWith(2, { ...made, homes: [] })))).toBe('state.damaged');
    expect(addLeaf(base.records, made).version).toBe(2);
  });

  const twice = leafRecord();
  const other = softwareKey();
  it.each<[string, SoftwareKeyring]>([
    ['a key id of another key', withLeaf({ keyId: other.keyId })],
    [
      'a public key of another algorithm',
      withLeaf({ algorithm: 'ed25519', keyId: other.keyId, publicKey: other.publicKey }),
    ],
    ['a public key that is none', withLeaf({ publicKey: 'AAAA' })],
    ['a repository outside the alphabet', withLeaf({ repository: 'A' })],
    ['a role outside the alphabet', withLeaf({ role: 'a b' })],
    ['a role that nobody knows', withLeaf({ role: 'other' })],
    ['a second audit leaf', withLeaf({ role: 'audit' })],
    ['a derived root of a repository', withLeaf({ role: 'root', index: 1 })],
    ['a root of a repository with the index of the own one', withMadeLeaf({ role: 'root', index: 0 })],
    ['epoch 0', withLeaf({ epoch: 0 })],
    ['a time with fractions', withLeaf({ createdAt: '2025-01-02T03:04:05.6Z' })],
    ['retired without a time', withLeaf({ state: 'retired' })],
    ['active with a time of retirement', withLeaf({ retiredAt: AT })],
    ['revoked without a reason', withLeaf({ state: 'revoked', revokedAt: AT })],
    ['active with a reason', withLeaf({ revokedAt: AT, revokedReason: 'x' })],
    ['a home that is no URI', withLeaf({ homes: [tokenHome('01', 'x', 'token')] })],
    ['a home with a PIN', withLeaf({ homes: [tokenHome('01', 'x', 'pkcs11:token=a?pin-value=1')] })],
    ['one key twice', softwareKeyring([twice, { ...twice, epoch: 2 }])],
    ['one epoch twice', softwareKeyring([leafRecord(), leafRecord({ state: 'retired', retiredAt: AT })])],
    ['two active epochs', softwareKeyring([leafRecord(), leafRecord({ epoch: 2 })])],
  ])('is refused although it is signed: %s', (_, keyring) => {
    expect(codeOf(() => verifyKeyring(signedFile(keyring)))).toBe('state.damaged');
  });

  it('is refused although it is signed: an anchor that does not hold together', () => {
    const base = softwareKeyring();
    const { root, derivation, audit } = base.anchor;
    const anchors: Partial<KeyringAnchor>[] = [
      { domain: 'Acme' },
      { derivation: { ...derivation, publicKey: root.publicKey, keyId: root.keyId } },
      { derivation: { ...derivation, publicKey: undefined } },
      { derivation: { ...derivation, backend: 'hmac' } },
      { audit: { ...audit, repository: 'other' } },
      { audit: { ...audit, role: 'cosign' } },
      { audit: { ...audit, state: 'retired', retiredAt: AT } },
    ];
    for (const changes of anchors) {
      expect(codeOf(() => verifyKeyring(signedFile(withAnchor(base, changes))))).toBe('state.damaged');
    }
  });
});

describe('looking up', () => {
  const cosign = leafRecord({ homes: [tokenHome('0a', 'hello', 'pkcs11:token=build;serial=9')] });
  const retired = leafRecord({
    role: 'ssh',
    state: 'retired',
    retiredAt: AT,
    homes: [tokenHome('0b', 'old')],
  });
  const { anchor, records } = softwareKeyring([cosign, retired]);
  const keyring = new Keyring(anchor, records);

  it('finds every record by id and lists all', () => {
    expect(keyring.list().map((record) => record.usage)).toEqual(['root', 'derive', 'sign', 'sign', 'sign']);
    for (const record of keyring.list()) expect(keyring.byId(record.keyId ?? '')).toBe(record);
    expect(keyring.byId('0'.repeat(64))).toBeUndefined();
  });

  it('resolves the active leaf by name and by URI', () => {
    for (const text of [
      'docker.io/library/hello#cosign',
      'docker.io/library/hello#cosign',
      'docker.io/library/hello#cosign@1~ecdsa-p256:0',
      'pkcs11:token=build;object=hello',
      'pkcs11:serial=9;id=%0A;type=private',
    ]) {
      expect(keyring.resolve(text)).toBe(cosign);
    }
  });

  it.each([
    ['touchstone/root#root', 'key.usage'],
    ['touchstone/derivation#derive', 'key.usage'],
    ['touchstone/agent#audit', 'key.usage'],
    ['pkcs11:object=root', 'key.usage'],
    ['pkcs11:object=derivation;id=%02', 'key.usage'],
    ['pkcs11:object=old', 'key.retired'],
    ['docker.io/library/hello#ssh', 'key.retired'],
    ['docker.io/library/hello#notation', 'key.unknown'],
    ['pkcs11:object=hello;token=other', 'key.unknown'],
    ['pkcs11:object=hello;slot-id=1', 'key.unknown'],
    ['pkcs11:object=hello;type=public', 'key.unknown'],
    ['pkcs11:token=build', 'key.uri-invalid'],
    ['pkcs11:object=hello?pin-value=1', 'usage.pin-in-uri'],
    ['hello', 'key.name-invalid'],
  ])('refuses to sign with %s: %s', (text, code) => {
    expect(codeOf(() => keyring.resolve(text))).toBe(code);
  });

  it('takes its own root for the root of every repository', () => {
    const root = keyring.resolve('quay.io/any/thing#root');
    expect(root).toMatchObject({
      usage: 'repository-root',
      name: 'quay.io/any/thing#root',
      repository: 'quay.io/any/thing',
      role: 'root',
      keyId: anchor.root.keyId,
      home: anchor.root.home,
    });
    expect(keyring.resolve('quay.io/any/thing#root@1~ecdsa-p256:0')).toEqual(root);
    expect(keyring.find('quay.io/any/thing#root')).toEqual(root);
    for (const text of ['#root@2', '#root~ed25519', '#root:1'].map((end) => `quay.io/any/thing${end}`))
      expect(codeOf(() => keyring.resolve(text))).toBe('key.unknown');
    expect(codeOf(() => keyring.newest('quay.io/any/thing#root'))).toBe('key.usage');
  });

  it('reads back a root that was made for a repository', () => {
    const base = withMadeLeaf({ role: 'root', index: 1 });
    expect(verifyKeyring(signedFile(base)).keyring.records).toEqual(base.records);
  });

  it('prefers a root that was made for the repository, and keeps its own as index 0', () => {
    const homes = [tokenHome('0d', 'spare')];
    const made = leafRecord({ repository: 'acme/app', role: 'root', index: 1, origin: 'token', homes });
    const retiredRoot = { ...made, state: 'retired', retiredAt: AT } as const;
    const withMade = new Keyring(anchor, { ...records, leaves: [made] });
    expect(withMade.resolve('acme/app#root')).toBe(made);
    expect(withMade.resolve('acme/app#root:1')).toBe(made);
    expect(withMade.newest('acme/app#root')).toBe(made);
    expect(withMade.resolve('acme/app#root:0')).toMatchObject({ keyId: anchor.root.keyId });
    expect(withMade.resolve('acme/other#root')).toMatchObject({ keyId: anchor.root.keyId });
    const second = { ...made, index: 2, keyId: cosign.keyId, publicKey: cosign.publicKey };
    const two = new Keyring(anchor, { ...records, leaves: [made, second] });
    expect(codeOf(() => two.resolve('acme/app#root'))).toBe('key.ambiguous');
    // Never silently another key than the one that was meant.
    const without = new Keyring(anchor, { ...records, leaves: [retiredRoot] });
    expect(codeOf(() => without.resolve('acme/app#root'))).toBe('key.retired');
  });

  it('shows what may not sign', () => {
    expect(keyring.find('touchstone/root#root')).toBe(anchor.root);
    expect(keyring.find('touchstone/derivation#derive')).toBe(anchor.derivation);
    expect(keyring.find('touchstone/agent#audit')).toBe(anchor.audit);
    expect(keyring.find('docker.io/library/hello#ssh@1')).toBe(retired);
    expect(keyring.find('pkcs11:object=old')).toBe(retired);
  });
});

describe('changes', () => {
  const leaf = leafRecord();
  const start = softwareKeyring([leaf]).records;

  it('add a leaf once', () => {
    const added = leafRecord({ role: 'ssh' });
    const records = addLeaf(start, added);
    expect(records).toEqual({ ...start, sequence: start.sequence + 1, leaves: [leaf, added] });
    expect(start.leaves).toEqual([leaf]);
    for (const again of [added, { ...added, role: 'notation' }, leafRecord({ epoch: 2 }), leafRecord()]) {
      expect(codeOf(() => addLeaf(records, again))).toBe('key.exists');
    }
  });

  it('rotate a leaf to its next epoch', () => {
    expect(nextEpoch(start, leaf)).toBe(2);
    const successor = leafRecord({ epoch: 2 });
    const records = retireAndAdd(start, leaf.keyId, successor, AT);
    expect(records.sequence).toBe(start.sequence + 1);
    expect(records.leaves).toEqual([{ ...leaf, state: 'retired', retiredAt: AT }, successor]);
    expect(codeOf(() => retireAndAdd(records, leaf.keyId, leafRecord({ epoch: 3 }), AT))).toBe('key.retired');
    expect(codeOf(() => retireAndAdd(records, successor.keyId, leafRecord({ epoch: 4 }), AT))).toBe(
      'key.mismatch',
    );
    expect(codeOf(() => retireAndAdd(records, successor.keyId, leafRecord({ epoch: 3, index: 1 }), AT))).toBe(
      'key.mismatch',
    );
    expect(codeOf(() => retireAndAdd(records, '0'.repeat(64), successor, AT))).toBe('key.unknown');
  });

  it('revoke a leaf for good; the next epoch takes its name', () => {
    const records = revokeLeaf(start, leaf.keyId, { reason: 'laptop lost', at: AT });
    expect(records.leaves).toEqual([
      { ...leaf, state: 'revoked', revokedAt: AT, revokedReason: 'laptop lost' },
    ]);
    expect(codeOf(() => revokeLeaf(records, leaf.keyId, { reason: 'again', at: AT }))).toBe('key.revoked');
    expect(codeOf(() => retireAndAdd(records, leaf.keyId, leafRecord({ epoch: 2 }), AT))).toBe('key.revoked');
    expect(codeOf(() => addLeaf(records, leafRecord()))).toBe('key.exists');
    const successor = leafRecord({ epoch: nextEpoch(records, leaf) });
    expect(addLeaf(records, successor).leaves.at(-1)).toBe(successor);
    const after = new Keyring(softwareKeyring().anchor, records);
    expect(after.newest('docker.io/library/hello#cosign')).toMatchObject({ epoch: 1, state: 'revoked' });
    expect(codeOf(() => after.find('docker.io/library/hello#cosign'))).toBe('key.revoked');
    expect(codeOf(() => after.newest('touchstone/root#root'))).toBe('key.usage');
    const rotated = retireAndAdd(start, leaf.keyId, leafRecord({ epoch: 2 }), AT);
    const both = revokeLeaf(rotated, leaf.keyId, { reason: 'found in a log', at: AT });
    expect(both.leaves[0]).toMatchObject({ state: 'revoked', retiredAt: AT });
  });

  it('add a home, or replace the one of the same object', () => {
    const home = tokenHome('0a', 'hello');
    const records = addHome(addHome(start, leaf.keyId, home), leaf.keyId, { ...home, label: 'renamed' });
    expect(records.leaves[0]?.homes).toEqual([{ ...home, label: 'renamed' }]);
    expect(records.sequence).toBe(start.sequence + 2);
    expect(codeOf(() => addHome(start, '0'.repeat(64), home))).toBe('key.unknown');
  });

  it('leave a keyring that verifies', () => {
    const base = softwareKeyring([leaf]);
    const rotated = retireAndAdd(base.records, leaf.keyId, leafRecord({ epoch: 2 }), AT);
    const revoked = revokeLeaf(rotated, leaf.keyId, { reason: 'x', at: AT });
    const installed = addHome(
      addLeaf(revoked, leafRecord({ role: 'ssh' })),
      leaf.keyId,
      tokenHome('0a', 'hello'),
    );
    const { keyring } = verifyKeyring(signedFile({ ...base, records: installed }));
    expect(keyring.records).toEqual(installed);
    expect(thrownBy(() => keyring.resolve('docker.io/library/hello#cosign@1')).code).toBe('key.revoked');
  });
});
