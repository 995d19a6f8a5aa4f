/** Versions that several machines have to sign: each has its own agent, and a copy of the folder or of one file. */
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectTo } from '../support/agent-client.js';
import { REPOSITORY, TufOwner } from '../support/tuf-owner.js';

let alice: TufOwner;
let bob: TufOwner;
beforeAll(async () => {
  [alice, bob] = await Promise.all([TufOwner.start(), TufOwner.start()]);
  await Promise.all(['targets/team', 'targets'].map((role) => bob.agent.derive(`${REPOSITORY}#${role}`)));
}, 180_000);
afterAll(async () => {
  await alice[Symbol.asyncDispose]();
  await bob[Symbol.asyncDispose]();
});

/** Both begin anew: agents forget what they have signed, which a person has to confirm by name. */
beforeEach(async () => {
  for (const owner of [alice, bob]) {
    rmSync(owner.folder, { recursive: true, force: true });
    rmSync(path.join(owner.agent.stateDir, 'trust'), { recursive: true, force: true });
    const known = await owner.agent.must(['guard', 'show', '--json']);
    if (/"version": ?\d/.test(known)) await forget(owner);
  }
});

async function forget(owner: TufOwner): Promise<void> {
  const client = await connectTo(owner.agent);
  await client.call('guard.forget', { repository: REPOSITORY });
  client.close();
}

function file(owner: TufOwner, name: string, text: string): string {
  const target = path.join(owner.agent.folder, name);
  writeFileSync(target, text);
  return target;
}

/** As a medium that is carried over. */
function carry(from: TufOwner, to: TufOwner): void {
  rmSync(to.folder, { recursive: true, force: true });
  cpSync(from.folder, to.folder, { recursive: true });
}

function staged(owner: TufOwner): readonly string[] {
  return readdirSync(path.join(owner.folder, 'staged')).sort();
}

async function twoOfTwoRoot(): Promise<void> {
  const keys = ['--key', `root=${REPOSITORY}#root:1`, '--key', `root=${await bob.publicKey('root:1')}`];
  const begun = await alice.init(...keys, '--threshold', 'root=2');
  expect(begun.published).toEqual([]);
  expect(begun.waiting.find(({ role }) => role === 'root')).toMatchObject({
    version: 1,
    good: 1,
    threshold: 2,
  });
}

describe('a first root of two keyholders', () => {
  it('waits, is signed at the other machine from a copy of the folder, and everything follows', async () => {
    await twoOfTwoRoot();
    expect((await alice.run('add', file(alice, 'a.txt', 'a'))).stderr).toContain(
      'its first root waits for signatures',
    );
    carry(alice, bob);
    const said = await bob.run('sign');
    expect(said.stderr).toMatch(/root 1, expires /);
    expect(said.stderr).toContain('root: 2 of 2 keys');
    expect(said.status).toBe(0);
    carry(bob, alice);
    await alice.must('sign');
    expect(await alice.must('verify')).toMatchObject({ ok: true });
    expect(alice.metadata('1.root.json').signatures).toHaveLength(2);
    expect(staged(alice)).toEqual([]);
    await alice.must('add', file(alice, 'a.txt', 'a'));
  });

  it('is signed with nothing but the file', async () => {
    await twoOfTwoRoot();
    const carried = path.join(bob.agent.folder, '1.root.json');
    copyFileSync(path.join(alice.folder, 'staged/1.root.json'), carried);
    const sign = ['tuf', 'sign', carried];
    expect((await bob.agent.touchstone(sign)).stderr).toContain('one --key is needed');
    await bob.agent.must([...sign, '--key', `${REPOSITORY}#root:1`]);
    const back = await alice.must('sign', '--add', carried);
    expect(back.published.map(({ role }) => role)).toEqual(['targets', 'snapshot', 'root', 'timestamp']);
    expect(await alice.must('verify')).toMatchObject({ ok: true });
  });

  it('is not signed when somebody put another one in its place', async () => {
    await twoOfTwoRoot();
    const place = path.join(alice.folder, 'staged/1.root.json');
    writeFileSync(place, readFileSync(place, 'utf8').replace(/"threshold": 2/, '"threshold": 1'));
    const refused = await alice.run('sign');
    expect(refused.stderr).toContain('it is not the root that was begun on this machine');
    expect(existsSync(path.join(alice.folder, 'metadata/1.root.json'))).toBe(false);
  });
});

