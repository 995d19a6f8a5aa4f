/** From a command line to what a ceremony is for. */
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { documentsFor } from '../../src/ceremony/carried.js';
import { calendarOf } from '../../src/ceremony/calendar.js';
import { importInto } from '../../src/ceremony/importing.js';
import { actionFrom } from '../../src/cli/ceremony-order.js';
import { OptionValues } from '../../src/cli/option-values.js';
import { publicKeyPem } from '../../src/crypto/public-key.js';
import { CREATED, dayFromNow, EXPIRES } from '../support/ceremony-dates.js';
import { codeOf, thrownBy } from '../support/error-code.js';
import {
  afterwards,
  initAction,
  openedSession,
  prepared,
  signedAndClosed,
} from '../support/paper-ceremony.js';
import { SoftwareHolder, TEST_POLICY } from '../support/software-holder.js';
import { TempFolder } from '../support/temp-folder.js';

const [alice, bob, carol, dave] = ['alice', 'bob', 'carol', 'dave'].map(
  (name) => new SoftwareHolder(name),
) as [SoftwareHolder, SoftwareHolder, SoftwareHolder, SoftwareHolder];
const DATES = { notBefore: CREATED, notAfter: EXPIRES };
let temp: TempFolder;

beforeEach(() => {
  temp = new TempFolder();
});
afterEach(() => {
  temp[Symbol.dispose]();
});

function tokenOf({
  serial,
  publicKey,
}: SoftwareHolder): (typeof TEST_POLICY)['holders'][number]['tokens'][number] {
  return { serial, publicKey, model: 'paper', firmware: null, attested: false };
}

const POLICY = {
  ...TEST_POLICY,
  holders: [
    { name: 'alice', tokens: [tokenOf(alice), tokenOf(bob)] },
    { name: 'carol', tokens: [tokenOf(carol)] },
  ],
};

function action(type: string, options: Readonly<Record<string, unknown>>): ReturnType<typeof actionFrom> {
  return actionFrom(type, new OptionValues(options), POLICY, [dave.enrolment('c')], DATES);
}

function keyFile(holder: SoftwareHolder): string {
  const file = temp.join(`${holder.name}.pem`);
  writeFileSync(file, publicKeyPem(Buffer.from(holder.publicKey, 'base64')));
  return file;
}

describe('an action', () => {
  it('names keys by their holders', () => {
    const rotation = { type: 'rotate', leaves: [carol.keyId], enters: [dave.keyId], threshold: null };
    expect(action('rotate', { replace: ['carol=dave'] })).toEqual(rotation);
    expect(action('rotate', { leaves: [`alice:${bob.serial}`], threshold: '3' })).toEqual({
      ...rotation,
      leaves: [bob.keyId],
      threshold: 3,
    });
  });

  it.each([
    ['a holder with two tokens', { leaves: ['alice'] }, 'say which token'],
    ['a holder that nobody knows', { leaves: ['mallory'] }, 'no such holder'],
    ['somebody who was not enrolled', { enters: ['erin'] }, '--enrolment'],
    ['half a pair', { replace: ['carol'] }, 'carol=dave'],
  ])('refuses %s', (_what, options, words) => {
    const error = thrownBy(() => action('rotate', options));
    expect([error.code, error.message.includes(words)]).toEqual(['usage.invalid', true]);
  });

  it('has online keys for all documents, or for one repository', () => {
    const [one, two] = [keyFile(alice), keyFile(bob)];
    const options = {
      online: [`targets=${one}`, `targets=${two}`, `registry.example/app#timestamp=${one}`],
      onlineThreshold: ['targets=2'],
    };
    expect(action('online-keys', options)).toEqual({
      type: 'online-keys',
      online: [
        { document: null, role: 'targets', publicKeys: [alice.publicKey, bob.publicKey], threshold: 2 },
        {
          document: 'registry.example/app#root',
          role: 'timestamp',
          publicKeys: [alice.publicKey],
          threshold: 1,
        },
      ],
    });
    expect(codeOf(() => action('online-keys', { online: [`root=${one}`] }))).toBe('usage.invalid');
  });

  it('certifies keys for what their role signs, and takes that back', () => {
    const options = { certify: [`registry.example/app#cosign@2=${keyFile(bob)}`] };
    const made = action('certify', options);
    expect(made).toMatchObject({
      certificates: [
        {
          repository: 'registry.example/app',
          role: 'cosign',
          epoch: 2,
          keyId: bob.keyId,
          previous: null,
          ...DATES,
        },
      ],
    });
    expect(documentsFor(made, [], [])).toMatchObject([
      { id: 'registry.example/app#cosign@2', format: 'certificate' },
    ]);
    const revoked = action('revoke', { revokeKey: options.certify, enters: ['dave'] });
    expect(revoked).toMatchObject({ type: 'revoke', certificates: [{ kinds: [] }] });
  });

  it('delegates to roles in the targets', () => {
    const options = { delegate: [`repo-app=${keyFile(bob)}:app/*,lib/*`] };
    expect(action('certify', options)).toMatchObject({
      delegations: [
        { name: 'repo-app', publicKeys: [bob.publicKey], threshold: 1, paths: ['app/*', 'lib/*'] },
      ],
    });
    expect(codeOf(() => action('certify', { delegate: ['repo-app=x.pem'] }))).toBe('usage.invalid');
  });

  it.each([
    ['init', { online: [] }],
    ['threshold', {}],
    ['heal', {}],
    ['destroy', {}],
  ])('%s without what it needs is refused', (type, options) => {
    expect(codeOf(() => action(type, options))).toBe('usage.invalid');
  });
});

describe('what came out', () => {
  it('is put beside the versions before it, and never over another file', () => {
    const three = [alice, bob, carol];
    const first = prepared(temp.join('one'), { action: initAction(three, 2) }, three);
    signedAndClosed(first, [alice, bob]);
    const { root, policy, previous } = afterwards(first, 1);
    const second = prepared(temp.join('two'), {
      id: 'acme-root-2',
      action: { type: 'extend' },
      policy,
      previous,
      signers: ['alice', 'bob'],
      documents: [{ id: 'root', format: 'tuf', role: 'root', base: [root], authority: null }],
    });
    signedAndClosed(second, [alice, bob]);
    using session = openedSession(second.path);
    const [document] = session.facts.documents;
    if (document === undefined) throw new Error('no document');
    const output = { document, bytes: second.folder.require('out/2.root.json') };
    const directory = temp.join('metadata');
    expect(codeOf(() => importInto(directory, [output]))).toBe('ceremony.import');
    first.folder.write('../metadata/1.root.json', root);
    expect(importInto(directory, [output]).map(({ isNew }) => isNew)).toEqual([true]);
    expect(importInto(directory, [output]).map(({ isNew }) => isNew)).toEqual([false]);
    writeFileSync(temp.join('metadata', '3.root.json'), '{}');
    expect(codeOf(() => importInto(directory, [output]))).toBe('ceremony.import');
    expect(calendarOf(session.facts)).toContain(
      `DTSTART;VALUE=DATE:${dayFromNow(304).replaceAll('-', '')}\r\n`,
    );
  });
});
