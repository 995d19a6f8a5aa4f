import * as fs from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { addLeaf } from '../../src/keys/keyring-change.js';
import { keyringFileSchema, type KeyringEnvelope } from '../../src/keys/key-schema.js';
import { emptyUsage, recordUses } from '../../src/policy/usage.js';
import { AuditLog } from '../../src/state/audit-log.js';
import { KeyringFile } from '../../src/state/keyring-file.js';
import { PinLedger } from '../../src/state/pin-ledger.js';
import { loadUsage, saveUsage } from '../../src/state/usage-file.js';
import { loadStateFile, type StateFormat } from '../../src/state/versions.js';
import { OrderBook } from '../support/audit-fixture.js';
import { codeOf, thrownBy } from '../support/error-code.js';
import {
  leafRecord,
  signedFile,
  softwareKeyring,
  type SoftwareKeyring,
} from '../support/software-keyring.js';
import { TempFolder } from '../support/temp-folder.js';

const NOW = Date.parse('2026-03-01T12:00:00Z');

describe('a state file', () => {
  const schema = z.strictObject({
    format: z.literal('demo'),
    version: z.literal(3),
    names: z.array(z.string()),
  });
  const format: StateFormat<typeof schema> = {
    format: 'demo',
    version: 3,
    schema,
    maxBytes: 1000,
    migrations: [
      { from: 1, migrate: ({ name }) => ({ names: name }) },
      { from: 2, migrate: ({ names }) => ({ names: [names] }) },
    ],
  };

  it('of an older release is brought forward, and the original kept', () => {
    using root = new TempFolder();
    const path = root.join('demo.json');
    const original = '{"format":"demo","version":1,"name":"ann"}';
    fs.writeFileSync(path, original);
    const expected = { format: 'demo', version: 3, names: ['ann'] };
    expect(loadStateFile(path, format)).toEqual(expected);
    expect(fs.readFileSync(`${path}.v1`, 'utf8')).toBe(original);
    expect(JSON.parse(fs.readFileSync(path, 'utf8'))).toEqual(expected);
    expect(loadStateFile(path, format)).toEqual(expected);
    expect(fs.readdirSync(root.path).sort()).toEqual(['demo.json', 'demo.json.v1']);
  });

  it('is refused and left alone when nobody knows its version', () => {
    using root = new TempFolder();
    const path = root.join('demo.json');
    for (const content of [
      '{"format":"demo","version":4,"names":[]}',
      '{"format":"demo","version":0,"names":[]}',
      '{"format":"other","version":3,"names":[]}',
    ]) {
      fs.writeFileSync(path, content);
      expect(codeOf(() => loadStateFile(path, format))).toBe('state.version');
      expect(fs.readFileSync(path, 'utf8')).toBe(content);
    }
  });

  it('is refused and left alone when it is damaged, naming the field', () => {
    using root = new TempFolder();
    const path = root.join('demo.json');
    for (const content of [
      '',
      '[]',
      '{"format":"demo","version":3,"names":[1]}',
      '{"format":"demo","version":3,"names":[],"more":1}',
      '{"format":"demo","version":"3","names":[]}',
      '{"format":"demo","version":3,"version":3,"names":[]}',
      ' '.repeat(1001),
    ]) {
      fs.writeFileSync(path, content);
      expect(codeOf(() => loadStateFile(path, format))).toBe('state.damaged');
      expect(fs.readFileSync(path, 'utf8')).toBe(content);
    }
    fs.writeFileSync(path, '{"format":"demo","version":3,"names":[1]}');
    expect(thrownBy(() => loadStateFile(path, format)).message).toContain('names.0');
    expect(loadStateFile(root.join('none.json'), format)).toBeUndefined();
  });
});

