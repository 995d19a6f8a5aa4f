/** The guard on disk: what is kept, what is removed, and what is noticed when somebody puts an older one back. */
import * as fs from 'node:fs';
import { describe, expect, it } from 'vitest';
import { admitContent, UNGUARDED, type GuardedContent } from '../../src/policy/guard.js';
import type { GuardEntry } from '../../src/state/guard-entry.js';
import { GuardFolder } from '../../src/state/guard-folder.js';
import { codeOf } from '../support/error-code.js';
import { hashOf, targetsBytes } from '../support/repository-metadata.js';
import { TempFolder } from '../support/temp-folder.js';

const NAME = { repository: 'registry.example/acme/app', role: 'targets/releases' };

function documentOf(version: number): { readonly bytes: Buffer; readonly content: GuardedContent } {
  const bytes = targetsBytes(version, { v1: `content ${version}` });
  return { bytes, content: { version, sha256: hashOf(bytes) } };
}

/** The entry after one more version was signed. */
function signNext(entry: GuardEntry | undefined, version: number, name = NAME): GuardEntry {
  const before = entry ?? { ...name, state: UNGUARDED, changes: 0 };
  const { content } = documentOf(version);
  const verdict = admitContent(before.state, { content, notStored: undefined, isOnline: false });
  if (verdict.outcome === 'refused') throw new Error(verdict.reason);
  return { ...before, state: verdict.state, changes: before.changes + 1 };
}

/** A folder in which versions 1 to `versions` were signed. */
function folderWith(stateDir: string, versions: number, name = NAME): GuardFolder {
  const folder = new GuardFolder(stateDir);
  folder.load();
  let entry: GuardEntry | undefined;
  for (let version = 1; version <= versions; version += 1) {
    entry = signNext(entry, version, name);
    folder.save([{ entry, document: documentOf(version).bytes }]);
  }
  folder.fold();
  folder.remember();
  return folder;
}

