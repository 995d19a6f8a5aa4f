/** A byte that is changed in any file of a ceremony is found by the check that is named for that file. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CheckName } from '../../src/ceremony/checks/check.js';
import { CeremonyFolder } from '../../src/ceremony/folder.js';
import { verifyCeremony } from '../../src/ceremony/verifying.js';
import { afterwards, initAction, prepared, signedAndClosed } from '../support/paper-ceremony.js';
import { SoftwareHolder } from '../support/software-holder.js';
import { TempFolder } from '../support/temp-folder.js';

const RUNS = 15;
const [alice, bob, carol, dave] = ['alice', 'bob', 'carol', 'dave'].map(
  (name) => new SoftwareHolder(name),
) as [SoftwareHolder, SoftwareHolder, SoftwareHolder, SoftwareHolder];
let temp: TempFolder;
let signature: string;

beforeAll(() => {
  temp = new TempFolder();
  const first = prepared(temp.join('one'), { action: initAction([alice, bob, carol], 2) }, [
    alice,
    bob,
    carol,
  ]);
  signedAndClosed(first, [alice, bob]);
  const { root, policy, previous } = afterwards(first, 1);
  const second = prepared(
    temp.join('two'),
    {
      id: 'acme-root-2',
      action: { type: 'rotate', leaves: [carol.keyId], enters: [dave.keyId], threshold: null },
      policy,
      previous,
      signers: ['alice', 'bob', 'dave'],
      documents: [{ id: 'root', format: 'tuf', role: 'root', base: [root], authority: null }],
    },
    [dave],
  );
  signedAndClosed(second, [alice, bob, dave]);
  signature = `sig-root-v2-${alice.keyId.slice(0, 16)}.json`;
});
afterAll(() => {
  temp[Symbol.dispose]();
});

function failures(path: string): readonly CheckName[] {
  const { checks } = verifyCeremony(CeremonyFolder.open(path));
  return checks.filter(({ passed, waivedBy }) => !passed && waivedBy === '').map(({ check }) => check);
}

/** One bit of one byte changed at each of some places, judged, and put back. */
function forFlips(file: string, reseal: boolean, judge: (failed: readonly CheckName[]) => void): void {
  const folder = temp.join(`copy-${String(reseal)}-${file.replaceAll('/', '-')}`);
  cpSync(temp.join('two'), folder, { recursive: true });
  const bytes = readFileSync(`${folder}/${file}`);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 7 }), (at, bit) => {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ (1 << bit);
      writeFileSync(`${folder}/${file}`, changed);
      if (reseal) CeremonyFolder.open(folder).seal();
      judge(failures(folder));
    }),
    { numRuns: RUNS },
  );
}

const FILES: readonly (readonly [string, CheckName])[] = [
  ['request.json', 'REQUEST-HASH'],
  ['policy.json', 'POLICY-HASH'],
  ['base/1.root.json', 'BASE-HASH'],
  ['previous-transcript.jsonl', 'BASE-LATEST'],
  ['enrol-dave.json', 'KEY-POP'],
  ['transcript.jsonl', 'TRANSCRIPT-CHAIN'],
  ['out/2.root.json', 'OUTPUT-REPRODUCED'],
  ['out/policy.json', 'OUTPUT-REPRODUCED'],
];

describe('a changed byte', () => {
  it('is nowhere in a ceremony as it was', () => {
    expect(failures(temp.join('two'))).toEqual([]);
  });

  it.each(FILES)('of %s fails %s', { timeout: 120_000 }, (file, check) => {
    forFlips(file, false, (failed) => {
      expect(failed).toContain(check);
    });
  });

  it('of a signature file fails SIGNATURE-VALID', { timeout: 120_000 }, () => {
    forFlips(signature, false, (failed) => {
      expect(failed).toContain('SIGNATURE-VALID');
    });
  });

  it.each(FILES)('of %s is found even when MANIFEST is made anew', { timeout: 120_000 }, (file) => {
    forFlips(file, true, (failed) => {
      expect(failed).not.toEqual([]);
    });
  });

  it('of MANIFEST itself is found', { timeout: 120_000 }, () => {
    forFlips('MANIFEST', false, (failed) => {
      expect(failed).not.toEqual([]);
    });
  });
});
