/** A root from its first version to its third, with software keys: the same files as with tokens. */
import { cpSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeCeremony } from '../../src/ceremony/closing.js';
import { signatureFile } from '../../src/ceremony/file-names.js';
import { OwnLines } from '../../src/ceremony/own-lines.js';
import { writeForm } from '../../src/ceremony/one-form.js';
import { CeremonySession } from '../../src/ceremony/session.js';
import { asAgentError } from '../../src/errors/agent-error.js';
import { readTufRoot } from '../../src/formats/tuf/reader.js';
import { walkRoots } from '../../src/formats/tuf/root-chain.js';
import { TODAY } from '../support/ceremony-dates.js';
import { codeOf, thrownBy } from '../support/error-code.js';
import {
  afterwards,
  initAction,
  openedSession,
  prepared,
  signedAndClosed,
  waive,
} from '../support/paper-ceremony.js';
import { SoftwareHolder } from '../support/software-holder.js';
import { TempFolder } from '../support/temp-folder.js';

let temp: TempFolder;
const [alice, bob, carol, dave, erin] = ['alice', 'bob', 'carol', 'dave', 'erin'].map(
  (name) => new SoftwareHolder(name),
) as [SoftwareHolder, SoftwareHolder, SoftwareHolder, SoftwareHolder, SoftwareHolder];

beforeEach(() => {
  temp = new TempFolder();
});
afterEach(() => {
  temp[Symbol.dispose]();
});

function firstRoot(): ReturnType<typeof afterwards> {
  const folder = prepared(temp.join('one'), { action: initAction([alice, bob, carol], 2) }, [
    alice,
    bob,
    carol,
  ]);
  signedAndClosed(folder, [alice, carol]);
  return afterwards(folder, 1);
}

it('goes from the first root to the third with other holders and a higher threshold', () => {
  const one = firstRoot();
  const two = prepared(
    temp.join('two'),
    {
      id: 'acme-root-2',
      action: { type: 'rotate', leaves: [carol.keyId], enters: [dave.keyId], threshold: null },
      policy: one.policy,
      previous: one.previous,
      signers: ['alice', 'bob', 'dave'],
      documents: [{ id: 'root', format: 'tuf', role: 'root', base: [one.root], authority: null }],
    },
    [dave],
  );
  signedAndClosed(two, [bob, dave, alice]);
  const after = afterwards(two, 2);
  expect(after.policy.holders.map(({ name }) => name)).toEqual(['alice', 'bob', 'dave']);
  const three = prepared(
    temp.join('three'),
    {
      id: 'acme-root-3',
      action: { type: 'rotate', leaves: [], enters: [erin.keyId], threshold: 3 },
      policy: after.policy,
      previous: after.previous,
      signers: ['alice', 'bob', 'dave', 'erin'],
      documents: [{ id: 'root', format: 'tuf', role: 'root', base: [one.root, after.root], authority: null }],
    },
    [erin],
  );
  signedAndClosed(three, [erin, alice, dave]);
  const roots = [one.root, after.root, afterwards(three, 3).root].map(readTufRoot);
  const [first, ...next] = roots;
  if (first === undefined) throw new Error('no root');
  expect(walkRoots(first, next).signed.roles.root.threshold).toBe(3);
});

/** What this machine remembers. */
function room(): OwnLines {
  return new OwnLines(temp.join('state'));
}

/** Why no token is asked yet; empty when it is. */
function refusal(session: CeremonySession): string {
  try {
    session.requireReady(room());
    return '';
  } catch (thrown) {
    return asAgentError(thrown).message;
  }
}

