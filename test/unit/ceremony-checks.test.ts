/** Every named check with a ceremony that is good and one that is not, in just that respect. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CLOSING_CHECKS, ENTRY_CHECKS } from '../../src/ceremony/checks/all.js';
import { CHECK_NAMES, type CheckName } from '../../src/ceremony/checks/check.js';
import { openDocument } from '../../src/ceremony/document.js';
import type { CeremonyFacts, DocumentFacts } from '../../src/ceremony/facts.js';
import { asLoaded, type Loaded } from '../../src/ceremony/one-form.js';
import { sealMessage } from '../../src/ceremony/seal.js';
import { sealSignature } from '../../src/ceremony/signature-file.js';
import { lineAfter, type TranscriptLine } from '../../src/ceremony/transcript-line.js';
import { sealedFacts } from '../../src/ceremony/vouching.js';
import type { JsonObject } from '../../src/formats/json-object.js';
import { tufKeyOf } from '../../src/formats/tuf/key.js';
import { dayFromNow } from '../support/ceremony-dates.js';
import {
  afterwards,
  initAction,
  openedSession,
  prepared,
  signedAndClosed,
} from '../support/paper-ceremony.js';
import { onlineKey, SoftwareHolder } from '../support/software-holder.js';
import { TempFolder } from '../support/temp-folder.js';

type Enrolled = CeremonyFacts['enrolments'][number]['value'];

const [alice, bob, carol, dave] = ['alice', 'bob', 'carol', 'dave'].map(
  (name) => new SoftwareHolder(name),
) as [SoftwareHolder, SoftwareHolder, SoftwareHolder, SoftwareHolder];
const NAMES_OF_FILES = new Set<CheckName>([
  'MANIFEST-HASH',
  'REQUEST-HASH',
  'TRANSCRIPT-CHAIN',
  'OUTPUT-REPRODUCED',
  'SEAL-VALID',
]);
let temp: TempFolder;
/** Carol's key leaves, Dave's enters; signed by Alice and Bob. */
let rotation: CeremonyFacts;
/** Targets that delegate to a repository. */
let certification: CeremonyFacts;

