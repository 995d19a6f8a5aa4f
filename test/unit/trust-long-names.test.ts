/** Repositories with the longest names that there can be: what is kept of them has names that a file system takes, and old ones are found. */
import { existsSync, mkdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { canonicalKeyId, tufKeyId } from '../../src/formats/notary1/key.js';
import { fileNameOf } from '../../src/trust/file-name.js';
import { Journal, type PendingPublish } from '../../src/trust/journal.js';
import { parseTrustReference } from '../../src/trust/repository-name.js';
import { RootCertificates } from '../../src/trust/root-certificate-order.js';
import type { RoleSigner } from '../../src/trust/role-signer.js';
import { SoftwareSigner } from '../support/software-signer.js';
import { TempFolder } from '../support/temp-folder.js';

/** 255 characters, of which every second one is a slash. */
const LONGEST = `registry.example/${'a/'.repeat(118)}app`.slice(0, 255).replace(/\/$/, 'b');
/** Longer than most, and short enough for a folder as it is. */
const LONG = `registry.example/${'a'.repeat(220)}`;

const PENDING: PendingPublish = {
  words: 'sign v1',
  begun: '2030-01-01T00:00:00Z',
  replaces: new Map([['targets', 1]]),
  documents: [],
  dropped: [],
  ownSnapshot: false,
};

describe('the longest name of a repository', () => {
  it('is one', () => {
    expect(parseTrustReference(LONGEST).repository).toBe(LONGEST);
    expect(LONGEST.length).toBeGreaterThan(250);
  });

  it('keeps its beginning and gets a hash, other ones stay what they were', () => {
    const name = fileNameOf(LONGEST, 50);
    expect(name.length + 50).toBeLessThanOrEqual(255);
    expect(name).toMatch(/^registry\.example%2Fa%2F[^~]*~[0-9a-f]{64}$/);
    expect(() => decodeURIComponent(name.split('~')[0] ?? '%')).not.toThrow();
    expect(fileNameOf(`${LONGEST.slice(0, -1)}z`, 50)).not.toBe(name);
    expect(fileNameOf('registry.example/acme/app', 50)).toBe('registry.example%2Facme%2Fapp');
  });

  it('has a journal', async () => {
    using folder = new TempFolder();
    const journal = new Journal(folder.path, LONGEST);
    using lock = await journal.lock(Date.now() + 5_000);
    journal.write(PENDING);
    expect(new Journal(folder.path, LONGEST).read()).toEqual(PENDING);
    expect(lock).toBeDefined();
  });

  it('finds the journal that a folder of the plain name holds', () => {
    using folder = new TempFolder();
    mkdirSync(folder.join('publishing', encodeURIComponent(LONG)), { recursive: true, mode: 0o700 });
    new Journal(folder.path, LONG).write(PENDING);
    expect(existsSync(folder.join('publishing', encodeURIComponent(LONG), 'pending.json'))).toBe(true);
  });

  it('has a certificate, which is found again', async () => {
    using folder = new TempFolder();
    const key = SoftwareSigner.make();
    let made = 0;
    const signer: Pick<RoleSigner, 'sign'> = {
      sign: (orders) => {
        made += 1;
        return Promise.resolve(orders.map(({ payload }) => key.sign(payload).sig));
      },
    };
    const unused = (): never => {
      throw new Error('nothing else is asked');
    };
    const certificates = new RootCertificates(folder.path, {
      keysOf: unused,
      derive: unused,
      rotate: unused,
      retired: unused,
      abandon: unused,
      versionsSigned: unused,
      notePublished: unused,
      ...signer,
    });
    const role = { name: 'r', role: 'root', key: key.key, canonicalId: canonicalKeyId(key.key) };
    const kept = await certificates.certified(LONGEST, role, 3650);
    expect(tufKeyId(await certificates.certified(LONGEST, role, 3650))).toBe(tufKeyId(kept));
    expect(made).toBe(1);
  });
});
