/** Configuration and policy are taken from files that only their owner can write. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readTrustedFile } from '../../src/platform/store/trusted-file.js';
import { codeOf } from '../support/error-code.js';
import { TempFolder } from '../support/temp-folder.js';

const UID = process.getuid?.() ?? 0;

describe('a file that decides what the agent does', () => {
  let folder: TempFolder;
  let file: string;
  beforeEach(() => {
    folder = new TempFolder();
    file = path.join(folder.path, 'touchstone.toml');
    writeFileSync(file, 'version = 1\n', { mode: 0o644 });
  });
  afterEach(() => {
    folder[Symbol.dispose]();
  });

  const read = (at = file): string | undefined => readTrustedFile(at, UID, 'config.invalid');

  it('is read, also through a link; a missing one is nothing', () => {
    const link = path.join(folder.path, 'link');
    symlinkSync(file, link);
    expect([read(), read(link)]).toEqual(['version = 1\n', 'version = 1\n']);
    expect(read(path.join(folder.path, 'missing'))).toBeUndefined();
  });

  it.each([0o664, 0o646, 0o666])('is refused with mode %o', (mode) => {
    chmodSync(file, mode);
    expect(codeOf(() => read())).toBe('config.invalid');
  });

  it('is refused when it is a folder or a pipe, without waiting for a writer', () => {
    const pipe = path.join(folder.path, 'pipe');
    execFileSync('mkfifo', ['-m', '600', pipe]);
    expect(codeOf(() => read(pipe))).toBe('usage.file');
    mkdirSync(path.join(folder.path, 'folder'));
    expect(codeOf(() => read(path.join(folder.path, 'folder')))).toBe('usage.file');
  });
});