beforeAll(() => {
  temp = new TempFolder();
  const first = prepared(
    temp.join('one'),
    { action: initAction([alice, bob, carol], 2, [alice.publicKey, bob.publicKey]) },
    [alice, bob, carol],
  );
  signedAndClosed(first, [alice, bob]);
  const { root, policy, previous } = afterwards(first, 1);
  const two = prepared(
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
  rotation = signedFacts(two.path, [alice, bob]);
  const three = prepared(temp.join('three'), {
    id: 'acme-targets-1',
    action: {
      type: 'certify',
      delegations: [{ name: 'repo-app', publicKeys: [onlineKey()], threshold: 1, paths: ['app/*'] }],
      certificates: [],
    },
    policy,
    previous,
    signers: ['alice', 'bob'],
    documents: [{ id: 'targets', format: 'tuf', role: 'targets', base: [], authority: root }],
  });
  using session = openedSession(three.path);
  certification = session.facts;
});
afterAll(() => {
  temp[Symbol.dispose]();
});

function signedFacts(path: string, holders: readonly SoftwareHolder[]): CeremonyFacts {
  using session = openedSession(path);
  for (const holder of holders)
    for (const file of holder.signatures(session.facts)) session.take(file, 'made');
  return session.facts;
}

function failures(facts: CeremonyFacts): readonly CheckName[] {
  const results = [...ENTRY_CHECKS, ...CLOSING_CHECKS].flatMap((check) => check(facts));
  return results.filter(({ passed }) => !passed).map(({ check }) => check);
}

function withRequest(
  facts: CeremonyFacts,
  change: Partial<CeremonyFacts['request']['value']>,
): CeremonyFacts {
  return { ...facts, request: { ...facts.request, value: { ...facts.request.value, ...change } } };
}

function withPolicy(facts: CeremonyFacts, change: Partial<CeremonyFacts['policy']['value']>): CeremonyFacts {
  return { ...facts, policy: { ...facts.policy, value: { ...facts.policy.value, ...change } } };
}

function withDocument(
  facts: CeremonyFacts,
  change: (document: DocumentFacts) => Partial<DocumentFacts>,
): CeremonyFacts {
  return { ...facts, documents: facts.documents.map((one) => ({ ...one, ...change(one) })) };
}

/** The proposed document with other content. */
function proposing(facts: CeremonyFacts, change: (json: Mutable) => void): CeremonyFacts {
  return withDocument(facts, ({ order, proposed }) => {
    const json = JSON.parse(JSON.stringify(proposed.json)) as Mutable;
    change(json);
    return { proposed: openDocument(json, order) };
  });
}

function enrolling(facts: CeremonyFacts, change: Partial<Enrolled>): CeremonyFacts {
  const enrolments: readonly Loaded<Enrolled>[] = facts.enrolments.map(({ value }) =>
    asLoaded({ ...value, ...change }),
  );
  const named = enrolments.map(({ value, sha256 }) => ({ holder: value.holder, sha256 }));
  return withRequest({ ...facts, enrolments }, { enrolments: named });
}

interface Mutable extends JsonObject {
  keys: Record<string, unknown>;
  roles: Record<string, { keyids: string[]; threshold: number }>;
  delegations: { roles: { name: string; paths: string[] }[] };
  version: number;
  expires: string;
  consistent_snapshot?: boolean;
  spec_version: string;
}

function addKey(json: Mutable, role: string, id: string, publicKey: string): void {
  json.keys[id] = tufKeyOf(Buffer.from(publicKey, 'base64'));
  json.roles[role]?.keyids.push(id);
}

const NOTE = { event: 'note', text: 'the bags are back' } as const;
type Line = Pick<TranscriptLine, 'time' | 'actor' | 'event'>;

/** The rotation after another transcript, whose lines follow one another again. */
function afterTranscript(change: (lines: readonly Line[]) => readonly Line[]): CeremonyFacts {
  const previous: TranscriptLine[] = [];
  for (const { time, actor, event } of change(rotation.previous ?? []))
    previous.push(lineAfter(previous.at(-1), { time, actor, event }));
  return withRequest({ ...rotation, previous }, { previous: previous.at(-1)?.hash ?? null });
}

function isNoSeal({ event }: Line): boolean {
  return event.event !== 'sealed';
}

function transcriptSeal(holder: string): Line {
  const found = rotation.previous?.find(({ event }) => event.event === 'sealed' && event.holder === holder);
  if (found === undefined) throw new Error(`${holder} has not sealed`);
  return found;
}

/** Good seals of keys that are in no root. */
function sealedBy(lines: readonly Line[], holders: readonly SoftwareHolder[]): readonly Line[] {
  const facts = sealedFacts(rotation.previous ?? [], false);
  const [first] = lines;
  if (facts === undefined || first === undefined) throw new Error('it is not closed');
  return holders.map((by) => ({
    ...first,
    event: { event: 'sealed', holder: 'alice', keyId: by.keyId, signature: by.sign(sealMessage(facts)) },
  }));
}

const OTHER_FILE = { sha256: '1'.repeat(64) };

const BAD: readonly (readonly [CheckName, string, () => CeremonyFacts])[] = [
  ['POLICY-HASH', 'another policy', () => ({ ...rotation, policy: { ...rotation.policy, ...OTHER_FILE } })],
  [
    'BASE-HASH',
    'another base',
    () => withDocument(rotation, ({ base }) => ({ base: base.map((one) => ({ ...one, ...OTHER_FILE })) })),
  ],
  ['BASE-HASH', 'no base', () => withDocument(rotation, () => ({ base: [] }))],
  [
    'BASE-THRESHOLD',
    'a base with one signature',
    () =>
      withDocument(rotation, ({ base }) => ({
        base: base.map((one) => ({ ...one, signatures: one.signatures.slice(1) })),
      })),
  ],
  [
    'BASE-LATEST',
    'a transcript of another ceremony',
    () => withRequest(rotation, { previous: '2'.repeat(64) }),
  ],
  [
    'BASE-LATEST',
    'a policy that the ceremony before did not leave',
    () => {
      const policy = asLoaded({ ...rotation.policy.value, name: 'another' });
      return withRequest({ ...rotation, policy }, { policy: policy.sha256 });
    },
  ],
  ['BASE-LATEST', 'no transcript', () => ({ ...rotation, previous: undefined })],
  [
    'BASE-LATEST',
    'targets under a root that is not the newest',
    () =>
      withDocument(certification, ({ authority }) => ({
        authority: authority === undefined ? undefined : { ...authority, ...OTHER_FILE },
      })),
  ],
  [
    'BASE-LATEST',
    'a root that begins anew',
    () => withDocument(rotation, ({ order }) => ({ order: { ...order, base: null }, base: [] })),
  ],
  [
    'BASE-LATEST',
    'holders that no ceremony before has named',
    () => withRequest({ ...certification, previous: undefined }, { previous: null }),
  ],
  [
    'PREVIOUS-SEALED',
    'a transcript that nobody has sealed',
    () => afterTranscript((lines) => lines.filter(isNoSeal)),
  ],
  [
    'PREVIOUS-SEALED',
    'one seal too few',
    () =>
      afterTranscript((lines) =>
        lines.filter(({ event }) => event.event !== 'sealed' || event.holder === 'bob'),
      ),
  ],
  [
    'PREVIOUS-SEALED',
    'one seal twice',
    () => {
      const seal = transcriptSeal('bob');
      return afterTranscript((lines) => [...lines.filter(isNoSeal), seal, seal]);
    },
  ],
  [
    'PREVIOUS-SEALED',
    'seals of keys that the transcript itself brings along',
    () =>
      afterTranscript((lines) => [
        ...lines.filter(isNoSeal),
        ...sealedBy(lines, [dave, new SoftwareHolder('erin')]),
      ]),
  ],
  [
    'PREVIOUS-SEALED',
    'seals of an end that is not the last one',
    () =>
      afterTranscript((lines) => {
        const end = lines.findLast(({ event }) => event.event === 'closed');
        return end === undefined ? lines : [...lines, end];
      }),
  ],
  ['PREVIOUS-SEALED', 'one that was not closed', () => afterTranscript((lines) => lines.slice(0, 2))],
  [
    'PREVIOUS-SEALED',
    'no root whose keys could vouch for it',
    () => withDocument(rotation, ({ order }) => ({ order: { ...order, base: null }, base: [] })),
  ],
  [
    'VERSION-NEXT',
    'a version that is left out',
    () => withDocument(rotation, ({ order }) => ({ order: { ...order, version: 3 } })),
  ],
  [
    'PAYLOAD-REPRODUCED',
    'a field more',
    () => proposing(rotation, (json) => Object.assign(json, { 'x-more': 'here' })),
  ],
  [
    'PAYLOAD-REPRODUCED',
    'keys in another order',
    () => proposing(rotation, (json) => json.roles['root']?.keyids.reverse()),
  ],
  [
    'DIFF-DECLARED',
    'a lower threshold',
    () => proposing(rotation, (json) => Object.assign(json.roles['root'] ?? {}, { threshold: 1 })),
  ],
  [
    'DIFF-DECLARED',
    'another timestamp key',
    () =>
      proposing(rotation, (json) => {
        addKey(json, 'timestamp', 'a'.repeat(64), onlineKey());
      }),
  ],
  [
    'DIFF-DECLARED',
    'a field more',
    () => proposing(rotation, (json) => Object.assign(json, { 'x-more': 'here' })),
  ],
  [
    'DIFF-DECLARED',
    'another repository',
    () =>
      proposing(certification, (json) =>
        Object.assign(json.delegations.roles[0] ?? {}, { name: 'repo-other' }),
      ),
  ],
  [
    'KEYID-MATCH',
    'an id that is no hash',
    () =>
      proposing(rotation, (json) => {
        addKey(json, 'root', 'alice', onlineKey());
      }),
  ],
  [
    'KEY-UNIQUE',
    'one key under two ids',
    () =>
      proposing(rotation, (json) => {
        addKey(json, 'root', 'b'.repeat(64), dave.publicKey);
      }),
  ],
  ['KEY-POP', 'a proof for another ceremony', () => enrolling(rotation, dave.enrolment('acme-root-9'))],
  [
    'KEY-POP',
    'a proof of another key',
    () => enrolling(rotation, { proof: alice.enrolment('acme-root-2').proof }),
  ],
  ['KEY-POP', 'no enrolment', () => ({ ...rotation, enrolments: [] })],
  [
    'KEY-POP',
    'a key that enters because the policy names it',
    () => withRequest({ ...rotation, enrolments: [] }, { enrolments: [] }),
  ],
  [
    'KEY-ATTESTED',
    'a policy that asks for it',
    () => withPolicy(rotation, { tokens: { ...rotation.policy.value.tokens, attestation: 'required' } }),
  ],
  [
    'KEY-ATTESTED',
    'what is no certificate',
    () => enrolling(rotation, { attestation: ['-----BEGIN CERTIFICATE-----\n'] }),
  ],
  [
    'KEY-FIRMWARE',
    'firmware that nobody knows',
    () => withPolicy(rotation, { tokens: { ...rotation.policy.value.tokens, minimumFirmware: '5.7.0' } }),
  ],
  ['KEY-SEPARATE', 'a derivation key', () => enrolling(rotation, { derivationKeys: [dave.keyId] })],
  ['SCHEME-PROFILE', 'a scheme that is not allowed', () => withPolicy(rotation, { schemes: ['ed25519'] })],
  [
    'EXPIRY-FORMAT',
    'milliseconds',
    () => proposing(rotation, (json) => (json.expires = `${dayFromNow(364)}T00:00:00.000Z`)),
  ],
  [
    'EXPIRY-WINDOW',
    'longer than the policy allows',
    () => proposing(rotation, (json) => (json.expires = `${dayFromNow(4000)}T00:00:00Z`)),
  ],
  [
    'EXPIRY-WINDOW',
    'shorter than its windows',
    () => proposing(rotation, (json) => (json.expires = `${dayFromNow(28)}T00:00:00Z`)),
  ],
  [
    'THRESHOLD-SANE',
    'all keys needed',
    () => proposing(rotation, (json) => Object.assign(json.roles['root'] ?? {}, { threshold: 3 })),
  ],
  [
    'THRESHOLD-SANE',
    'one key enough',
    () => proposing(rotation, (json) => Object.assign(json.roles['root'] ?? {}, { threshold: 1 })),
  ],
  [
    'OLD-REACHABLE',
    'one holder of the old root',
    () => withRequest(rotation, { signers: ['alice', 'dave'] }),
  ],
  [
    'NEW-REACHABLE',
    'one holder of the new root',
    () => withRequest(rotation, { signers: ['alice', 'carol'] }),
  ],
  [
    'NAME-CHARSET',
    'a name of digits',
    () => proposing(certification, (json) => Object.assign(json.delegations.roles[0] ?? {}, { name: '10' })),
  ],
  [
    'PATTERN-CHARSET',
    'braces',
    () =>
      proposing(certification, (json) =>
        Object.assign(json.delegations.roles[0] ?? {}, { paths: ['d/{a,b}'] }),
      ),
  ],
  [
    'FIELD-PROFILE',
    'no consistent_snapshot',
    () => proposing(rotation, (json) => delete json.consistent_snapshot),
  ],
  [
    'ONLINE-NOT-ROOT',
    'a root key for timestamps',
    () =>
      proposing(rotation, (json) =>
        json.roles['timestamp']?.keyids.push(...(json.roles['root']?.keyids ?? [])),
      ),
  ],
  ['CLOCK-SANE', 'a date before the request', () => ({ ...rotation, today: dayFromNow(-21) })],
  ['CLOCK-SANE', 'a date after the end', () => ({ ...rotation, today: dayFromNow(405) })],
  ['CLOCK-SANE', 'no date', () => ({ ...rotation, today: undefined })],
  [
    'SIZE-LIMITS',
    'more than clients read',
    () => proposing(rotation, (json) => Object.assign(json, { 'x-more': 'x'.repeat(300_000) })),
  ],
  ['SIGNATURE-VALID', 'a signature of another key', () => signingWith({ keyId: dave.keyId })],
  ['SIGNATURE-VALID', 'another token', () => signingWith({ token: { serial: '1', model: 'paper' } })],
  ['SIGNATURE-VALID', 'another request', () => signingWith({ request: '3'.repeat(64) })],
  ['CLIENT-WALK', 'one signature too few', () => ({ ...rotation, signatures: rotation.signatures.slice(1) })],
];

function signingWith(change: Partial<Parameters<typeof sealSignature>[0]>): CeremonyFacts {
  const [first, ...more] = rotation.signatures;
  if (first === undefined) throw new Error('no signature');
  const { format: _f, version: _v, sha256: _s, ...facts } = first.value;
  return { ...rotation, signatures: [asLoaded(sealSignature({ ...facts, ...change })), ...more] };
}

it('has nothing against a good rotation', () => {
  expect(failures(rotation)).toEqual([]);
});

it('has nothing against a good certification but that nobody has signed it', () => {
  expect(failures(certification)).toEqual(['CLIENT-WALK']);
});

it('has nothing against a transcript to which something was added under its seals', () => {
  expect(failures(afterTranscript((lines) => [...lines, { ...transcriptSeal('bob'), event: NOTE }]))).toEqual(
    [],
  );
});

it('goes by nothing that stands in a transcript after its end', () => {
  const policy = asLoaded({ ...rotation.policy.value, name: 'another' });
  const opened = rotation.previous?.find(({ event }) => event.event === 'opened');
  if (opened?.event.event !== 'opened') throw new Error('it was not opened');
  const again = { ...opened, event: { ...opened.event, policy: policy.sha256 } };
  const facts = afterTranscript((lines) => [...lines, again]);
  expect(failures(facts)).toEqual([]);
  expect(failures(withRequest({ ...facts, policy }, { policy: policy.sha256 }))).toContain('BASE-LATEST');
});

it.each(BAD)('%s finds %s', (check, _what, facts) => {
  expect(failures(facts())).toContain(check);
});

it('has a bad example for each name', () => {
  const names = new Set(BAD.map(([name]) => name));
  expect(CHECK_NAMES.filter((name) => !names.has(name) && !NAMES_OF_FILES.has(name))).toEqual([]);
});
