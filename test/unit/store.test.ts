import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { describe, expect, it } from 'vitest';
import { AppendLog } from '../../src/platform/store/append-log.js';
import { writeFileAtomic } from '../../src/platform/store/atomic-file.js';
import { readFileBounded } from '../../src/platform/store/bounded-read.js';
import { FolderLock } from '../../src/platform/store/folder-lock.js';
import { checkPrivateFolder, ensurePrivateFolder } from '../../src/platform/store/private-folder.js';
import { codeOf, thrownBy } from '../support/error-code.js';
import { NativeChild } from '../support/native-child.js';
import { withDist } from '../support/small-disk.js';
import { TempFolder } from '../support/temp-folder.js';

/** A process id that is not in use: of a process that has ended and was waited for. */
function deadPid(): number {
  return spawnSync('true').pid;
}

describe('an atomic write', () => {
  it('replaces the file, with the mode asked for, and leaves nothing else', () => {
    using root = new TempFolder();
    const path = root.join('a.json');
    writeFileAtomic(path, 'one');
    writeFileAtomic(path, Buffer.from('two'), 0o640);
    expect(fs.readFileSync(path, 'utf8')).toBe('two');
    expect(fs.statSync(path).mode & 0o777).toBe(0o640);
    writeFileAtomic(path, 'three');
    expect(fs.statSync(path).mode & 0o777).toBe(0o600);
    expect(fs.readdirSync(root.path)).toEqual(['a.json']);
  });

  it('removes what killed writers left, and nothing of living ones', () => {
    using root = new TempFolder();
    const leftovers = [`.a.json.${deadPid()}.tmp`, `.a.json.${process.pid}.tmp`];
    const kept = ['.a.json.1.tmp', '.b.json.99999999.tmp', '.a.json.x.tmp'];
    for (const name of [...leftovers, ...kept]) fs.writeFileSync(root.join(name), 'half');
    writeFileAtomic(root.join('a.json'), 'whole');
    expect(fs.readdirSync(root.path).sort()).toEqual(['a.json', ...kept].sort());
  });

  it('replaces a symbolic link instead of following it', () => {
    using root = new TempFolder();
    fs.writeFileSync(root.join('other'), 'theirs');
    fs.symlinkSync(root.join('other'), root.join('a.json'));
    writeFileAtomic(root.join('a.json'), 'ours');
    expect(fs.readFileSync(root.join('other'), 'utf8')).toBe('theirs');
    expect(fs.lstatSync(root.join('a.json')).isFile()).toBe(true);
  });

  it('names the path when it cannot be done', () => {
    using root = new TempFolder();
    const path = root.join('none', 'a.json');
    const error = thrownBy(() => {
      writeFileAtomic(path, '');
    });
    expect([error.code, error.details]).toEqual(['state.write', { path, errno: 'ENOENT' }]);
    fs.mkdirSync(root.join('folder', 'inside'), { recursive: true });
    expect(
      codeOf(() => {
        writeFileAtomic(root.join('folder'), '');
      }),
    ).toBe('state.write');
    expect(fs.readdirSync(root.path)).toEqual(['folder']);
  });
});

describe('a bounded read', () => {
  it('gives the content, or nothing where there is no file', () => {
    using root = new TempFolder();
    fs.writeFileSync(root.join('a'), 'abc');
    expect(readFileBounded(root.join('a'), 3)?.toString()).toBe('abc');
    expect(readFileBounded(root.join('b'), 3)).toBeUndefined();
  });

  it('refuses what is too large, a link, a folder and a pipe', () => {
    using root = new TempFolder();
    fs.writeFileSync(root.join('a'), 'abcd');
    fs.symlinkSync('a', root.join('link'));
    spawnSync('mkfifo', [root.join('pipe')]);
    expect(codeOf(() => readFileBounded(root.join('a'), 3))).toBe('state.damaged');
    for (const name of ['link', 'pipe', '.']) {
      expect(codeOf(() => readFileBounded(root.join(name), 3))).toBe('usage.file');
    }
  });
});

