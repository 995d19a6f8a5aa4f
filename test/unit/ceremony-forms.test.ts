/** Ceremonies for what is no root of TUF: roots of a notary-server, targets, certificates of keys; and rehearsals of them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeCeremony, outputsOf } from '../../src/ceremony/closing.js';
import { changesOf } from '../../src/ceremony/diff.js';
import { readOnlineKeys, writeOnlineKeys } from '../../src/ceremony/online-keys.js';
import type { Preparation } from '../../src/ceremony/preparing.js';
import { CeremonySession } from '../../src/ceremony/session.js';
import { sealFactsOf, takeSeal } from '../../src/ceremony/sealing.js';
import { sealMessage } from '../../src/ceremony/seal.js';
import { verifyCeremony } from '../../src/ceremony/verifying.js';
import { encodePem } from '../../src/encoding/pem.js';
import { certificateRoots, verifyKeyCertificate } from '../../src/formats/key-certificate/verify.js';
import { readEnvelope } from '../../src/formats/notary1/reader.js';
import { signersOf } from '../../src/formats/notary1/signature.js';
import { readTufRoot, readTufTargets } from '../../src/formats/tuf/reader.js';
import { countSignatures } from '../../src/formats/tuf/verify.js';
import { buildTbs, sealTbs } from '../../src/formats/x509-tbs.js';
import type { Enrolment } from '../../src/ceremony/enrolment.js';
import { CREATED, dayFromNow, EXPIRES } from '../support/ceremony-dates.js';
import { codeOf, thrownBy } from '../support/error-code.js';
import {
  afterwards,
  initAction,
  openedSession,
  prepared,
  seal,
  signedAndClosed,
  waive,
} from '../support/paper-ceremony.js';
import { onlineKey, SoftwareHolder } from '../support/software-holder.js';
import { TempFolder } from '../support/temp-folder.js';

const LATER = `${dayFromNow(405)}T00:00:00Z`;
const REPOSITORIES = ['registry.example/acme/app', 'registry.example/acme/tool'];
const [alice, bob, carol, dave] = ['alice', 'bob', 'carol', 'dave'].map(
  (name) => new SoftwareHolder(name),
) as [SoftwareHolder, SoftwareHolder, SoftwareHolder, SoftwareHolder];
let temp: TempFolder;

beforeEach(() => {
  temp = new TempFolder();
});
afterEach(() => {
  temp[Symbol.dispose]();
});

/** An enrolment with certificates of the key for both repositories. */
function certified(holder: SoftwareHolder, ceremony: string): Enrolment {
  const spki = Buffer.from(holder.publicKey, 'base64');
  const certificates = REPOSITORIES.map((repository) => {
    const tbs = buildTbs({
      profile: 'repository',
      serial: Buffer.from('40'.repeat(16), 'hex'),
      issuer: { CN: repository },
      subject: { CN: repository },
      notBefore: new Date(`${dayFromNow(-21)}T00:00:00Z`),
      notAfter: new Date('2036-11-01T00:00:00Z'),
      spki,
      issuerSpki: spki,
    });
    const pem = encodePem('CERTIFICATE', sealTbs(tbs, Buffer.from(holder.sign(tbs), 'hex')));
    return { repository, pem };
  });
  return holder.enrolment(ceremony, { certificates });
}

