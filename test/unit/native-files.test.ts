/** Facts of folders, and locks that hold between processes. */
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nativeShims } from '../../src/platform/native-shims.js';
import { NativeChild } from '../support/native-child.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'touchstone-files-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function coded(code: string): Error {
  return expect.objectContaining({ code }) as Error;
}

describe('facts of a folder', () => {
  it.each([0o700, 0o755, 0o1777, 0o2750, 0o000])('are its owner and mode %o', (mode) => {
    const inner = path.join(folder, 'inner');
    mkdirSync(inner);
    const owner = process.getuid?.() ?? 0;
    const uid = owner === 0 ? 12_345 : owner;
    chownSync(inner, uid, process.getgid?.() ?? 0);
    chmodSync(inner, mode);
    expect(nativeShims().directoryFacts(inner)).toEqual({ uid, mode });
  });

  it('are refused for a link to a folder, a file, and nothing', () => {
    symlinkSync(folder, path.join(folder, 'link'));
    closeSync(openSync(path.join(folder, 'file'), 'w'));
    for (const name of ['link', 'file']) {
      expect(() => nativeShims().directoryFacts(path.join(folder, name))).toThrow(coded('ENOTDIR'));
    }
    expect(() => nativeShims().directoryFacts(path.join(folder, 'none'))).toThrow(coded('ENOENT'));
  });
});

describe('a lock on a file', () => {
  const script = `
    const { openSync } = await import('node:fs');
    const fd = openSync(process.argv[1], 'r+');
    for (;;) { await hear(); say(shims.tryLockFile(fd)); }`;

  it('is held by one process at a time and ends with it', async () => {
    const file = path.join(folder, 'lock');
    const fd = openSync(file, 'w+');
    await using child = new NativeChild(script, { args: [file] });
    child.tell('try');
    expect(await child.heard()).toBe(true);
    expect(nativeShims().tryLockFile(fd)).toBe(false);
    await child[Symbol.asyncDispose]();
    expect(nativeShims().tryLockFile(fd)).toBe(true);
    expect(nativeShims().tryLockFile(fd)).toBe(true);
    closeSync(fd);
  });

  it('is not lost when the same process opens and closes the file again', () => {
    const file = path.join(folder, 'lock');
    const first = openSync(file, 'w+');
    expect(nativeShims().tryLockFile(first)).toBe(true);
    const second = openSync(file, 'r+');
    expect(nativeShims().tryLockFile(second)).toBe(false);
    closeSync(second);
    const third = openSync(file, 'r+');
    expect(nativeShims().tryLockFile(third)).toBe(false);
    closeSync(third);
    closeSync(first);
  });

  it('needs a file open for writing', () => {
    const file = path.join(folder, 'lock');
    closeSync(openSync(file, 'w'));
    const fd = openSync(file, 'r');
    expect(() => nativeShims().tryLockFile(fd)).toThrow(coded('EBADF'));
    closeSync(fd);
  });
});