describe('the keyring file', () => {
  function parts(keyring: SoftwareKeyring): { anchor: KeyringEnvelope; records: KeyringEnvelope } {
    return keyringFileSchema.parse(JSON.parse(signedFile(keyring)));
  }

  it('is made once and then grows', () => {
    using root = new TempFolder();
    const first = softwareKeyring();
    const { anchor, records } = parts(first);
    const file = new KeyringFile(root.path);
    expect(file.load()).toBeUndefined();
    expect(codeOf(() => file.saveRecords(records))).toBe('keyring.missing');
    expect(file.create(anchor, records).records.sequence).toBe(0);
    expect(codeOf(() => file.create(anchor, records))).toBe('keyring.exists');

    const grown = { ...first, records: addLeaf(first.records, leafRecord()) };
    expect(file.saveRecords(parts(grown).records).records.leaves).toHaveLength(1);
    expect(codeOf(() => file.saveRecords(parts(grown).records))).toBe('keyring.older');
    expect(new KeyringFile(root.path).load()?.records).toEqual(grown.records);
    expect(fs.statSync(file.path).mode & 0o777).toBe(0o600);
  });

  it('is refused when an older one, another one or none stands in its place', () => {
    using root = new TempFolder();
    const old = softwareKeyring();
    const file = new KeyringFile(root.path);
    file.create(parts(old).anchor, parts(old).records);
    const oldText = fs.readFileSync(file.path);
    const grown = { ...old, records: addLeaf(old.records, leafRecord()) };
    file.saveRecords(parts(grown).records);
    const newText = fs.readFileSync(file.path);

    fs.writeFileSync(file.path, oldText);
    expect(codeOf(() => new KeyringFile(root.path).load())).toBe('keyring.older');
    fs.writeFileSync(file.path, signedFile(softwareKeyring([leafRecord(), leafRecord({ index: 1 })])));
    expect(codeOf(() => new KeyringFile(root.path).load())).toBe('keyring.other-token');
    fs.rmSync(file.path);
    expect(codeOf(() => new KeyringFile(root.path).load())).toBe('keyring.older');
    fs.writeFileSync(file.path, newText);
    expect(new KeyringFile(root.path).load()?.records.sequence).toBe(1);
  });

  it('is not written when its signature would not be accepted', () => {
    using root = new TempFolder();
    const mine = softwareKeyring();
    const { anchor } = parts(mine);
    const { records } = parts(softwareKeyring());
    expect(codeOf(() => new KeyringFile(root.path).create(anchor, records))).toBe('keyring.signature');
    expect(fs.readdirSync(root.path)).toEqual([]);
  });

  it('is remembered again after a kill between the two writes', () => {
    using root = new TempFolder();
    const ring = softwareKeyring();
    const file = new KeyringFile(root.path);
    file.create(parts(ring).anchor, parts(ring).records);
    const next = { ...ring, records: addLeaf(ring.records, leafRecord()) };
    fs.writeFileSync(file.path, signedFile(next));
    expect(new KeyringFile(root.path).load()?.records.sequence).toBe(1);
    fs.writeFileSync(file.path, signedFile(ring));
    expect(codeOf(() => new KeyringFile(root.path).load())).toBe('keyring.older');
  });
});