describe('roots of a notary-server', () => {
  it('are made and rotated for several repositories in one go', () => {
    const three = [alice, bob, carol];
    const documents = REPOSITORIES.map(
      (name) => ({ id: `${name}#root`, format: 'notary1', role: 'root', base: [], authority: null }) as const,
    );
    const first = prepared(
      temp.join('one'),
      {
        action: initAction(three, 2),
        enrolments: three.map((one) => certified(one, 'acme-root-1')),
        documents,
      },
      three,
    );
    const { outputs } = signedAndClosed(first, [carol, alice]);
    const roots = outputs.slice(0, 2).map(({ bytes }) => bytes);
    for (const [at, bytes] of roots.entries()) {
      const { document, signedBytes, signatures } = readEnvelope(bytes, 'root');
      expect(signersOf(signedBytes, signatures, document.roles.root.keyids, document.keys)).toHaveLength(2);
      expect(bytes.toString()).toMatch(/^\{"signed":\{"_type":"Root",.*\}\]\}$/);
      expect(outputs[at]?.file).toMatch(
        /^out\/registry\.example_acme_(app|tool)\.[0-9a-f]{8}\/1\.root\.json$/,
      );
    }
    const policy = JSON.parse(first.folder.require('out/policy.json').toString('utf8')) as ReturnType<
      typeof afterwards
    >['policy'];
    const second = prepared(
      temp.join('two'),
      {
        id: 'acme-root-2',
        action: { type: 'rotate', leaves: [carol.keyId], enters: [dave.keyId], threshold: null },
        policy,
        enrolments: [certified(dave, 'acme-root-2')],
        previous: first.folder.require('transcript.jsonl'),
        signers: ['alice', 'bob', 'dave'],
        documents: documents.map((one, at) => ({ ...one, base: roots.slice(at, at + 1) })),
      },
      [dave],
    );
    const rotated = signedAndClosed(second, [alice, bob, dave]).outputs[0];
    const [old, next] = [roots[0], rotated?.bytes].map((bytes) =>
      readEnvelope(bytes ?? Buffer.alloc(0), 'root'),
    );
    if (old === undefined || next === undefined) throw new Error('no root');
    expect(next.document.version).toBe(2);
    const { root } = old.document.roles;
    expect(signersOf(next.signedBytes, next.signatures, root.keyids, old.document.keys)).toHaveLength(2);
    const own = next.document.roles.root.keyids;
    expect(signersOf(next.signedBytes, next.signatures, own, next.document.keys)).toHaveLength(3);
  });

  it('are not made with a certificate that names another repository', () => {
    const enrolment = certified(alice, 'acme-root-1');
    const [first, second] = enrolment.certificates;
    const certificates = [{ repository: first?.repository ?? '', pem: second?.pem ?? '' }];
    const made = (): unknown =>
      prepared(temp.join('one'), {
        action: initAction([alice], 1),
        enrolments: [{ ...enrolment, certificates }],
        documents: [
          { id: `${REPOSITORIES[0]}#root`, format: 'notary1', role: 'root', base: [], authority: null },
        ],
      });
    expect(thrownBy(made).message).toContain('is made out to another repository');
  });

  it('take the keys that were collected for them from a file of one form', () => {
    const action = initAction([alice], 1);
    const online = action.type === 'init' ? action.online : [];
    const file = writeOnlineKeys(online);
    expect(readOnlineKeys(file, 'online-keys.json')).toEqual(online);
    const changed = Buffer.from(file.toString('utf8').replace('"timestamp"', '"root"'));
    expect(codeOf(() => readOnlineKeys(changed, 'online-keys.json'))).toBe('ceremony.file');
  });
});

/** A root of alice, bob and carol, who hold the targets too. */
function rooted(): ReturnType<typeof afterwards> {
  const three = [alice, bob, carol];
  const folder = prepared(
    temp.join('root'),
    { action: initAction(three, 2, [alice.publicKey, bob.publicKey]) },
    three,
  );
  signedAndClosed(folder, [alice, bob]);
  return afterwards(folder, 1);
}

