import { appendFileSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { verifyAuditLog, type AuditReport } from '../../src/audit/verify.js';
import { AuditLog } from '../../src/state/audit-log.js';
import { NativeChild } from '../support/native-child.js';
import { childOnSmallDisk, withDist } from '../support/small-disk.js';
import { TempFolder } from '../support/temp-folder.js';

const COMMON = `
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
const { AuditLog } = await import(DIST + '/state/audit-log.js');
const { firstOrderHash } = await import(DIST + '/audit/order-hash.js');
const instance = '00'.repeat(16);
const ordersHash = firstOrderHash(Buffer.from(instance, 'hex')).toString('hex');
const peer = { uid: 0, gid: 0, pid: 1 };
const sign = (order) => ({ type: 'sign', peer, key: 'a#ssh', keyId: '11'.repeat(32), kind: 'sshsig:file', rule: 'r',
  summary: ['file of 3 bytes'], hash: createHash('sha256').update(String(order)).digest('hex'), order });
const openLog = (root, durability) => AuditLog.open({ folder: root + '/audit', headFile: root + '/audit-head.json',
  durability, rotateBytes: 200_000, clock: Date.now });
`;

/** Appends groups of lines as fast as it can and says which order is durable. */
const APPENDER = withDist(`${COMMON}
const [root, durability] = process.argv.slice(1);
const log = openLog(root, durability);
let order = log.recordedOrder.order;
if (order === 0) await log.append([{ type: 'start', instance, orders: 0, ordersHash, agent: 'test' }]);
for (;;) {
  const entries = Array.from({ length: 1 + (order % 40) }, () => sign(++order));
  await log.append(entries);
  say(order);
}
`);

function verify(folder: string, names: readonly string[]): Promise<AuditReport> {
  const files = names.map((name) => ({ name, chunks: [readFileSync(`${folder}/${name}`)] }));
  return verifyAuditLog(files, { keys: [] });
}

function files(folder: string): string[] {
  const names: string[] = [];
  for (let at = 1; ; at += 1) {
    const name = `audit-${String(at).padStart(8, '0')}.jsonl`;
    if (statSync(`${folder}/${name}`, { throwIfNoEntry: false }) === undefined) return names;
    names.push(name);
  }
}

describe.each(['fsync', 'os'] as const)('a process killed while it appends, durability %s', (durability) => {
  it('leaves a log that verifies and holds all it had said was written', async () => {
    using root = new TempFolder();
    mkdirSync(root.join('audit'));
    for (let round = 0; round < 8; round += 1) {
      let said: number;
      {
        await using child = new NativeChild(APPENDER, { args: [root.path, durability] });
        said = Number(await child.heard());
        const listening = (async () => {
          for (;;) said = Number(await child.heard());
        })().catch(() => undefined);
        await sleep(Math.random() * 60);
        child.process.kill('SIGKILL');
        await listening;
      }
      const options = { folder: root.join('audit'), headFile: root.join('audit-head.json') };
      using log = AuditLog.open({ ...options, durability, rotateBytes: 200_000, clock: Date.now });
      expect(said).toBeGreaterThan(0);
      expect(log.recordedOrder.order).toBeGreaterThanOrEqual(said);
      const report = await verify(options.folder, files(options.folder));
      expect(report.problems).toEqual([]);
      expect(report.signed).toBe(log.recordedOrder.order);
    }
  }, 120_000);
});

describe('half a line at the end of a file', () => {
  it('costs nothing that was durable, wherever it was torn', async () => {
    using root = new TempFolder();
    mkdirSync(root.join('audit'));
    const path = root.join('audit', 'audit-00000001.jsonl');
    const place = { folder: root.join('audit'), headFile: root.join('audit-head.json') };
    const options = { ...place, durability: 'os', rotateBytes: 1 << 20, clock: Date.now } as const;
    {
      using log = AuditLog.open(options);
      await log.append([{ type: 'act', act: 'lock', facts: {} }]);
    }
    const line = readFileSync(path);
    for (let length = 1; length < line.length; length += 13) {
      appendFileSync(path, line.subarray(0, length));
      using log = AuditLog.open(options);
      expect(log.writable).toBe(true);
    }
    const report = await verify(place.folder, files(place.folder));
    expect(report).toMatchObject({ problems: [], lines: 1 + Math.ceil((line.length - 1) / 13) });
  });
});

/** Fills the disk, signs on, makes room, and reports what the log says of it. */
const FULL_DISK = `${COMMON}
const [root] = process.argv.slice(1);
const { verifyAuditLog } = await import(DIST + '/audit/verify.js');
mkdirSync(root + '/audit');
const durability = await hear();
writeFileSync(root + '/filler', Buffer.alloc(24 * 1024));
const log = openLog(root, durability);
const path = root + '/audit/audit-00000001.jsonl';
await log.append([{ type: 'start', instance, orders: 0, ordersHash, agent: 'test' }]);
let order = 0, failure, code;
const released = [];
while (failure === undefined && order < 1000) {
  const entries = Array.from({ length: 7 }, () => sign(++order));
  try { await log.append(entries); released.push(...entries.map((entry) => entry.order)); }
  catch (error) { failure = error; }
}
const whole = readFileSync(path, 'utf8').endsWith('}\\n');
const writable = log.writable, recovered = log.recover();
const again = await log.append([sign(++order)]).then(() => 'written', (error) => error.code);
rmSync(root + '/filler');
const afterRoom = log.recover();
await log.append([sign(++order)]);
released.push(order);
log[Symbol.dispose]();
const report = await verifyAuditLog([{ name: 'audit-00000001.jsonl', chunks: [readFileSync(path)] }], { keys: [] });
const lines = readFileSync(path, 'utf8').trim().split('\\n').map((line) => JSON.parse(line));
say({ code: failure?.code, errno: failure?.details?.errno, whole, writable, recovered, again, afterRoom,
  problems: report.problems, order, released,
  signed: lines.filter((line) => line.type === 'sign').map((line) => line.order),
  unreleased: lines.filter((line) => line.type === 'unreleased').map((line) => line.order),
  resumed: lines.filter((line) => line.act === 'audit.resumed').map((line) => line.facts) });
`;

interface FullDiskReport {
  readonly order: number;
  readonly released: readonly number[];
  readonly signed: readonly number[];
  readonly unreleased: readonly number[];
}

describe.each(['fsync', 'os'])('a full disk, durability %s', (durability) => {
  it('fails the write, leaves no half line, and goes on by itself when there is room', async () => {
    using root = new TempFolder();
    await using child = childOnSmallDisk(FULL_DISK, { folder: root.path, options: 'size=64k' });
    child.tell(durability);
    const report = (await child.heard()) as FullDiskReport;
    expect(report).toMatchObject({ code: 'audit.write', errno: 'ENOSPC', whole: true, problems: [] });
    expect(report).toMatchObject({
      writable: false,
      recovered: false,
      again: 'audit.write',
      afterRoom: true,
    });
    expect(report.signed).toEqual(report.released);
    expect(report.unreleased).toHaveLength(8);
    expect([...report.signed, ...report.unreleased].sort((a, b) => a - b)).toEqual(
      Array.from({ length: report.order }, (_, at) => at + 1),
    );
    expect(report).toMatchObject({ resumed: [{ dropped: 0, reason: 'ENOSPC' }] });
  });
});

describe('a read-only disk', () => {
  it('refuses to open the log and leaves everything as it was', async () => {
    using root = new TempFolder();
    const script = `${COMMON}
      const { execFileSync } = await import('node:child_process');
      const { writeFileAtomic } = await import(DIST + '/platform/store/atomic-file.js');
      const [root] = process.argv.slice(1);
      mkdirSync(root + '/audit');
      openLog(root, 'fsync')[Symbol.dispose]();
      const before = readdirSync(root, { recursive: true });
      execFileSync('mount', ['-o', 'remount,ro', root]);
      const codes = [() => openLog(root, 'fsync'), () => writeFileAtomic(root + '/x.json', '{}')].map((run) => {
        try { run(); return 'done'; } catch (error) { return [error.code, error.details?.errno]; }
      });
      say({ codes, isSame: before.join() === readdirSync(root, { recursive: true }).join() });`;
    await using child = childOnSmallDisk(script, { folder: root.path, options: 'size=64k' });
    expect(await child.heard()).toEqual({
      codes: [
        ['audit.write', 'EROFS'],
        ['state.write', 'EROFS'],
      ],
      isSame: true,
    });
  });
});
