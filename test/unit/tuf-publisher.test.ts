/** Publishing into a folder in which other things happened: old copies, foreign files, names and links that lead elsewhere. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AgentError } from '../../src/errors/agent-error.js';
import { readTufRoot } from '../../src/formats/tuf/reader.js';
import { withBins, withDelegation, withoutDelegation } from '../../src/trust/tuf/delegation-change.js';
import { checkTargetFiles } from '../../src/trust/tuf/target-check.js';
import { addTargets, removeTargets } from '../../src/trust/tuf/target-changes.js';
import { namedFiles, storeTargets } from '../../src/trust/tuf/target-files.js';
import { checkTargetName } from '../../src/trust/tuf/target-name.js';
import { readView } from '../../src/trust/tuf/view.js';
import { childOnSmallDisk } from '../support/small-disk.js';
import { TempFolder } from '../support/temp-folder.js';
import { SoftwarePublisher } from '../support/tuf-publisher.js';
import { TufSigner } from '../support/tuf-signer.js';

let temp: TempFolder;
let made: SoftwarePublisher;
beforeEach(async () => {
  temp = new TempFolder();
  made = new SoftwarePublisher(temp.path);
  await made.init();
});
afterEach(() => {
  temp[Symbol.dispose]();
});

async function codeOf(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
    return 'none';
  } catch (thrown) {
    if (thrown instanceof AgentError) return thrown.code;
    throw thrown;
  }
}

function faults(): readonly string[] {
  const root = made.pins.load('acme.example/updates') ?? Buffer.alloc(0);
  return [...readView(made.folder, root).faults.keys()];
}

describe('a folder that is not the newest', () => {
  it('is refused when it lacks what was published', async () => {
    const copy = temp.join('copy');
    await made.add({ 'a.txt': 'a' });
    cpSync(made.folder.path, copy, { recursive: true });
    await made.add({ 'b.txt': 'b' });
    rmSync(made.folder.path, { recursive: true });
    renameSync(copy, made.folder.path);
    expect(await codeOf(() => made.add({ 'c.txt': 'c' }))).toBe('tuf.rollback');
  });

  it('is refused when a published version has another content', async () => {
    await made.add({ 'a.txt': 'a' });
    const role = made.signer.guard.get('targets');
    made.signer.guard.set('targets', {
      signed: undefined,
      published: { version: role?.published?.version ?? 0, sha256: 'a'.repeat(64) },
    });
    expect(await codeOf(() => made.open())).toBe('tuf.rollback');
  });

  it('is refused when its root is another one, or none is trusted', async () => {
    const other = new SoftwarePublisher(temp.join('other'));
    await other.init();
    cpSync(other.metadata('1.root.json'), made.metadata('1.root.json'));
    expect(await codeOf(() => made.open())).toBe('tuf.pin');
    rmSync(temp.join('trust'), { recursive: true });
    expect(await codeOf(() => made.open())).toBe('tuf.pin');
  });

  it('is refused without the root that is trusted', async () => {
    const publisher = await made.open();
    const root = publisher.state?.root.document;
    await publisher.publish({ root });
    rmSync(made.metadata('2.root.json'));
    expect(await codeOf(() => made.open())).toBe('tuf.rollback');
  });
});

describe('files that somebody changed', () => {
  it('are named by a reader, and not built upon', async () => {
    await made.add({ 'a.txt': 'a' });
    const file = made.metadata('2.targets.json');
    const good = readFileSync(file, 'utf8');
    writeFileSync(file, good.replace('a.txt', 'b.txt'));
    expect(faults()).toEqual(['targets']);
    expect(await codeOf(() => made.add({ 'c.txt': 'c' }))).toBe('tuf.rollback');
    writeFileSync(file, good);
    expect(faults()).toEqual([]);
  });

  it('do not count with the signature of a stranger, however high their version', async () => {
    const stranger = TufSigner.make();
    const file = JSON.parse(readFileSync(made.metadata('1.targets.json'), 'utf8')) as { signed: object };
    const signed = { ...file.signed, version: 900, targets: {} };
    const signatures = [{ keyid: stranger.id, sig: stranger.sign(Buffer.from(JSON.stringify(signed))) }];
    writeFileSync(made.metadata('900.targets.json'), JSON.stringify({ signatures, signed }));
    const report = await made.add({ 'a.txt': 'a' });
    expect(report.published[0]).toMatchObject({ role: 'targets', version: 2 });
  });

  it('and lists that are gone are made anew, with versions of their own', async () => {
    await made.add({ 'a.txt': 'a' });
    rmSync(made.metadata('timestamp.json'));
    writeFileSync(made.metadata('2.snapshot.json'), '{}');
    rmSync(made.metadata('1.snapshot.json'));
    const report = await (await made.open()).publish({});
    expect(report.published.map(({ role, version }) => `${role} ${version}`)).toEqual([
      'snapshot 3',
      'timestamp 3',
    ]);
    expect(faults()).toEqual([]);
  });

  it('of targets are found by their hash', async () => {
    await made.add({ 'dist/a.txt': 'a' });
    const [stored = ''] = readdirSync(path.join(made.folder.targets, 'dist'));
    writeFileSync(path.join(made.folder.targets, 'dist', stored), 'b');
    const target = {
      name: 'dist/a.txt',
      role: 'targets',
      length: 1,
      hashes: { sha256: stored.slice(0, 64) },
    };
    expect(await checkTargetFiles(made.folder.targets, [target])).toEqual([
      { name: 'dist/a.txt', problem: 'its file is not the one that is signed' },
    ]);
    const outside = { ...target, name: '../../etc/passwd' };
    expect(await checkTargetFiles(made.folder.targets, [outside])).toEqual([
      { name: '../../etc/passwd', problem: 'its name leads out of the folder' },
    ]);
  });
});

describe('names and links', () => {
  it.each([
    '../up.txt',
    '/etc/passwd',
    'a//b',
    'a/./b',
    '.hidden',
    'a/.git/x',
    'a\\b',
    'a b',
    'q?x',
    'p%41',
    'e\u0301',
    '\u{1f600}',
    '',
    'x'.repeat(300),
  ])('a target cannot be called %j', (name) => {
    expect(() => checkTargetName(name)).toThrow('the target name');
  });

  it('links are not followed: not to a file, not in a folder, not where files are stored', async () => {
    const secret = temp.join('secret.txt');
    writeFileSync(secret, 'secret');
    mkdirSync(temp.join('in'));
    symlinkSync(secret, temp.join('in', 'link.txt'));
    expect(await codeOf(() => namedFiles([temp.join('in', 'link.txt')], ''))).toBe('tuf.target');
    expect(await codeOf(() => namedFiles([temp.join('in')], ''))).toBe('tuf.target');
    expect(
      await codeOf(() => storeTargets(made.folder, [{ name: 'x', path: temp.join('in', 'link.txt') }])),
    ).toBe('usage.file');
    mkdirSync(temp.join('elsewhere'));
    symlinkSync(temp.join('elsewhere'), path.join(made.folder.targets, 'dist'));
    expect(await codeOf(() => made.add({ 'dist/a.txt': 'a' }))).toBe('state.write');
    expect(readdirSync(temp.join('elsewhere'))).toEqual([]);
  });

  it('a folder of the metadata that is a link is no repository', async () => {
    const moved = temp.join('moved');
    renameSync(path.join(made.folder.path, 'metadata'), moved);
    symlinkSync(moved, path.join(made.folder.path, 'metadata'));
    expect(made.folder.hasRoot).toBe(false);
    expect(await codeOf(() => made.folder.lock(Date.now()))).toBe('tuf.missing');
    expect(existsSync(path.join(moved, '1.root.json'))).toBe(true);
  });
});

describe('changes', () => {
  it('that change nothing publish nothing', async () => {
    await made.add({ 'a.txt': 'a' });
    const { orders } = made.signer;
    expect((await made.add({ 'a.txt': 'a' })).published).toEqual([]);
    expect(made.signer.orders).toBe(orders);
  });

  it('name roles and targets that are there', async () => {
    const state = (await made.open()).state;
    if (state === undefined) throw new Error('there is no root');
    expect(() => addTargets(state, 'nobody', new Map())).toThrow('there is no role nobody');
    expect(() => removeTargets(state, 'nobody', ['x'])).toThrow('there is no role nobody');
    expect(() => removeTargets(state, 'targets', ['x'])).toThrow('has no such target');
    expect(() => withoutDelegation(state, 'targets', 'team')).toThrow('does not delegate to it');
  });

  it.each([
    ['a name that looks like a number', { name: '10' }, 'a name has the characters'],
    ['the name of a top-level role', { name: 'snapshot' }, 'a name has the characters'],
    ['braces', { paths: ['d/{a,b}'] }, 'the path pattern'],
    ['a negation', { paths: ['!secret'] }, 'the path pattern'],
    ['two stars', { paths: ['a/**'] }, 'the path pattern'],
    ['a path that leads up', { paths: ['../a'] }, 'the path pattern'],
    ['no path', { paths: [] }, 'at least one --path'],
    ['a threshold that nobody meets', { threshold: 2 }, '2 of 1 keys can never sign'],
  ])('a delegation with %s is refused', async (_what, wrong, message) => {
    const state = (await made.open()).state;
    if (state === undefined) throw new Error('there is no root');
    const wanted = {
      name: 'team',
      keys: [TufSigner.make().key],
      threshold: 1,
      paths: ['team/*'],
      terminating: false,
    };
    expect(() => withDelegation(state, 'targets', { ...wanted, ...wrong })).toThrow(message);
  });

  it('a role that is taken back stays in the snapshot, where readers look for it', async () => {
    made.signer.keys.set('targets/team', TufSigner.make());
    const key = made.signer.keys.get('targets/team')?.key;
    let publisher = await made.open();
    const { state } = publisher;
    if (state === undefined || key === undefined) throw new Error('there is no root');
    const wanted = { name: 'team', keys: [key], threshold: 1, paths: ['team/*'], terminating: true };
    await publisher.publish({ targets: new Map([['targets', withDelegation(state, 'targets', wanted)]]) });
    publisher = await made.open();
    const after = publisher.state;
    if (after === undefined) throw new Error('there is no root');
    expect(() => withBins(after, 'targets', { prefix: 'bins', bits: 2, keys: [key], threshold: 1 })).toThrow(
      'delegates already',
    );
    await publisher.publish({ targets: new Map([['targets', withoutDelegation(after, 'targets', 'team')]]) });
    const snapshot = readFileSync(made.metadata('3.snapshot.json'), 'utf8');
    expect(snapshot).toContain('"team.json"');
    expect(faults()).toEqual([]);
  });
});

it('a thousand files cost as many signatures as one, and are read back', async () => {
  const source = temp.join('many');
  for (let folder = 0; folder < 10; folder += 1) {
    mkdirSync(path.join(source, String(folder)), { recursive: true });
    for (let at = 0; at < 100; at += 1)
      writeFileSync(path.join(source, String(folder), `${at}.txt`), `${folder}/${at}`);
  }
  const { orders } = made.signer;
  const report = await made.addFolder(source);
  expect(made.signer.orders - orders).toBe(3);
  expect(report.published.map(({ role }) => role)).toEqual(['targets', 'snapshot', 'timestamp']);
  const state = (await made.open()).state;
  expect(state?.roles.get('targets')?.newest?.document.targets.size).toBe(1_000);
  expect(faults()).toEqual([]);
  expect(readdirSync(made.folder.targets)).toHaveLength(10);
}, 120_000);

const FULL_DISK = `
const { storeTargets } = await import(DIST + '/trust/tuf/target-files.js');
const { TufFolder } = await import(DIST + '/trust/tuf/folder.js');
const { mkdirSync, readdirSync, writeFileSync } = await import('node:fs');
const folder = new TufFolder(process.argv[1] + '/updates');
folder.create();
folder.write('timestamp.json', Buffer.from('old'));
writeFileSync(process.argv[1] + '/small', 'x');
writeFileSync(process.argv[1] + '/filler', Buffer.alloc(40 * 1024));
const codeOf = async (work) => { try { await work(); return 'none'; } catch (error) { return error.code; } };
const stored = await codeOf(() => storeTargets(folder, [{ name: 'large', path: process.execPath }]));
const written = await codeOf(async () => folder.write('timestamp.json', Buffer.alloc(120 * 1024)));
say({ stored, written, timestamp: folder.read('timestamp.json', 'timestamp').toString(),
  targets: readdirSync(folder.targets), incoming: readdirSync(folder.incoming) });
`;

it('a full disk ends a publish before anything is in its place', async () => {
  await using child = childOnSmallDisk(FULL_DISK, { folder: temp.path, options: 'size=128k' });
  expect(await child.heard()).toEqual({
    stored: 'state.write',
    written: 'state.write',
    timestamp: 'old',
    targets: [],
    incoming: [],
  });
});

it('every root stays, and the newest is trusted from then on', async () => {
  for (let version = 2; version <= 4; version += 1) {
    const publisher = await made.open();
    await publisher.publish({ root: publisher.state?.root.document });
  }
  expect([1, 2, 3, 4].every((version) => existsSync(made.metadata(`${version}.root.json`)))).toBe(true);
  expect(readTufRoot(made.pins.load('acme.example/updates') ?? Buffer.alloc(0)).signed.version).toBe(4);
});