describe('repositories', () => {
  it('are certified in targets, and taken back', () => {
    const { root, policy, previous } = rooted();
    const target = { id: 'targets', format: 'tuf', role: 'targets', authority: root } as const;
    const more = { policy, previous, signers: ['alice', 'bob'] };
    const one = prepared(temp.join('one'), {
      ...more,
      id: 'targets-1',
      action: {
        type: 'certify',
        delegations: ['app', 'tool'].map((name) => ({
          name: `repo-${name}`,
          publicKeys: [onlineKey(), onlineKey()],
          threshold: 2,
          paths: [`${name}/*`],
        })),
        certificates: [],
      },
      documents: [{ ...target, base: [] }],
    });
    const first = signedAndClosed(one, [bob, alice]).outputs[0]?.bytes ?? Buffer.alloc(0);
    const names = (bytes: Buffer): readonly string[] | undefined =>
      readTufTargets(bytes).signed.delegations?.roles?.map(
        ({ name, terminating }) => `${name} ${String(terminating)}`,
      );
    expect(names(first)).toEqual(['repo-app true', 'repo-tool true']);
    const { keys, roles } = readTufRoot(root).signed;
    expect(countSignatures(readTufTargets(first), keys, roles.targets).isMet).toBe(true);
    const two = prepared(temp.join('two'), {
      ...more,
      id: 'targets-2',
      action: {
        type: 'revoke',
        leaves: [],
        enters: [],
        threshold: null,
        delegations: ['repo-app'],
        certificates: [],
      },
      documents: [{ ...target, base: [first] }],
    });
    const second = signedAndClosed(two, [alice, bob]).outputs[0]?.bytes ?? Buffer.alloc(0);
    expect(names(second)).toEqual(['repo-tool true']);
    expect(readTufTargets(second).signed.delegations?.keys.size).toBe(2);
  });

  it('get certificates for their keys that the agent takes', () => {
    const { root, policy, previous } = rooted();
    const key = new SoftwareHolder('leaf');
    const order = {
      repository: 'registry.example/acme/app',
      role: 'cosign',
      publicKey: key.publicKey,
      keyId: key.keyId,
      algorithm: 'ecdsa-p256',
      epoch: 1,
      kinds: ['dsse:*'],
      notBefore: CREATED,
      notAfter: EXPIRES,
      previous: null,
    } as const;
    const folder = prepared(temp.join('one'), {
      id: 'certify-1',
      action: { type: 'certify', delegations: [], certificates: [order] },
      policy,
      previous,
      signers: ['alice', 'bob', 'carol'],
      documents: [
        {
          id: 'registry.example/acme/app#cosign@1',
          format: 'certificate',
          role: 'root',
          base: [],
          authority: root,
        },
      ],
    });
    const { outputs } = signedAndClosed(folder, [carol, bob]);
    expect(outputs[0]?.file).toMatch(
      /^out\/registry\.example_acme_app_cosign_1\.[0-9a-f]{8}\.certificate\.json$/,
    );
    const roots = certificateRoots(
      [alice, bob, carol].map((one) => Buffer.from(one.publicKey, 'base64')),
      2,
    );
    const { certificate, signers } = verifyKeyCertificate(outputs[0]?.bytes ?? '', roots);
    expect(certificate).toMatchObject({ action: 'certify', keyId: key.keyId, epoch: 1 });
    expect(signers).toHaveLength(2);
    expect(
      verifyCeremony(folder.folder).checks.filter(({ passed, waivedBy }) => !passed && waivedBy === ''),
    ).toEqual([]);
  });
});

describe('a rehearsal', () => {
  it('is the same in everything, and verifies nowhere', () => {
    const three = [alice, bob, carol];
    const action = initAction(three, 2);
    const real = prepared(temp.join('real'), { action }, three);
    const rehearsal = prepared(temp.join('rehearsal'), { action, rehearsal: true }, three);
    const { outputs } = signedAndClosed(rehearsal, [alice, bob]);
    expect(outputs.map(({ file }) => file)).toEqual([
      'out/REHEARSAL-1.root.json',
      'out/REHEARSAL-policy.json',
    ]);
    const bytes = outputs[0]?.bytes ?? Buffer.alloc(0);
    expect(codeOf(() => readTufRoot(bytes))).toBe('tuf.document');
    // Not even when somebody takes the mark away.
    const unmarked = Buffer.from(bytes.toString().replace('REHEARSAL-', ''));
    const { signed, signatures } = readTufRoot(unmarked);
    expect(countSignatures({ signed, signatures }, signed.keys, signed.roles.root).good).toEqual([]);
    using session = openedSession(real.path);
    using rehearsed = CeremonySession.open(rehearsal.path);
    for (const { value } of rehearsed.facts.signatures) {
      expect(codeOf(() => session.take(value, 'added'))).toBe('ceremony.signature');
    }
    expect(verifyCeremony(rehearsal.folder).checks.every(({ passed }) => passed)).toBe(true);
  });
});

