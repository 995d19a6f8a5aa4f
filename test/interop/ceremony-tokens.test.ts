/** Root ceremonies with holders' tokens: four SoftHSM stores, real agents, on one machine and on several. */
import { execFileSync } from 'node:child_process';
import { cpSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Enrolment } from '../../src/ceremony/enrolment.js';
import { closeCeremony } from '../../src/ceremony/closing.js';
import { findHolderToken } from '../../src/ceremony/holder.js';
import { remainingTurns } from '../../src/ceremony/signing.js';
import { publicKeyPem } from '../../src/crypto/public-key.js';
import { readTufRoot } from '../../src/formats/tuf/reader.js';
import { walkRoots } from '../../src/formats/tuf/root-chain.js';
import { CeremonyRoom } from '../support/ceremony-room.js';
import { TODAY } from '../support/ceremony-dates.js';
import { afterwards, openedSession, prepared, waive, type PaperFolder } from '../support/paper-ceremony.js';
import { rejectionOf } from '../support/rejection.js';
import { onlineKey, TEST_POLICY } from '../support/software-holder.js';
import { SoftHsmStore } from '../support/softhsm-store.js';
import { TempFolder } from '../support/temp-folder.js';

const HOLDERS = ['alice', 'bob', 'carol', 'dave'] as const;
const TUF_ROOT = { id: 'root', format: 'tuf', role: 'root', authority: null } as const;

let temp: TempFolder;
let room: CeremonyRoom;
const stores = new Map<string, SoftHsmStore>(HOLDERS.map((name) => [name, new SoftHsmStore(name)]));
const enrolments = new Map<string, Enrolment>();

beforeAll(async () => {
  temp = new TempFolder();
  room = await CeremonyRoom.open(stores);
  for (const name of ['alice', 'bob', 'carol']) enrolments.set(name, await room.enrol(name, 'acme-root-1'));
  enrolments.set('dave', await room.enrol('dave', 'acme-root-2'));
});
afterAll(async () => {
  await room[Symbol.asyncDispose]();
  for (const store of stores.values()) store[Symbol.dispose]();
  temp[Symbol.dispose]();
});

function enrolled(...names: readonly string[]): readonly Enrolment[] {
  return names.map((name) => {
    const one = enrolments.get(name);
    if (one === undefined) throw new Error(`nobody has enrolled ${name}`);
    return one;
  });
}

let folders = 0;

/** The first root, 2 of alice, bob and carol, not signed yet. */
function firstCeremony(): PaperFolder {
  folders += 1;
  const three = enrolled('alice', 'bob', 'carol');
  return prepared(temp.join(`first-${folders}`), {
    action: {
      type: 'init',
      enters: three.map(({ keyId }) => keyId),
      threshold: 2,
      online: (['targets', 'snapshot', 'timestamp'] as const).map((role) => ({
        document: null,
        role,
        publicKeys: [onlineKey()],
        threshold: 1,
      })),
    },
    // The guard of the agent knows one version 1 of each root.
    policy: { ...TEST_POLICY, name: `acme ${folders}` },
    enrolments: three,
    signers: ['alice', 'bob', 'carol'],
  });
}

async function play(folder: PaperFolder, ...holders: readonly string[]): Promise<void> {
  using session = openedSession(folder.path, TODAY);
  waive(session, 'BASE-LATEST', 'alice');
  await room.sign(session, ...holders);
  closeCeremony(session, false);
  await room.seal(session);
}

describe('enrolment', () => {
  it('takes one PIN, proves possession, and says that SoftHSM attests nothing', () => {
    const [alice] = enrolled('alice');
    expect(alice).toMatchObject({ ceremony: 'acme-root-1', holder: 'alice', attestation: [], bag: 'bag 7' });
    expect(alice?.token.model).toBe('SoftHSM v2');
    // Four holders, one entry each.
    expect(room.entries).toBe(4);
    expect(alice?.derivationKeys).toHaveLength(1);
    expect(alice?.derivationKeys).not.toContain(alice?.keyId);
  });

  it('makes no second key on a token unless its serial number was typed', async () => {
    expect((await rejectionOf(room.enrol('alice', 'acme-root-9'))).code).toBe('token.object-exists');
    const wrong = room.enrol('alice', 'acme-root-9', { confirmedSerial: 'another' });
    expect((await rejectionOf(wrong)).code).toBe('token.object-exists');
  });

  it('takes the key that is there, for another ceremony', async () => {
    const [alice] = enrolled('alice');
    const again = await room.enrol('alice', 'acme-root-9', { publicKey: alice?.publicKey });
    expect(again).toMatchObject({ keyId: alice?.keyId, ceremony: 'acme-root-9' });
    expect(again.proof).not.toBe(alice?.proof);
  });
});

