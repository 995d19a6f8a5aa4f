import * as fs from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createLogger, logLevelOf } from '../../src/platform/log.js';
import { readSecretFile } from '../../src/platform/secret-file.js';
import { listenFds, notifySystemd, readCredential } from '../../src/platform/systemd.js';
import { codeOf, thrownBy } from '../support/error-code.js';
import { TempFolder } from '../support/temp-folder.js';

describe('inherited sockets', () => {
  it('count only for the process they are meant for', () => {
    const env = { LISTEN_PID: '42', LISTEN_FDS: '2' };
    expect(listenFds(env, 42)).toEqual([3, 4]);
    expect(listenFds(env, 43)).toEqual([]);
    expect(listenFds({}, 42)).toEqual([]);
    for (const LISTEN_FDS of ['-1', 'x', '', '1e3', '0'])
      expect(listenFds({ ...env, LISTEN_FDS }, 42)).toEqual([]);
    expect(listenFds({ ...env, LISTEN_FDS: '99' }, 42)).toHaveLength(16);
  });
});

describe('secrets', () => {
  it('come as bytes from a file that is ours alone', () => {
    using root = new TempFolder();
    fs.writeFileSync(root.join('pin'), '123456\n', { mode: 0o600 });
    expect(readSecretFile(root.join('pin'))).toEqual(Buffer.from('123456\n'));
    expect(readCredential('pin', { CREDENTIALS_DIRECTORY: root.path })).toEqual(Buffer.from('123456\n'));
  });

  it('are refused from anywhere else, without a word of their content', () => {
    using root = new TempFolder();
    fs.writeFileSync(root.join('pin'), '987654', { mode: 0o600 });
    fs.symlinkSync('pin', root.join('link'));
    fs.writeFileSync(root.join('large'), Buffer.alloc(5000), { mode: 0o600 });
    for (const mode of [0o640, 0o604, 0o620]) {
      fs.chmodSync(root.join('pin'), mode);
      const error = thrownBy(() => readSecretFile(root.join('pin')));
      expect(error.code).toBe('usage.file');
      expect(error.message).not.toContain('987654');
    }
    for (const name of ['link', 'large', 'none', '.']) {
      expect(codeOf(() => readSecretFile(root.join(name)))).toBe('usage.file');
    }
    const env = { CREDENTIALS_DIRECTORY: root.path };
    for (const name of ['../pin', 'a/b', '', '.', '..'])
      expect(codeOf(() => readCredential(name, env))).toBe('usage.invalid');
    expect(codeOf(() => readCredential('pin', {}))).toBe('usage.file');
    expect(codeOf(() => readCredential('pin', { CREDENTIALS_DIRECTORY: 'relative' }))).toBe('usage.file');
  });
});

describe('readiness', () => {
  it('is said to nobody without complaint', () => {
    using root = new TempFolder();
    notifySystemd('READY=1', {});
    notifySystemd('READY=1', { NOTIFY_SOCKET: root.join('none') });
    expect(fs.readdirSync(root.path)).toEqual([]);
  });
});

describe('the log', () => {
  function logged(level: 'debug' | 'info', facts: object): Record<string, unknown>[] {
    using root = new TempFolder();
    const fd = fs.openSync(root.join('log'), 'w');
    const logger = createLogger('keeper', level, fd);
    logger.debug(facts, 'detail');
    logger.info(facts, 'said');
    fs.closeSync(fd);
    const lines = fs.readFileSync(root.join('log'), 'utf8').trim().split('\n');
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  it('is JSON lines that say who and when', () => {
    const lines = logged('debug', { token: 'main' });
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatchObject({
      name: 'keeper',
      pid: process.pid,
      token: 'main',
      msg: 'said',
      level: 30,
    });
    expect(logged('info', {})).toHaveLength(1);
  });

  it('holds no secret, at the most verbose level', () => {
    const secret = 'SECRET-VALUE';
    const inner = {
      pin: secret,
      secret,
      passphrase: secret,
      payload: secret,
      signature: secret,
      sealedPin: { a: secret },
    };
    const text = JSON.stringify(logged('debug', { ...inner, params: inner, call: { params: inner } }));
    expect(text).toContain('[removed]');
    expect(text).not.toContain(secret);
  });

  it('takes its level from TOUCHSTONE_LOG', () => {
    expect(logLevelOf({ TOUCHSTONE_LOG: 'debug' })).toBe('debug');
    expect(logLevelOf({ TOUCHSTONE_LOG: 'trace' })).toBe('info');
    expect(logLevelOf({})).toBe('info');
  });
});