describe('the seal', () => {
  it('is over everything up to the end, and found when it is wrong', () => {
    const three = [alice, bob, carol];
    const folder = prepared(temp.join('one'), { action: initAction(three, 2) }, three);
    signedAndClosed(folder, [alice, bob], []);
    using session = CeremonySession.open(folder.path);
    const facts = sealFactsOf(session.transcript.lines, session.facts);
    if (facts === undefined) throw new Error('not closed');
    const seal = { holder: 'alice', keyId: alice.keyId, signature: alice.sign(sealMessage(facts)) };
    expect(codeOf(() => takeSeal(session, { ...seal, signature: bob.sign(sealMessage(facts)) }))).toBe(
      'ceremony.signature',
    );
    expect(codeOf(() => takeSeal(session, { ...seal, holder: 'bob' }))).toBe('ceremony.signature');
    expect(takeSeal(session, seal)).toBe(true);
    expect(takeSeal(session, seal)).toBe(false);
    expect(verifyCeremony(folder.folder).checks.find(({ check }) => check === 'SEAL-VALID')).toMatchObject({
      passed: true,
      subject: 'alice',
    });
  });
});

it('says what an extension changes, and that it changes nothing else', () => {
  const { root, policy, previous } = rooted();
  const folder = prepared(temp.join('two'), {
    id: 'acme-root-2',
    action: { type: 'extend' },
    expires: LATER,
    policy,
    previous,
    signers: ['alice', 'bob'],
    documents: [{ id: 'root', format: 'tuf', role: 'root', base: [root], authority: null }],
  });
  using session = openedSession(folder.path);
  const [document] = session.facts.documents;
  if (document === undefined) throw new Error('no document');
  expect(changesOf(document.base[0]?.document, document.proposed)).toEqual([
    { kind: 'version', from: 1, to: 2 },
    { kind: 'expires', from: EXPIRES, to: LATER },
  ]);
  expect(outputsOf(session.facts, false)[0]?.file).toBe('out/2.root.json');
});

it('raises the threshold, changes online keys, and brings earlier content back', () => {
  const one = rooted();
  const key = onlineKey();
  const steps: readonly Preparation['action'][] = [
    { type: 'threshold', threshold: 3 },
    { type: 'online-keys', online: [{ document: null, role: 'timestamp', publicKeys: [key], threshold: 1 }] },
    { type: 'heal', from: 1 },
  ];
  const roots = [one.root];
  let { policy, previous } = one;
  for (const [at, action] of steps.entries()) {
    const folder = prepared(temp.join(`step-${at}`), {
      id: `step-${at}`,
      action,
      policy: { ...policy, threshold: { min: 2, max: 5 } },
      previous,
      signers: ['alice', 'bob', 'carol'],
      documents: [{ id: 'root', format: 'tuf', role: 'root', base: roots, authority: null }],
    });
    using session = openedSession(folder.path);
    waive(session, 'THRESHOLD-SANE', 'alice');
    for (const holder of [alice, bob, carol])
      for (const file of holder.signatures(session.facts)) session.take(file, 'made');
    closeCeremony(session, false);
    for (const holder of [alice, bob, carol]) seal(session, holder);
    const after = afterwards(folder, at + 2);
    roots.push(after.root);
    ({ policy, previous } = after);
  }
  const [first, second, third, fourth] = roots.map((bytes) => readTufRoot(bytes).signed);
  expect([second, third, fourth].map((root) => root?.roles.root.threshold)).toEqual([3, 3, 2]);
  expect(third?.roles.timestamp.keyids).not.toEqual(first?.roles.timestamp.keyids);
  expect(fourth).toMatchObject({
    version: 4,
    keys: first?.keys,
    roles: { timestamp: { keyids: first?.roles.timestamp.keyids } },
  });
});
