/** KEY-ATTESTED and KEY-FIRMWARE: a holder whose card vouches for the key, and everything that can be wrong with that. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ENTRY_CHECKS } from '../../src/ceremony/checks/all.js';
import type { CheckName, CheckResult } from '../../src/ceremony/checks/check.js';
import type { Enrolment } from '../../src/ceremony/enrolment.js';
import type { CeremonyFacts } from '../../src/ceremony/facts.js';
import { asLoaded } from '../../src/ceremony/one-form.js';
import type { CeremonyPolicy } from '../../src/ceremony/policy.js';
import { attestedEnrolment, certificatesOf, keyOf } from '../support/attested-enrolment.js';
import { initAction, openedSession, prepared, signedAndClosed } from '../support/paper-ceremony.js';
import { SoftwareHolder, TEST_POLICY } from '../support/software-holder.js';
import { TempFolder } from '../support/temp-folder.js';
import {
  attestationAuthority,
  AttestationAuthority,
} from '../support/virtual-yubikey/attestation-authority.js';

const CEREMONY = 'acme-root-1';
const STRICT: CeremonyPolicy['tokens'] = {
  attestation: 'required',
  anchors: [attestationAuthority().pem],
  minimumFirmware: '5.7.0',
  pin: 'once',
  touch: 'always',
};
const [alice, bob, carol] = ['alice', 'bob', 'carol'].map((name) => new SoftwareHolder(name)) as [
  SoftwareHolder,
  SoftwareHolder,
  SoftwareHolder,
];
const good = attestedEnrolment(alice, CEREMONY);
const older = { ...good.token, firmware: '5.4.3' };
let temp: TempFolder;
let facts: CeremonyFacts;
let policyAfter: Buffer;

beforeAll(() => {
  temp = new TempFolder();
  const holders = [alice, bob, carol];
  const folder = prepared(temp.join('one'), {
    action: initAction(holders, 2),
    policy: { ...TEST_POLICY, tokens: STRICT },
    enrolments: holders.map((holder) => attestedEnrolment(holder, CEREMONY)),
    signers: holders.map(({ name }) => name),
  });
  signedAndClosed(folder, [alice, bob]);
  policyAfter = folder.folder.require('out/policy.json');
  using session = openedSession(folder.path);
  facts = session.facts;
});
afterAll(() => {
  temp[Symbol.dispose]();
});

/** What is found where Alice's enrolment, or what the policy asks of tokens, is another. */
function found(
  change: Partial<Enrolment>,
  tokens: Partial<CeremonyPolicy['tokens']> = {},
): readonly CheckResult[] {
  const { policy } = facts;
  const changed: CeremonyFacts = {
    ...facts,
    policy: { ...policy, value: { ...policy.value, tokens: { ...STRICT, ...tokens } } },
    enrolments: facts.enrolments.map((one) =>
      one.value.holder === 'alice' ? asLoaded({ ...one.value, ...change }) : one,
    ),
  };
  return ENTRY_CHECKS.flatMap((check) => check(changed));
}

/** Checks about tokens that fail for Alice, each with its reason. */
function failures(...asked: Parameters<typeof found>): Partial<Record<CheckName, string>> {
  const failed = found(...asked).filter(
    ({ check, passed, subject }) =>
      !passed && subject === 'alice' && ['KEY-ATTESTED', 'KEY-FIRMWARE'].includes(check),
  );
  return Object.fromEntries(failed.map(({ check, says }) => [check, says]));
}

it('takes cards whose maker the policy names, and writes down that they are attested', () => {
  expect(failures({})).toEqual({});
  const said = found({}).find(({ check, subject }) => check === 'KEY-ATTESTED' && subject === 'alice');
  expect(said?.says).toBe(`its maker vouches for the key on YubiKey ${alice.serial}`);
  const after = JSON.parse(policyAfter.toString('utf8')) as CeremonyPolicy;
  const tokens = after.holders.flatMap((holder) => holder.tokens);
  expect(tokens.map(({ attested, firmware }) => [attested, firmware])).toEqual(
    Array(3).fill([true, '5.7.1']),
  );
});