describe('targets of two keyholders', () => {
  async function begin(): Promise<void> {
    const keys = [
      '--key',
      `targets=${REPOSITORY}#targets`,
      '--key',
      `targets=${await bob.publicKey('targets')}`,
    ];
    await alice.init(...keys, '--threshold', 'targets=2');
    carry(alice, bob);
    await bob.must('sign', '--root', path.join(alice.folder, 'staged/1.root.json'));
    carry(bob, alice);
    await alice.must('sign');
  }

  it('wait in the folder, say how many are missing, and are published by whoever comes last', async () => {
    await begin();
    const waiting = await alice.must('add', file(alice, 'a.txt', 'a'));
    expect(waiting.published).toEqual([]);
    expect(waiting.waiting).toMatchObject([{ role: 'targets', version: 2, good: 1, threshold: 2 }]);
    expect(await alice.must('verify')).toMatchObject({ ok: true });
    const second = await alice.run('add', file(alice, 'b.txt', 'b'));
    expect(second.stderr).toContain('version 2 of it waits for signatures');
    expect(second.status).toBe(1);
    carry(alice, bob);
    const said = await bob.run('sign');
    expect(said.stderr).toMatch(/\+ a\.txt sha256 [0-9a-f]{64}, 1 bytes/);
    carry(bob, alice);
    await alice.must('timestamp');
    expect(Object.keys(alice.metadata('2.targets.json').signed.targets ?? {})).toEqual(['a.txt']);
    expect(await alice.must('verify')).toMatchObject({ ok: true });
    await alice.must('add', file(alice, 'b.txt', 'b'));
  });

  it('come in any order, twice, and with a broken signature between them', async () => {
    await begin();
    await alice.must('add', file(alice, 'a.txt', 'a'));
    const place = path.join(alice.folder, 'staged/2.targets.json');
    const carried = path.join(bob.agent.folder, '2.targets.json');
    copyFileSync(place, carried);
    await bob.agent.must(['tuf', 'sign', carried, '--key', `${REPOSITORY}#targets`]);
    const broken = path.join(bob.agent.folder, 'broken');
    mkdirSync(broken, { recursive: true });
    const own = alice.metadata('../staged/2.targets.json').signatures[0]?.keyid ?? '';
    const text = readFileSync(carried, 'utf8');
    const parsed = JSON.parse(text) as { signatures: { keyid: string; sig: string }[] };
    parsed.signatures = parsed.signatures.map((one) => (one.keyid === own ? { ...one, sig: '30' } : one));
    writeFileSync(path.join(broken, '2.targets.json'), JSON.stringify(parsed));
    await alice.must('sign', '--add', path.join(broken, '2.targets.json'));
    expect(alice.metadata('2.targets.json').signatures).toHaveLength(2);
    const again = await alice.run('sign', '--add', carried);
    expect(again.stderr).toContain('it is not a version that comes next');
  });

  it('are dropped when that is asked for, and the next version takes another number', async () => {
    await begin();
    await alice.must('add', file(alice, 'a.txt', 'a'));
    await alice.must('sign', 'targets', '--drop');
    expect(staged(alice)).toEqual([]);
    const next = await alice.must('add', file(alice, 'b.txt', 'b'));
    expect(next.waiting).toMatchObject([{ role: 'targets', version: 3 }]);
  });
});

describe('a delegation to somebody else', () => {
  it('waits until the first document of its role is signed there, and then readers get both', async () => {
    await alice.init();
    const key = await bob.publicKey('targets/team');
    const answer = await alice.must('delegate', 'team', '--path', 'team/*', '--key', key);
    expect(answer.published).toEqual([]);
    expect(answer.waiting).toMatchObject([
      { role: 'targets', version: 2, good: 1, threshold: 1 },
      { role: 'team', version: 1, good: 0, threshold: 1 },
    ]);
    expect(await alice.must('verify')).toMatchObject({ ok: true });
    carry(alice, bob);
    const blind = await bob.run('sign');
    expect(blind.stderr).toContain('no root of it is trusted on this machine yet');
    expect(blind.status).toBe(6);
    const root = path.join(alice.folder, 'metadata/1.root.json');
    const signed = await bob.must('sign', '--root', root);
    expect(signed.published.map(({ role }) => role)).toEqual(['team', 'targets']);
    expect(signed.waiting).toMatchObject([{ role: 'snapshot', version: null }]);
    await bob.must('add', '--role', 'team', '--prefix', 'team', file(bob, 'x.txt', 'x'));
    carry(bob, alice);
    const listed = await alice.must('snapshot');
    expect(listed.published.map(({ role }) => role)).toEqual(['snapshot', 'timestamp']);
    expect(await alice.must('verify', 'team/x.txt')).toMatchObject({ ok: true, targets: [{ role: 'team' }] });
    const foreign = await alice.run('add', '--role', 'team', '--prefix', 'team', file(alice, 'y.txt', 'y'));
    expect(foreign.stderr).toContain('none of its keys is within reach');
    expect(foreign.status).toBe(1);
  });
});

describe('what somebody puts into the folder', () => {
  it('is signed by no command but sign', async () => {
    await alice.init();
    const planted = alice.metadata('1.targets.json');
    const sha256 = 'e'.repeat(64);
    const signed = {
      ...planted.signed,
      version: 2,
      targets: { 'evil.txt': { length: 1, hashes: { sha256 } } },
    };
    writeFileSync(
      path.join(alice.folder, 'staged/2.targets.json'),
      JSON.stringify({ signed, signatures: [] }),
    );
    const refused = await alice.run('add', file(alice, 'a.txt', 'a'));
    expect(refused.stderr).toContain('version 2 of it waits for signatures');
    await alice.must('timestamp');
    await alice.must('snapshot');
    expect(existsSync(path.join(alice.folder, 'metadata/2.targets.json'))).toBe(false);
    await alice.must('sign', 'targets', '--drop');
    await alice.must('add', file(alice, 'a.txt', 'a'));
    expect(Object.keys(alice.metadata('2.targets.json').signed.targets ?? {})).toEqual(['a.txt']);
  });
});