describe('the guard folder', () => {
  it('is private, names its files by hashes, and reads back', () => {
    using root = new TempFolder();
    const folder = folderWith(root.path, 3);
    expect(fs.statSync(folder.path).mode & 0o777).toBe(0o700);
    const names = fs.readdirSync(folder.path);
    for (const name of names) {
      expect(name).toMatch(/^[0-9a-f]{64}\.(?:json|[0-9a-f]{64}\.signed)$/);
      expect(fs.statSync(`${folder.path}/${name}`).mode & 0o777).toBe(0o600);
    }
    const [entry, ...others] = new GuardFolder(root.path).load();
    expect(others).toEqual([]);
    expect(entry).toMatchObject({ ...NAME, changes: 3, state: { signed: { version: 3 }, passed: 2 } });
  });

  it('keeps the newest two documents and no others', () => {
    using root = new TempFolder();
    const folder = folderWith(root.path, 3);
    const kept = fs.readdirSync(folder.path).filter((name) => name.endsWith('.signed'));
    expect(kept).toHaveLength(2);
    for (const version of [2, 3]) {
      const { bytes, content } = documentOf(version);
      expect(folder.readDocument(NAME, content)).toEqual(bytes);
    }
    expect(folder.readDocument(NAME, documentOf(1).content)).toBeUndefined();
  });

  it('leaves the documents of another role alone', () => {
    using root = new TempFolder();
    folderWith(root.path, 2);
    const folder = new GuardFolder(root.path);
    folder.load();
    const other = { ...NAME, role: 'targets' };
    folder.save([{ entry: signNext(undefined, 1, other), document: documentOf(1).bytes }]);
    expect(folder.readDocument(NAME, documentOf(2).content)).toEqual(documentOf(2).bytes);
    expect(folder.readDocument(other, documentOf(1).content)).toEqual(documentOf(1).bytes);
  });

  it('gives no document that was changed', () => {
    using root = new TempFolder();
    const folder = folderWith(root.path, 1);
    const [name = ''] = fs.readdirSync(folder.path).filter((each) => each.endsWith('.signed'));
    fs.appendFileSync(`${folder.path}/${name}`, ' ');
    expect(folder.readDocument(NAME, documentOf(1).content)).toBeUndefined();
  });

  it('notices that it is gone, in whole or in part', () => {
    using root = new TempFolder();
    const folder = folderWith(root.path, 2);
    fs.rmSync(folder.path, { recursive: true });
    expect(codeOf(() => new GuardFolder(root.path).load())).toBe('guard.older');
    // Also after a try that found it gone.
    expect(codeOf(() => new GuardFolder(root.path).load())).toBe('guard.older');
  });

  it('notices an older copy of one file, however new the others are', () => {
    using root = new TempFolder();
    const folder = folderWith(root.path, 1);
    const [file = ''] = fs.readdirSync(folder.path).filter((name) => name.endsWith('.json'));
    const older = fs.readFileSync(`${folder.path}/${file}`);
    const next = new GuardFolder(root.path);
    const [entry] = next.load();
    next.save([{ entry: signNext(entry, 2), document: documentOf(2).bytes }]);
    next.save([
      { entry: signNext(undefined, 1, { ...NAME, role: 'targets' }), document: documentOf(1).bytes },
    ]);
    next.fold();
    next.remember();
    fs.writeFileSync(`${folder.path}/${file}`, older);
    expect(codeOf(() => new GuardFolder(root.path).load())).toBe('guard.older');
  });

  it('writes the entries of one batch into one file, and into their own when it is closed', () => {
    using root = new TempFolder();
    const folder = folderWith(root.path, 1);
    const batch = ['targets', 'targets/alice', 'targets/bob'].map((role) => ({
      entry: signNext(undefined, 1, { ...NAME, role }),
      document: documentOf(1).bytes,
    }));
    folder.save(batch);
    const files = (): readonly string[] =>
      fs.readdirSync(folder.path).filter((name) => name.endsWith('.json'));
    expect(files()).toHaveLength(2);
    expect(files()).toContain('recent.json');
    folder.fold();
    expect(files()).toHaveLength(4);
    expect(files()).not.toContain('recent.json');
  });

  it('finds what only the file of recent entries has, and keeps it', () => {
    using root = new TempFolder();
    const folder = folderWith(root.path, 1);
    const [entry] = new GuardFolder(root.path).load();
    folder.save([{ entry: signNext(entry, 2), document: documentOf(2).bytes }]);
    const [found, ...others] = new GuardFolder(root.path).load();
    expect(others).toEqual([]);
    expect(found).toMatchObject({ changes: 2, state: { signed: { version: 2 } } });
    const [again] = new GuardFolder(root.path).load();
    expect(again).toEqual(found);
  });

  it('saves all of a batch or none', () => {
    using root = new TempFolder();
    const folder = folderWith(root.path, 1);
    fs.mkdirSync(`${folder.path}/recent.json`);
    const batch = ['targets', 'targets/alice'].map((role) => ({
      entry: signNext(undefined, 1, { ...NAME, role }),
    }));
    expect(
      codeOf(() => {
        folder.save(batch);
      }),
    ).toBe('state.write');
    fs.rmdirSync(`${folder.path}/recent.json`);
    expect(new GuardFolder(root.path).load().map(({ role }) => role)).toEqual([NAME.role]);
  });

  it.each([
    ['lost', undefined],
    ['older', 1],
  ])('notices that the file of recent entries is %s', (_what, kept) => {
    using root = new TempFolder();
    const folder = folderWith(root.path, 0);
    const first = signNext(undefined, 1);
    folder.save([{ entry: first }]);
    const older = fs.readFileSync(`${folder.path}/recent.json`);
    folder.save([{ entry: signNext(first, 2) }]);
    folder.remember();
    if (kept === undefined) fs.rmSync(`${folder.path}/recent.json`);
    else fs.writeFileSync(`${folder.path}/recent.json`, older);
    expect(codeOf(() => new GuardFolder(root.path).load())).toBe('guard.older');
  });

  it('never remembers less than it did', () => {
    using root = new TempFolder();
    const folder = folderWith(root.path, 2);
    const seen = fs.readFileSync(`${root.path}/guard-seen.json`, 'utf8');
    fs.rmSync(folder.path, { recursive: true });
    const after = new GuardFolder(root.path);
    expect(codeOf(() => after.load())).toBe('guard.older');
    after.remember();
    expect(fs.readFileSync(`${root.path}/guard-seen.json`, 'utf8')).toBe(seen);
  });

  it.each([
    ['damaged', (text: string) => text.slice(0, -3), 'state.damaged'],
    ['of a newer release', (text: string) => text.replace('"version": 1', '"version": 2'), 'state.version'],
    ['of another role', (text: string) => text.replace('targets/releases', 'targets/alice'), 'state.damaged'],
    ['with a field nobody knows', (text: string) => text.replace('{', '{"x":1,'), 'state.damaged'],
  ])('refuses a file that is %s', (_what, change, code) => {
    using root = new TempFolder();
    const folder = folderWith(root.path, 1);
    const [file = ''] = fs.readdirSync(folder.path).filter((name) => name.endsWith('.json'));
    const path = `${folder.path}/${file}`;
    fs.writeFileSync(path, change(fs.readFileSync(path, 'utf8')));
    expect(codeOf(() => new GuardFolder(root.path).load())).toBe(code);
  });
});