const ATTESTED: readonly (readonly [string, Partial<Enrolment>, string])[] = [
  ['of another key', { attestation: certificatesOf(alice, { publicKey: keyOf(bob) }) }, 'about another key'],
  ['of another card', { attestation: certificatesOf(alice, { serial: 7 }) }, 'is about token 7, not'],
  ['of another slot', { attestation: certificatesOf(alice, { slot: 0x82 }) }, 'slot 82, the enrolment 9c'],
  ['that is missing', { attestation: [] }, 'not attested'],
  ['without the certificate of the card', { attestation: [certificatesOf(alice)[0]] }, 'lead to no maker'],
  ['in the wrong order', { attestation: [...certificatesOf(alice)].reverse() }, 'about another key'],
  [
    'of a maker that nobody named',
    { attestation: certificatesOf(alice, { vendor: new AttestationAuthority() }) },
    'lead to no maker',
  ],
  [
    'of a card, with the certificate of a card of another maker',
    {
      attestation: [
        certificatesOf(alice, { vendor: new AttestationAuthority() })[0],
        certificatesOf(alice)[1],
      ],
    },
    'not signed by the one after it',
  ],
  [
    'that knows an older firmware',
    { attestation: certificatesOf(alice, { firmware: '5.4.3' }) },
    'firmware 5.4.3',
  ],
  [
    'that knows of no touch',
    { attestation: certificatesOf(alice, { policies: { pin: 'once', touch: 'never' } }) },
    'touch never, the enrolment always',
  ],
  [
    'that knows of no PIN',
    { attestation: certificatesOf(alice, { policies: { pin: 'never', touch: 'always' } }) },
    'PIN never, the enrolment once',
  ],
];

it.each(ATTESTED)('KEY-ATTESTED finds an attestation %s', (_what, change, words) => {
  expect(failures(change)).toEqual({ 'KEY-ATTESTED': expect.stringContaining(words) as string });
});

it('KEY-FIRMWARE finds a card that is too old, also where the maker vouches for it', () => {
  const attestation = certificatesOf(alice, { firmware: '5.4.3' });
  expect(failures({ token: older, attestation })).toEqual({
    'KEY-FIRMWARE': 'firmware 5.4.3 is below 5.7.0',
  });
  expect(failures({ token: older, attestation }, { minimumFirmware: '5.4.3' })).toEqual({});
  expect(
    failures({ token: { ...good.token, firmware: '5.10.0' }, attestation: [] }, { attestation: 'optional' }),
  ).toEqual({});
});

it.each([
  [{ pin: 'never', touch: 'always' }, 'the PIN is asked never, not once'],
  [{ pin: 'once', touch: 'never' }, 'touch is never, not always'],
  [{ pin: 'once', touch: 'cached' }, 'touch is cached, not always'],
] as const)('KEY-FIRMWARE finds the policies %o of an honest card', (policies, says) => {
  const attestation = certificatesOf(alice, { policies });
  expect(failures({ attestation, pinPolicy: policies.pin, touchPolicy: policies.touch })).toEqual({
    'KEY-FIRMWARE': says,
  });
});

it('says plainly that nobody vouches, where the policy leaves that open', () => {
  const optional = { ...STRICT, attestation: 'optional' } as const;
  const says = (change: Partial<Enrolment>, tokens: CeremonyPolicy['tokens']): readonly string[] =>
    found(change, tokens)
      .filter(({ check, subject, passed }) => check === 'KEY-ATTESTED' && subject === 'alice' && passed)
      .map((one) => one.says);
  expect(says({ attestation: [] }, optional)).toEqual([
    'not attested: YubiKey has no certificate of its maker',
  ]);
  expect(says({}, { ...optional, anchors: [] })).toEqual([
    'not attested: the policy names no maker to check its certificates by',
  ]);
  // What is handed in has to hold, whether it was asked for or not.
  expect(says({ attestation: certificatesOf(alice, { serial: 7 }) }, { ...optional, anchors: [] })).toEqual(
    [],
  );
  expect(
    says({ attestation: certificatesOf(alice, { vendor: new AttestationAuthority() }) }, optional),
  ).toEqual([]);
});