describe('signatures', () => {
  function begun(name: string): CeremonySession {
    const { path } = prepared(temp.join(name), { action: initAction([alice, bob, carol], 2) }, [
      alice,
      bob,
      carol,
    ]);
    return openedSession(path);
  }

  it('made on machines of their own give the same files in any order', () => {
    using first = begun('one');
    const [a, b, c] = [alice, bob, carol].map((holder) => holder.signatures(first.facts)[0]);
    if (a === undefined || b === undefined || c === undefined) throw new Error('no signature');
    const again = alice.signatures(first.facts)[0];
    if (again === undefined) throw new Error('no signature');
    const { path } = first.folder;
    first[Symbol.dispose]();
    const orders = [
      [a, b, c, again],
      [again, c, b, a],
      [b, a, again, c, a],
      [c, again, b, b, a],
    ];
    const results = orders.map((files, at) => {
      // The request is the same file everywhere: copies of one folder.
      const folder = temp.join(`copy-${at}`);
      cpSync(path, folder, { recursive: true });
      using session = openedSession(folder);
      for (const file of files) session.take(file, 'added');
      closeCeremony(session, false);
      return session.folder.require('out/1.root.json').toString();
    });
    expect(new Set(results).size).toBe(1);
  });

  it('are taken once, and only from who may sign', () => {
    using session = begun('one');
    const [file] = alice.signatures(session.facts);
    const [stranger] = erin.signatures(session.facts);
    if (file === undefined || stranger === undefined) throw new Error('no signature');
    expect(session.take(file, 'added')).toBe(true);
    expect(session.take(file, 'added')).toBe(false);
    expect(codeOf(() => session.take(stranger, 'added'))).toBe('ceremony.signature');
    expect(codeOf(() => session.take({ ...file, token: { ...file.token, serial: '1' } }, 'added'))).toBe(
      'ceremony.signature',
    );
    const [threshold] = session.board()[0]?.thresholds ?? [];
    expect(threshold).toMatchObject({ by: 1, needed: 2, signed: [alice.keyId], isMet: false });
    expect(threshold?.missing).toEqual([bob.keyId, carol.keyId]);
  });

  it('that are missing are named, and nothing leaves', () => {
    using session = begun('one');
    const [file] = alice.signatures(session.facts);
    if (file === undefined) throw new Error('no signature');
    session.take(file, 'made');
    const error = thrownBy(() => closeCeremony(session, false));
    expect(error.code).toBe('ceremony.threshold');
    expect(error.message).toContain('bob');
    expect(error.message).toContain('1 of 2');
    expect(session.folder.read('out/1.root.json')).toBeUndefined();
    const { open, outputs } = closeCeremony(session, true);
    expect([open, outputs]).toEqual([['root'], []]);
  });

  it('that a killed program left are counted and written down', () => {
    const session = begun('one');
    const [file] = alice.signatures(session.facts);
    if (file === undefined) throw new Error('no signature');
    session.folder.write(signatureFile(file, false), writeForm(file));
    session[Symbol.dispose]();
    using again = CeremonySession.open(session.folder.path, TODAY);
    expect(again.board()[0]?.thresholds[0]?.signed).toEqual([alice.keyId]);
    expect(again.transcript.lines.at(-1)?.event).toMatchObject({
      event: 'signed',
      how: 'found',
      holder: 'alice',
    });
  });

  it('are asked for only after the request was opened and confirmed', () => {
    const { path } = prepared(temp.join('one'), { action: initAction([alice, bob, carol], 2) }, [
      alice,
      bob,
      carol,
    ]);
    using session = CeremonySession.open(path, TODAY);
    expect(refusal(session)).toContain('it was not opened here');
  });

  it('are not asked for because a transcript that was carried in says opened and confirmed', () => {
    using session = begun('one');
    expect(refusal(session)).toContain('it was not opened here');
    const [opened, confirmed] = session.transcript.lines;
    if (opened === undefined || confirmed === undefined) throw new Error('no lines');
    room().note(opened.hash);
    expect(refusal(session)).toContain('nobody has confirmed');
    room().note(confirmed.hash);
    expect(refusal(session)).toBe('');
  });

  it('are not asked for after somebody has added a waiver, or opened it elsewhere', () => {
    using session = begun('one');
    const { lines, head } = session.transcript;
    room().note(head);
    expect(refusal(session)).toBe('');
    waive(session, 'BASE-LATEST', 'mallory');
    expect(refusal(session)).toContain('it was not opened here');
    const [opened] = lines;
    if (opened === undefined) throw new Error('no lines');
    session.transcript.add('mallory', opened.event);
    expect(refusal(session)).toContain('it was not opened here');
  });

  it('of one key or document are never put in the place of another', () => {
    using session = begun('one');
    const [a, b] = [alice, bob].map((holder) => holder.signatures(session.facts)[0]);
    if (a === undefined || b === undefined) throw new Error('no signature');
    const name = signatureFile(b, false);
    session.folder.write(name, writeForm(a));
    expect(codeOf(() => session.take(b, 'added'))).toBe('ceremony.signature');
    expect(session.folder.require(name)).toEqual(writeForm(a));
    session[Symbol.dispose]();
    const error = thrownBy(() => CeremonySession.open(session.folder.path, TODAY));
    expect(error.message).toContain(`SIGNATURE-VALID of ${name}`);
    const [one, two] = ['a', 'b'].map((end) =>
      signatureFile({ ...a, keyId: `d76b03f1${end.repeat(56)}` }, false),
    );
    expect(one).not.toBe(two);
  });
});

it('closes twice without a difference', () => {
  const folder = prepared(temp.join('one'), { action: initAction([alice, bob, carol], 2) }, [
    alice,
    bob,
    carol,
  ]);
  const { manifest } = signedAndClosed(folder, [alice, bob]);
  using session = CeremonySession.open(folder.path);
  expect(closeCeremony(session, false).manifest).toBe(manifest);
});
