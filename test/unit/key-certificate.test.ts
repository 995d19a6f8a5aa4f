/** Certificates of repository keys: one form, a threshold of roots, a chain, and a clock that cannot be turned back. */
import { createHash } from 'node:crypto';
import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { pae } from '../../src/encoding/dsse-pae.js';
import { describe as describeBytes } from '../../src/formats/describe.js';
import {
  KEY_CERTIFICATE_TYPE,
  keyCertificatePayload,
  parseKeyCertificate,
} from '../../src/formats/key-certificate/document.js';
import { certificateStanding } from '../../src/formats/key-certificate/standing.js';
import {
  certificateRoots,
  verifyKeyCertificate,
  type VerifiedCertificate,
} from '../../src/formats/key-certificate/verify.js';
import { CertificateFolder } from '../../src/state/certificate-folder.js';
import { codeOf } from '../support/error-code.js';
import { certificateEnvelope, certificateFor, softwareRoot } from '../support/key-certificates.js';
import { TempFolder } from '../support/temp-folder.js';

const key = softwareRoot();
const alice = softwareRoot();
const bob = softwareRoot('ed25519');
const carol = softwareRoot('rsa-3072');
const dora = softwareRoot('ecdsa-p384');
const stranger = softwareRoot();

function rootsOf(threshold: number): ReturnType<typeof certificateRoots> {
  return certificateRoots(
    [alice, bob, carol, dora].map(({ spki }) => spki),
    threshold,
  );
}

describe('the document', () => {
  it('has one payload, and reads back', () => {
    const certificate = certificateFor(key);
    const payload = keyCertificatePayload(certificate);
    expect(parseKeyCertificate(payload)).toEqual(certificate);
    const { repository, ...others } = certificate;
    expect(keyCertificatePayload({ ...others, repository })).toEqual(payload);
  });

  it('is refused in any other spelling, so that no byte of it can change unseen', () => {
    const payload = keyCertificatePayload(certificateFor(key));
    for (let at = 0; at < payload.length; at += 1) {
      const changed = Buffer.from(payload);
      changed.writeUInt8((changed[at] ?? 0) ^ 0x20, at);
      // A flipped letter of a name is another certificate, which only the signature tells.
      const outcome = (): unknown => parseKeyCertificate(changed);
      try {
        expect(outcome()).not.toEqual(certificateFor(key));
      } catch {
        expect(codeOf(outcome)).toBe('certificate.invalid');
      }
    }
    const text = payload.toString('utf8');
    for (const other of [` ${text}`, `${text}\n`, text.replace('"epoch":1', '"epoch":1.0')])
      expect(codeOf(() => parseKeyCertificate(Buffer.from(other)))).toBe('certificate.invalid');
  });

  it.each([
    ['a repository with a space', { repository: 'acme app' }],
    ['an empty role', { role: '' }],
    ['epoch 0', { epoch: 0 }],
    ['no kind', { kinds: [] }],
    ['a revocation with kinds', { action: 'revoke' as const }],
    ['a day that does not exist', { notAfter: '2099-02-31T00:00:00Z' }],
    ['an end before the beginning', { notAfter: '2001-01-01T00:00:00Z' }],
    ['another key id', { keyId: alice.keyId }],
    ['another algorithm', { algorithm: 'ed25519' as const }],
    ['a previous that is no hash', { previous: 'none' }],
  ])('is refused with %s', (_, changes) => {
    expect(codeOf(() => keyCertificatePayload(certificateFor(key, changes)))).toBe('certificate.invalid');
  });

  it('is a statement that names its repository, so that a root signs it for this one alone', () => {
    const bytes = pae(KEY_CERTIFICATE_TYPE, keyCertificatePayload(certificateFor(key)));
    const statement = describeBytes(`dsse:${KEY_CERTIFICATE_TYPE}`, bytes);
    expect(statement.repository).toBe('registry.example/acme/app');
    expect(statement.summary[0]).toBe('certifies the key of registry.example/acme/app#cosign@1');
    const garbage = pae(KEY_CERTIFICATE_TYPE, Buffer.from('{}'));
    expect(codeOf(() => describeBytes(`dsse:${KEY_CERTIFICATE_TYPE}`, garbage))).toBe(
      'statement.unrecognised',
    );
  });
});

describe('the signatures', () => {
  it('count for each root once, of every algorithm, with or without a key id', () => {
    for (const withIds of [true, false]) {
      const envelope = certificateEnvelope(certificateFor(key), [alice, bob, carol, dora], { withIds });
      expect(verifyKeyCertificate(envelope, rootsOf(4)).signers).toHaveLength(4);
    }
    const twice = certificateEnvelope(certificateFor(key), [alice, alice]);
    expect(verifyKeyCertificate(twice, rootsOf(1)).signers).toEqual([alice.keyId]);
    expect(codeOf(() => verifyKeyCertificate(twice, rootsOf(2)))).toBe('certificate.invalid');
  });

  it('of strangers count for nothing', () => {
    const envelope = certificateEnvelope(certificateFor(key), [stranger, alice]);
    expect(verifyKeyCertificate(envelope, rootsOf(1)).signers).toEqual([alice.keyId]);
    expect(codeOf(() => verifyKeyCertificate(envelope, rootsOf(2)))).toBe('certificate.invalid');
  });

  it('are over this payload of this type', () => {
    const envelope = JSON.parse(certificateEnvelope(certificateFor(key), [alice]).toString()) as {
      payload: string;
      payloadType: string;
    };
    const other = keyCertificatePayload(certificateFor(key, { epoch: 2 })).toString('base64');
    for (const forged of [
      { ...envelope, payload: other },
      { ...envelope, payloadType: 'application/json' },
      { ...envelope, signatures: [] },
    ])
      expect(codeOf(() => verifyKeyCertificate(JSON.stringify(forged), rootsOf(1)))).toBe(
        'certificate.invalid',
      );
  });
});