it('goes from the first root to the third, with a holder swapped and a threshold raised', async () => {
  const one = firstCeremony();
  await play(one, 'alice', 'carol');
  const afterOne = afterwards(one, 1);
  const [carol, dave] = enrolled('carol', 'dave');
  const two = prepared(temp.join('two'), {
    id: 'acme-root-2',
    action: { type: 'rotate', leaves: [carol?.keyId ?? ''], enters: [dave?.keyId ?? ''], threshold: null },
    policy: afterOne.policy,
    previous: afterOne.previous,
    enrolments: enrolled('dave'),
    signers: ['alice', 'bob', 'dave'],
    documents: [{ ...TUF_ROOT, base: [afterOne.root] }],
  });
  await play(two, 'dave', 'bob', 'alice');
  const afterTwo = afterwards(two, 2);
  const three = prepared(temp.join('three'), {
    id: 'acme-root-3',
    action: { type: 'threshold', threshold: 3 },
    policy: afterTwo.policy,
    previous: afterTwo.previous,
    enrolments: [],
    signers: ['alice', 'bob', 'dave'],
    documents: [{ ...TUF_ROOT, base: [afterOne.root, afterTwo.root] }],
  });
  using session = openedSession(three.path, TODAY);
  for (const check of ['BASE-LATEST', 'THRESHOLD-SANE']) waive(session, check, 'alice');
  await room.sign(session, 'alice', 'bob', 'dave');
  closeCeremony(session, false);
  const roots = [afterOne.root, afterTwo.root, afterwards(three, 3).root].map(readTufRoot);
  const [first, ...next] = roots;
  if (first === undefined) throw new Error('no root');
  const last = walkRoots(first, next);
  expect(last.signed.roles.root).toMatchObject({ threshold: 3 });
  // OpenSSL says the same of the signature of each holder.
  const files = three.folder.names().filter((name) => name.startsWith('sig-'));
  expect(files).toHaveLength(3);
  for (const name of files) {
    const file = JSON.parse(three.folder.require(name).toString('utf8')) as {
      readonly keyId: string;
      readonly signature: string;
    };
    const key = [...enrolments.values()].find(({ keyId }) => keyId === file.keyId);
    writeFileSync(temp.join('key.pem'), publicKeyPem(Buffer.from(key?.publicKey ?? '', 'base64')));
    writeFileSync(temp.join('sig'), Buffer.from(file.signature, 'hex'));
    const payload = session.facts.documents[0]?.proposed.payload ?? Buffer.alloc(0);
    writeFileSync(temp.join('payload'), payload);
    const argv = ['dgst', '-sha256', '-verify', temp.join('key.pem'), '-signature', temp.join('sig')];
    expect(execFileSync('openssl', [...argv, temp.join('payload')], { encoding: 'utf8' })).toBe(
      'Verified OK\n',
    );
  }
});

