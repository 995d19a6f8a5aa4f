import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findSoftHsm, provisionSoftHsm } from '../../src/platform/softhsm.js';

describe('embedded token store', () => {
  let base: string;
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'touchstone-provision-'));
  });
  afterEach(() => {
    rmSync(base, { recursive: true, force: true });
  });

  it('makes a private folder with a configuration that names it', () => {
    const folder = join(base, 'state', 'softhsm');
    const { module, conf } = provisionSoftHsm(folder);
    expect(module).toMatch(/libsofthsm2\.so$/);
    expect(conf).toBe(join(folder, 'softhsm2.conf'));
    const lines = readFileSync(conf, 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(lines).toEqual([
      `directories.tokendir = ${join(folder, 'tokens')}`,
      'objectstore.backend = file',
      'log.level = ERROR',
      'slots.removable = false',
    ]);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, 'tokens')).mode & 0o777).toBe(0o700);
    expect(statSync(conf).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder).sort()).toEqual(['softhsm2.conf', 'tokens']);
  });

  it('takes an empty folder and closes it to others', () => {
    const folder = join(base, 'open');
    mkdirSync(folder, { mode: 0o755 });
    provisionSoftHsm(folder);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it('refuses a folder that holds anything, and changes nothing in it', () => {
    const folder = join(base, 'used');
    mkdirSync(folder);
    writeFileSync(join(folder, 'mine'), 'text');
    expect(() => provisionSoftHsm(folder)).toThrow(expect.objectContaining({ code: 'config.exists' }));
    expect(readdirSync(folder)).toEqual(['mine']);
    // A second provisioning of the same store would be the same mistake.
    const store = join(base, 'store');
    provisionSoftHsm(store);
    expect(() => provisionSoftHsm(store)).toThrow(expect.objectContaining({ code: 'config.exists' }));
  });

  it('refuses a symlink to an empty folder', () => {
    mkdirSync(join(base, 'target'));
    symlinkSync(join(base, 'target'), join(base, 'link'));
    expect(() => provisionSoftHsm(join(base, 'link'))).toThrow(
      expect.objectContaining({ code: 'config.exists' }),
    );
    expect(readdirSync(join(base, 'target'))).toEqual([]);
  });

  it.each(['a#b', 'a=b', 'a\nb', 'a '])(
    'refuses the path %j, which the configuration cannot hold',
    (name) => {
      expect(() => provisionSoftHsm(join(base, name))).toThrow(
        expect.objectContaining({ code: 'usage.invalid' }),
      );
      expect(readdirSync(base)).toEqual([]);
    },
  );

  it('refuses a relative path and a path below a file', () => {
    expect(() => provisionSoftHsm('softhsm')).toThrow(
      expect.objectContaining({ code: 'usage.path-relative' }),
    );
    writeFileSync(join(base, 'file'), '');
    expect(() => provisionSoftHsm(join(base, 'file', 'softhsm'))).toThrow(
      expect.objectContaining({ code: 'state.write' }),
    );
  });

  it('says where it looked when there is no driver', () => {
    expect(() => findSoftHsm([join(base, 'libsofthsm2.so')])).toThrow(
      expect.objectContaining({
        code: 'token.module-missing',
        details: { places: [join(base, 'libsofthsm2.so')] },
      }),
    );
  });
});