describe('the chain', () => {
  const now = Date.now();

  function verified(changes: Parameters<typeof certificateFor>[1] = {}): VerifiedCertificate {
    const certificate = certificateFor(key, changes);
    const hash = createHash('sha256').update(keyCertificatePayload(certificate)).digest('hex');
    return { certificate, hash, signers: [alice.keyId] };
  }

  it('counts the newest statement, in whatever order they come', () => {
    const first = verified();
    const second = verified({ previous: first.hash, kinds: ['dsse:*'] });
    const third = verified({ previous: second.hash, kinds: ['oci.simple-signing'] });
    for (const order of [
      [first, second, third],
      [third, first, second],
    ])
      expect(certificateStanding(order, now)).toEqual({ state: 'valid', newest: third });
  });

  it('is missing, early, late, forked or revoked', () => {
    const first = verified();
    const { notBefore, notAfter } = first.certificate;
    expect(certificateStanding([], now).state).toBe('missing');
    expect(certificateStanding([first], Date.parse(notBefore)).state).toBe('valid');
    expect(certificateStanding([first], Date.parse(notBefore) - 1).state).toBe('not-yet');
    expect(certificateStanding([first], Date.parse(notAfter)).state).toBe('valid');
    expect(certificateStanding([first], Date.parse(notAfter) + 1).state).toBe('expired');
    const two = [verified({ previous: first.hash }), verified({ previous: first.hash, epoch: 2 })];
    expect(certificateStanding([first, ...two], now).state).toBe('forked');
    expect(certificateStanding([verified({ previous: 'a'.repeat(64) })], now).state).toBe('forked');
    const revocation = verified({ action: 'revoke', kinds: [], previous: first.hash });
    const again = verified({ previous: revocation.hash });
    expect(certificateStanding([first, revocation, again], now).state).toBe('revoked');
  });
});

describe('the folder', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('keeps what it was given, and notices when something is missing', () => {
    using temp = new TempFolder();
    const folder = new CertificateFolder(temp.path);
    expect(folder.load()).toEqual([]);
    const envelope = certificateEnvelope(certificateFor(key), [alice]);
    const { hash } = verifyKeyCertificate(envelope, rootsOf(1));
    folder.add(hash, envelope);
    expect(new CertificateFolder(temp.path).load()).toMatchObject([{ hash, envelope }]);
    expect(readdirSync(folder.path)).toEqual([`${hash}.json`]);
    rmSync(join(folder.path, `${hash}.json`));
    expect(codeOf(() => new CertificateFolder(temp.path).load())).toBe('certificate.older');
  });

  it('notices when something else stands in the place of a statement', () => {
    using temp = new TempFolder();
    const folder = new CertificateFolder(temp.path);
    folder.load();
    const envelope = certificateEnvelope(certificateFor(key), [alice]);
    const { hash } = verifyKeyCertificate(envelope, rootsOf(1));
    folder.add(hash, envelope);
    renameSync(join(folder.path, `${hash}.json`), join(folder.path, `${'0'.repeat(64)}.json`));
    expect(codeOf(() => new CertificateFolder(temp.path).load())).toBe('certificate.older');
  });

  it('goes by the number of statements where a release before wrote only that down', () => {
    using temp = new TempFolder();
    const seen = { format: 'touchstone-certificates-seen', version: 1, statements: 1, time: 0 };
    writeFileSync(join(temp.path, 'certificates-seen.json'), JSON.stringify(seen));
    expect(codeOf(() => new CertificateFolder(temp.path).load())).toBe('certificate.older');
    writeFileSync(join(temp.path, 'certificates', `${'0'.repeat(64)}.json`), '{}');
    expect(new CertificateFolder(temp.path).load()).toHaveLength(1);
  });

  it('goes by the latest time that was ever seen, also after a restart', () => {
    using temp = new TempFolder();
    const late = Date.parse('2031-05-01T12:00:00Z');
    vi.useFakeTimers({ now: late, toFake: ['Date'] });
    const folder = new CertificateFolder(temp.path);
    folder.load();
    expect(folder.nowMs()).toBe(late);
    vi.setSystemTime(late - 86_400_000);
    expect(folder.nowMs()).toBe(late);
    const restarted = new CertificateFolder(temp.path);
    restarted.load();
    expect(restarted.nowMs()).toBe(late);
    vi.setSystemTime(late + 5_000);
    expect(restarted.nowMs()).toBe(late + 5_000);
  });
});