describe('signing', () => {
  let folder: PaperFolder;
  beforeEach(() => {
    folder = firstCeremony();
  });

  it('asks each person for one PIN, and for none when everything is signed', async () => {
    using session = openedSession(folder.path, TODAY);
    const before = room.entries;
    expect(await room.sign(session, 'alice', 'bob')).toHaveLength(2);
    expect(room.entries - before).toBe(2);
    expect(await room.sign(session, 'alice', 'bob')).toEqual([]);
    expect(room.entries - before).toBe(2);
    expect(session.board()[0]?.isMet).toBe(true);
  });

  it('on separate machines, in any order, gives the same files in the end', async () => {
    await using elsewhere = await CeremonyRoom.open(
      new Map([['bob', stores.get('bob') ?? new SoftHsmStore('bob')]]),
    );
    const outputs: Buffer[] = [];
    const copies = ['here', 'there'].map((name) => temp.join(`${name}-${folders}`));
    for (const copy of copies) cpSync(folder.path, copy, { recursive: true });
    const [here = '', there = ''] = copies;
    {
      using session = openedSession(there, TODAY);
      await elsewhere.sign(session, 'bob');
    }
    {
      using session = openedSession(here, TODAY);
      await room.sign(session, 'carol', 'alice');
    }
    const files = new Map<string, Buffer>();
    for (const path of copies) {
      using session = openedSession(path, TODAY);
      for (const name of session.folder.names().filter((one) => one.startsWith('sig-')))
        files.set(name, session.folder.require(name));
    }
    expect(files.size).toBe(3);
    for (const [at, order] of [[...files], [...files].reverse()].entries()) {
      const merged = temp.join(`merged-${folders}-${at}`);
      cpSync(folder.path, merged, { recursive: true });
      for (const [name, bytes] of order) writeFileSync(`${merged}/${name}`, bytes);
      using session = openedSession(merged, TODAY);
      closeCeremony(session, false);
      outputs.push(session.folder.require('out/1.root.json'));
    }
    expect(outputs[0]).toEqual(outputs[1]);
  });

  it('refuses a token with the right serial number and another key, and one with another serial number, before a PIN', async () => {
    using session = openedSession(folder.path, TODAY);
    using client = await room.connect();
    const [turn] = remainingTurns(session, ['alice']);
    const [, bob] = enrolled('alice', 'bob');
    if (turn === undefined || bob === undefined) throw new Error('nothing to sign');
    const before = room.entries;
    const wrongKey = { ...turn.held, publicKey: bob.publicKey, keyId: bob.keyId };
    expect((await rejectionOf(findHolderToken(client, wrongKey))).code).toBe('ceremony.token');
    expect(await findHolderToken(client, { ...turn.held, serial: 'f00dfeed' })).toBeUndefined();
    expect(room.entries).toBe(before);
  });

  it('goes on without a holder who is lost, and closes with the others', async () => {
    await play(folder, 'bob', 'carol');
    expect(afterwards(folder, 1).policy.holders.map(({ name }) => name)).toEqual(['alice', 'bob', 'carol']);
  });

  it('goes on after it was killed in the middle, with every signature made so far', async () => {
    {
      using session = openedSession(folder.path, TODAY);
      await room.sign(session, 'alice');
    }
    // The agent dies too.
    process.kill(await room.agent.pid(), 'SIGKILL');
    await room.agent.stop();
    await room.agent.start();
    await room.unlock();
    using session = openedSession(folder.path, TODAY);
    expect(remainingTurns(session).map(({ held }) => held.holder)).toEqual(['bob', 'carol']);
    await room.sign(session, 'carol');
    expect(session.board()[0]?.isMet).toBe(true);
  });

  it('of a rehearsal verifies as nothing in earnest', async () => {
    const three = enrolled('alice', 'bob', 'carol');
    const order = {
      ...(JSON.parse(folder.folder.require('request.json').toString('utf8')) as {
        action: never;
        signers: string[];
      }),
    };
    const rehearsal = prepared(temp.join(`rehearsal-${folders}`), {
      rehearsal: true,
      action: order.action,
      enrolments: three,
      signers: order.signers,
    });
    using session = openedSession(rehearsal.path, TODAY);
    const files = await room.sign(session, 'alice', 'bob');
    for (const name of files) expect(name).toMatch(/^REHEARSAL-sig-/);
    closeCeremony(session, false);
    const output = session.folder.require('out/REHEARSAL-1.root.json');
    expect(() => readTufRoot(output)).toThrow();
    // Not even with the mark taken away: what was signed is another text.
    const unmarked = readTufRoot(Buffer.from(output.toString('utf8').replace('REHEARSAL-root', 'root')));
    expect(() => walkRoots(unmarked, [])).toThrow();
  });
});

it('signs roots of several repositories of a notary-server in one go, each with its own certificate', async () => {
  const repositories = ['registry.example/acme/app', 'registry.example/acme/tool'];
  const before = room.entries;
  const two: Enrolment[] = [];
  for (const [at, name] of ['alice', 'bob'].entries()) {
    const publicKey = enrolled('alice', 'bob')[at]?.publicKey;
    two.push(await room.enrol(name, 'acme-notary-1', { publicKey, notaryRepositories: repositories }));
  }
  const folder = prepared(temp.join('notary'), {
    id: 'acme-notary-1',
    action: {
      type: 'init',
      enters: two.map(({ keyId }) => keyId),
      threshold: 1,
      online: (['targets', 'snapshot', 'timestamp'] as const).map((role) => ({
        document: null,
        role,
        publicKeys: [onlineKey()],
        threshold: 1,
      })),
    },
    policy: { ...TEST_POLICY, threshold: { min: 1, max: 2 } },
    enrolments: two,
    signers: ['alice', 'bob'],
    documents: repositories.map((repository) => ({
      id: `${repository}#root`,
      format: 'notary1' as const,
      role: 'root' as const,
      base: [],
      authority: null,
    })),
  });
  using session = openedSession(folder.path, TODAY);
  for (const check of ['BASE-LATEST', 'THRESHOLD-SANE', 'EXPIRY-WINDOW']) waive(session, check, 'alice');
  expect(await room.sign(session, 'alice', 'bob')).toHaveLength(4);
  // Two entries for the certificates, two for the roots.
  expect(room.entries - before).toBe(4);
  expect(closeCeremony(session, false).open).toEqual([]);
});
