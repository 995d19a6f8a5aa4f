/** What is published beside the versions before it has to follow from what is there, not only from what its folder says. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { importInto, type SignedOutput } from '../../src/ceremony/importing.js';
import { CeremonySession } from '../../src/ceremony/session.js';
import { thrownBy } from '../support/error-code.js';
import { afterwards, initAction, prepared, signedAndClosed } from '../support/paper-ceremony.js';
import { onlineKey, SoftwareHolder } from '../support/software-holder.js';
import { TempFolder } from '../support/temp-folder.js';

const [alice, bob, carol] = ['alice', 'bob', 'carol'].map((name) => new SoftwareHolder(name)) as [
  SoftwareHolder,
  SoftwareHolder,
  SoftwareHolder,
];
let temp: TempFolder;
let directory: string;

beforeEach(() => {
  temp = new TempFolder();
  directory = temp.join('metadata');
  mkdirSync(directory);
});
afterEach(() => {
  temp[Symbol.dispose]();
});

/** A root whose targets one of these holders signs alone. */
function rootOf(name: string, holder: SoftwareHolder): ReturnType<typeof afterwards> {
  const three = [alice, bob, carol];
  const folder = prepared(temp.join(name), { action: initAction(three, 2, [holder.publicKey]) }, three);
  signedAndClosed(folder, [alice, bob]);
  return afterwards(folder, 1);
}

/** First targets under a root, signed by the holder that it names. */
function targetsUnder(
  { root, policy, previous }: ReturnType<typeof afterwards>,
  holder: SoftwareHolder,
): SignedOutput {
  const folder = prepared(temp.join('targets'), {
    id: 'targets-1',
    action: {
      type: 'certify',
      delegations: [{ name: 'repo-app', publicKeys: [onlineKey()], threshold: 1, paths: ['app/*'] }],
      certificates: [],
    },
    policy,
    previous,
    signers: [holder.name],
    documents: [{ id: 'targets', format: 'tuf', role: 'targets', base: [], authority: root }],
  });
  const [output] = signedAndClosed(folder, [holder]).outputs;
  using session = CeremonySession.open(folder.path);
  const [document] = session.facts.documents;
  if (output === undefined || document === undefined) throw new Error('no output');
  return { document, bytes: output.bytes };
}

it('takes targets under the root that is there', () => {
  const real = rootOf('real', alice);
  writeFileSync(join(directory, '1.root.json'), real.root);
  importInto(directory, [targetsUnder(real, alice)]);
  expect(readdirSync(directory).sort()).toEqual(['1.root.json', '1.targets.json']);
});

it('takes no targets under a root that is not there, or is not the newest', () => {
  const [real, other] = [rootOf('real', alice), rootOf('other', bob)];
  const forged = targetsUnder(other, bob);
  const take = (): unknown => importInto(directory, [forged]);
  expect(thrownBy(take).code).toBe('ceremony.import');
  writeFileSync(join(directory, '1.root.json'), real.root);
  expect(thrownBy(take).message).toContain('1.root.json');
  writeFileSync(join(directory, '1.root.json'), other.root);
  writeFileSync(join(directory, '2.root.json'), real.root);
  expect(thrownBy(take).message).toContain('2.root.json');
  expect(readdirSync(directory).sort()).toEqual(['1.root.json', '2.root.json']);
});
