/** The inventory of tokens, out of the folders of two ceremonies. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CeremonyFolder } from '../../src/ceremony/folder.js';
import { readStored, takeInventory, type InventoryRow } from '../../src/ceremony/inventory.js';
import type { CeremonyPolicy } from '../../src/ceremony/policy.js';
import { attestedEnrolment, certificatesOf } from '../support/attested-enrolment.js';
import { dayFromNow } from '../support/ceremony-dates.js';
import { codeOf } from '../support/error-code.js';
import { afterwards, initAction, prepared, signedAndClosed } from '../support/paper-ceremony.js';
import { SoftwareHolder, TEST_POLICY } from '../support/software-holder.js';
import { TempFolder } from '../support/temp-folder.js';
import { attestationAuthority } from '../support/virtual-yubikey/attestation-authority.js';

const [alice, bob, carol, dave] = ['alice', 'bob', 'carol', 'dave'].map(
  (name) => new SoftwareHolder(name),
) as [SoftwareHolder, SoftwareHolder, SoftwareHolder, SoftwareHolder];
const tokens: CeremonyPolicy['tokens'] = { ...TEST_POLICY.tokens, anchors: [attestationAuthority().pem] };
let temp: TempFolder;
let paths: readonly [string, string];

/** Alice has a new card, Bob an old one, Carol one that says nothing; then Dave comes, with a new one, for Carol. */
beforeAll(() => {
  temp = new TempFolder();
  paths = [temp.join('one'), temp.join('two')];
  const oldCard = attestedEnrolment(bob, 'acme-root-1');
  const first = prepared(paths[0], {
    action: initAction([alice, bob, carol], 2),
    policy: { ...TEST_POLICY, tokens },
    enrolments: [
      attestedEnrolment(alice, 'acme-root-1'),
      {
        ...oldCard,
        token: { ...oldCard.token, firmware: '5.4.3' },
        attestation: certificatesOf(bob, { firmware: '5.4.3' }),
      },
      carol.enrolment('acme-root-1'),
    ],
    signers: ['alice', 'bob'],
  });
  signedAndClosed(first, [alice, bob]);
  const { root, policy, previous } = afterwards(first, 1);
  const second = prepared(paths[1], {
    id: 'acme-root-2',
    created: `${dayFromNow(0)}T12:00:00Z`,
    action: { type: 'rotate', leaves: [carol.keyId], enters: [dave.keyId], threshold: null },
    policy,
    previous,
    enrolments: [attestedEnrolment(dave, 'acme-root-2')],
    signers: ['alice', 'bob', 'dave'],
    documents: [{ id: 'root', format: 'tuf', role: 'root', base: [root], authority: null }],
  });
  signedAndClosed(second, [alice, bob, dave]);
});
afterAll(() => {
  temp[Symbol.dispose]();
});

function inventory(minimum: string | undefined, ...folders: readonly string[]): readonly InventoryRow[] {
  const stored = folders.map((path) => readStored(CeremonyFolder.open(path)));
  const roots = takeInventory(stored, minimum);
  expect(roots.map(({ name }) => name)).toEqual([TEST_POLICY.name]);
  return roots.flatMap((root) => root.tokens);
}

function affected(minimum: string, ...folders: readonly string[]): readonly string[] {
  return inventory(minimum, ...folders).flatMap(({ holder, isAffected }) => (isAffected ? [holder] : []));
}

it('has the holders after the last ceremony, with what all of the folders know of their tokens', () => {
  for (const order of [paths, [...paths].reverse()]) {
    const rows = inventory(undefined, ...order);
    expect(
      rows.map(({ holder, firmware, isAttested, enrolledFor }) => [
        holder,
        firmware,
        isAttested,
        enrolledFor,
      ]),
    ).toEqual([
      ['alice', '5.7.1', true, 'acme-root-1'],
      ['bob', '5.4.3', true, 'acme-root-1'],
      ['dave', '5.7.1', true, 'acme-root-2'],
    ]);
    expect(rows.map(({ touchPolicy }) => touchPolicy)).toEqual(['always', 'always', 'always']);
  }
});

it('says of a key whose enrolment is elsewhere what the policy wrote down', () => {
  const [first] = inventory(undefined, paths[1]);
  expect(first).toMatchObject({
    firmware: '5.7.1',
    isAttested: true,
    enrolledFor: null,
    touchPolicy: 'unknown',
  });
});

it('finds tokens that are older, and those of which nobody knows', () => {
  expect(affected('5.7.0', ...paths)).toEqual(['bob']);
  expect(affected('5.4.3', ...paths)).toEqual([]);
  expect(affected('5.10.0', ...paths)).toEqual(['alice', 'bob', 'dave']);
  expect(affected('5.4.3', paths[0])).toEqual(['carol']);
});

it('takes no rehearsal, and no folder that is not what its manifest says', () => {
  const rehearsal = prepared(
    temp.join('rehearsal'),
    { action: initAction([alice, bob], 2), rehearsal: true },
    [alice, bob],
  );
  expect(codeOf(() => readStored(rehearsal.folder))).toBe('ceremony.folder');
  const changed = prepared(temp.join('changed'), { action: initAction([alice, bob], 2) }, [alice, bob]);
  writeFileSync(
    join(changed.path, 'policy.json'),
    `${changed.folder.require('policy.json').toString('utf8')} `,
  );
  expect(codeOf(() => readStored(changed.folder))).toBe('ceremony.check');
});