describe('an append log', () => {
  it('holds whole lines, private, and tells what was torn', () => {
    using root = new TempFolder();
    const path = root.join('log');
    {
      using log = AppendLog.open(path);
      log.append(Buffer.from('one\ntwo\n'));
      expect([log.length, log.tornBytes]).toEqual([8, 0]);
    }
    expect(fs.statSync(path).mode & 0o777).toBe(0o600);
    for (const torn of ['thr', '\0\0', 'thr\0', 'x'.repeat(200_000)]) {
      fs.appendFileSync(path, torn);
      using log = AppendLog.open(path);
      expect([log.length, log.tornBytes]).toEqual([8, torn.length]);
      expect(fs.readFileSync(path, 'utf8')).toBe('one\ntwo\n');
    }
  });

  it('does not touch a file that lost whole lines', () => {
    using root = new TempFolder();
    fs.writeFileSync(root.join('log'), 'one\ntw');
    expect(codeOf(() => AppendLog.open(root.join('log'), 8))).toBe('audit.shorter');
    expect(fs.readFileSync(root.join('log'), 'utf8')).toBe('one\ntw');
  });

  it('takes lines back', () => {
    using root = new TempFolder();
    using log = AppendLog.open(root.join('log'));
    log.append(Buffer.from('one\n'));
    log.append(Buffer.from('two\n'));
    log.truncate(4);
    log.append(Buffer.from('three\n'));
    log.truncate(100);
    expect(fs.readFileSync(root.join('log'), 'utf8')).toBe('one\nthree\n');
    expect(log.length).toBe(10);
  });

  it('fails on a device that is full', () => {
    using log = AppendLog.open('/dev/full');
    const error = thrownBy(() => {
      log.append(Buffer.from('one\n'));
    });
    expect([error.code, error.details?.['errno'], log.length]).toEqual(['audit.write', 'ENOSPC', 0]);
  });

  it('does not follow a link', () => {
    using root = new TempFolder();
    fs.symlinkSync('/dev/null', root.join('log'));
    expect(codeOf(() => AppendLog.open(root.join('log')))).toBe('audit.write');
  });
});

describe('a folder lock', () => {
  it('is held by one process, which the error names, and ends with it', async () => {
    using root = new TempFolder();
    const script = withDist(`
      const { FolderLock } = await import(DIST + '/platform/store/folder-lock.js');
      globalThis.lock = FolderLock.take(process.argv[1]);
      say('locked');
      await hear();`);
    {
      await using child = new NativeChild(script, { args: [root.path] });
      expect(await child.heard()).toBe('locked');
      const error = thrownBy(() => FolderLock.take(root.path));
      expect([error.code, error.details?.['pid']]).toEqual(['state.locked', child.pid]);
    }
    {
      using lock = FolderLock.take(root.path);
      expect(codeOf(() => FolderLock.take(root.path))).toBe('state.locked');
      lock[Symbol.dispose]();
      using again = FolderLock.take(root.path);
      expect(again).not.toBe(lock);
    }
    expect(codeOf(() => FolderLock.take(root.join('none')))).toBe('state.write');
  });
});

describe('a private folder', () => {
  it('is made for us alone, and refused when it is anybody else’s', () => {
    using root = new TempFolder();
    const path = root.join('a', 'b');
    ensurePrivateFolder(path, 'state');
    ensurePrivateFolder(path, 'state');
    expect(fs.statSync(path).mode & 0o777).toBe(0o700);
    for (const mode of [0o750, 0o701, 0o777]) {
      fs.chmodSync(path, mode);
      expect(
        codeOf(() => {
          checkPrivateFolder(path, 'socket');
        }),
      ).toBe('agent.socket-directory');
    }
    fs.chmodSync(path, 0o700);
    fs.symlinkSync(path, root.join('link'));
    expect(
      codeOf(() => {
        ensurePrivateFolder(root.join('link'), 'state');
      }),
    ).toBe('state.folder');
    fs.writeFileSync(root.join('file'), '');
    expect(
      codeOf(() => {
        ensurePrivateFolder(root.join('file', 'x'), 'state');
      }),
    ).toBe('state.write');
    expect(
      codeOf(() => {
        checkPrivateFolder(root.join('none'), 'state');
      }),
    ).toBe('state.folder');
  });

  it('must belong to us', () => {
    using root = new TempFolder();
    const owner = process.getuid?.() === 0 ? root.join('theirs') : '/';
    if (process.getuid?.() === 0) {
      fs.mkdirSync(owner, { mode: 0o700 });
      fs.chownSync(owner, 12345, 12345);
    }
    expect(
      thrownBy(() => {
        checkPrivateFolder(owner, 'state');
      }).message,
    ).toContain('belongs to uid');
  });
});