describe('the PIN ledger', () => {
  it('knows of an attempt before its PIN is sent, and of its outcome after', () => {
    using root = new TempFolder();
    const path = root.join('pin-ledger.json');
    const ledger = PinLedger.open(path, () => NOW);
    ledger.begin('0123', { triesLeft: 'full' });
    const at = '2026-03-01T12:00:00Z';
    expect(PinLedger.open(path, () => NOW).attempts('0123')).toEqual([
      { at, outcome: 'unknown', triesBefore: 'full' },
    ]);
    ledger.end('0123', 'wrong', { triesLeft: 'low' });
    ledger.begin('4567', { triesLeft: 'full' });
    ledger.end('4567', 'correct', { triesLeft: 'full' });
    const again = PinLedger.open(path, () => NOW);
    expect(again.attempts('0123')).toEqual([
      { at, outcome: 'wrong', triesBefore: 'full', triesAfter: 'low' },
    ]);
    expect(again.attempts('4567')).toMatchObject([{ outcome: 'correct' }]);
    expect(again.attempts('none')).toEqual([]);
  });

  it('changes no attempt that has ended, and keeps a bounded number', () => {
    using root = new TempFolder();
    const path = root.join('pin-ledger.json');
    const ledger = PinLedger.open(path, () => NOW);
    ledger.end('0123', 'correct', { triesLeft: 'full' });
    expect(fs.existsSync(path)).toBe(false);
    for (let at = 0; at < 103; at += 1) {
      ledger.begin('0123', { triesLeft: at === 102 ? 'low' : 'full' });
      ledger.end('0123', 'error', { triesLeft: 'full' });
    }
    ledger.end('0123', 'correct', { triesLeft: 'full' });
    const attempts = PinLedger.open(path, () => NOW).attempts('0123');
    expect(attempts).toHaveLength(100);
    expect(attempts.at(-1)).toMatchObject({ outcome: 'error', triesBefore: 'low' });
  });

  it('says so when an attempt cannot be noted', () => {
    using root = new TempFolder();
    const ledger = PinLedger.open(root.join('none', 'pin-ledger.json'), () => NOW);
    expect(
      codeOf(() => {
        ledger.begin('0123', { triesLeft: 'full' });
      }),
    ).toBe('state.write');
    expect(ledger.attempts('0123')).toEqual([]);
  });

  /** Counters as a YubiKey tells them. */
  const counter = (left: number, total = 3): Parameters<PinLedger['see']>[1] => ({
    triesLeft: left === total ? 'full' : 'low',
    tries: { left, total },
  });

  it('finds tries that somebody else has used up, once', () => {
    using root = new TempFolder();
    const path = root.join('pin-ledger.json');
    const ledger = PinLedger.open(path, () => NOW);
    expect(ledger.see('0123', { triesLeft: 'low' })).toBeUndefined();
    expect([3, 3, 2, 2].map((left) => ledger.see('0123', counter(left))?.outcome)).toEqual([
      undefined,
      undefined,
      'foreign-attempt',
      undefined,
    ]);
    expect(ledger.alert('0123')).toMatchObject({ leftBefore: 3, leftAfter: 2, triesAfter: 'low' });
    // It survives a restart, and ends when the PIN was entered right.
    const again = PinLedger.open(path, () => NOW);
    expect(again.alert('0123')).toMatchObject({ outcome: 'foreign-attempt' });
    again.begin('0123', counter(2));
    again.end('0123', 'correct', counter(3));
    expect(again.alert('0123')).toBeUndefined();
    expect(again.see('0123', counter(2))).toMatchObject({ leftBefore: 3, leftAfter: 2 });
  });

  it.each([
    ['an attempt that a kill has cut off', undefined],
    ['an attempt after which nobody could look', 'error'],
  ] as const)('takes one try for %s, and no more', (_what, outcome) => {
    using root = new TempFolder();
    const path = root.join('pin-ledger.json');
    const before = PinLedger.open(path, () => NOW);
    before.see('0123', counter(5, 5));
    before.begin('0123', counter(5, 5));
    if (outcome !== undefined) before.end('0123', outcome, { triesLeft: 'full' });
    const ledger = PinLedger.open(path, () => NOW);
    expect(ledger.see('0123', counter(4, 5))).toBeUndefined();
    expect(ledger.attempts('0123')).toMatchObject([{ outcome: outcome ?? 'unknown', leftAfter: 4 }]);
    expect(ledger.see('0123', counter(3, 5))).toMatchObject({ outcome: 'foreign-attempt' });
  });

  it('keeps the attempts of version 1', () => {
    using root = new TempFolder();
    const path = root.join('pin-ledger.json');
    const attempts = [
      { at: '2026-02-01T12:00:00Z', outcome: 'wrong', triesBefore: 'full', triesAfter: 'low' },
    ];
    fs.writeFileSync(
      path,
      JSON.stringify({ format: 'touchstone-pin-ledger', version: 1, tokens: { 7: attempts } }),
    );
    expect(PinLedger.open(path, () => NOW).attempts('7')).toEqual(attempts);
    expect(PinLedger.open(path, () => NOW).see('7', counter(2))).toBeUndefined();
  });
});

describe('usage counters', () => {
  it('count again what was signed after they were saved', async () => {
    using root = new TempFolder();
    fs.mkdirSync(root.join('audit'));
    const orders = new OrderBook();
    using log = AuditLog.open({
      folder: root.join('audit'),
      headFile: root.join('audit-head.json'),
      durability: 'os',
      rotateBytes: 1 << 26,
      clock: () => NOW,
    });
    await log.append([orders.start(), orders.signature('one'), orders.signature('two')]);
    const path = root.join('usage.json');
    const limited = (rule: string): boolean => rule === 'owner';
    expect((await loadUsage(path, log, limited)).rules.get('owner')?.total).toBe(2);
    expect((await loadUsage(path, log, () => false)).rules.size).toBe(0);

    saveUsage(path, recordUses(emptyUsage(), [{ rule: 'owner', uses: 40 }], NOW), log.head.seq);
    await log.append(Array.from({ length: 5003 }, (_, at) => orders.signature(String(at))));
    const usage = (await loadUsage(path, log, limited)).rules.get('owner');
    expect(usage).toEqual({ total: 5043, buckets: [[NOW / 60_000, 5043]] });
  });

  it('are refused when damaged', async () => {
    using root = new TempFolder();
    fs.writeFileSync(
      root.join('usage.json'),
      '{"format":"touchstone-usage-file","version":1,"auditSeq":0,"usage":{}}',
    );
    const log = { query: () => Promise.resolve({ records: [], last: 0 }) };
    const failure: unknown = await loadUsage(root.join('usage.json'), log, () => true).catch(
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ code: 'state.damaged' });
  });
});
