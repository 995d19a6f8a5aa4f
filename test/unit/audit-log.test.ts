import { appendFileSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { verifyAuditLog, type AuditReport } from '../../src/audit/verify.js';
import { AuditLog, type AuditLogOptions } from '../../src/state/audit-log.js';
import { AuditSigner, OrderBook, PEER } from '../support/audit-fixture.js';
import { codeOf } from '../support/error-code.js';
import { TempFolder } from '../support/temp-folder.js';

const signer = new AuditSigner();
const NOW = Date.parse('2026-03-01T12:00:00Z');

class Bench implements Disposable {
  readonly #root = new TempFolder();
  readonly folder = this.#root.join('audit');
  readonly headFile = this.#root.join('audit-head.json');
  now = NOW;

  constructor() {
    mkdirSync(this.folder, { mode: 0o700 });
  }

  open(options: Partial<AuditLogOptions> = {}): AuditLog {
    const { folder, headFile } = this;
    const clock = (): number => this.now;
    return AuditLog.open({ folder, headFile, durability: 'fsync', rotateBytes: 1 << 26, clock, ...options });
  }

  files(): readonly string[] {
    return readdirSync(this.folder).sort();
  }

  path(name = 'audit-00000001.jsonl'): string {
    return `${this.folder}/${name}`;
  }

  verify(): Promise<AuditReport> {
    const files = this.files().map((name) => ({ name, chunks: [readFileSync(this.path(name))] }));
    return verifyAuditLog(files, { keys: [signer.key] });
  }

  [Symbol.dispose](): void {
    this.#root[Symbol.dispose]();
  }
}

const act = (name: string) => ({ type: 'act', act: name, facts: {} }) as const;

describe.each(['fsync', 'os'] as const)('a log with durability %s', (durability) => {
  it('numbers and links what several callers stage in one turn', async () => {
    using bench = new Bench();
    const orders = new OrderBook();
    using log = bench.open({ durability });
    expect(log.nextSequence).toBe(1);
    const first = log.append([orders.start()]);
    const batch = log.append([orders.signature('one'), orders.signature('two')]);
    const flushed = log.flush();
    expect(await first).toEqual([1]);
    expect(await batch).toEqual([2, 3]);
    await flushed;
    expect(log.recordedOrder).toEqual({ instance: orders.instance, order: 2 });
    expect(await bench.verify()).toMatchObject({ ok: true, lines: 3, signed: 2, head: log.head.hash });
  });

  it('goes on where it stopped', async () => {
    using bench = new Bench();
    const orders = new OrderBook();
    for (let run = 0; run < 3; run += 1) {
      using log = bench.open({ durability });
      expect(log.recordedOrder.order).toBe(orders.count);
      await log.append([orders.start(), orders.signature(`run ${run}`)]);
      log.stage(act('stop'));
    }
    expect(await bench.verify()).toMatchObject({ ok: true, lines: 9, signed: 3 });
  });

  it('keeps thousands of lines that arrive while the disk is busy', async () => {
    using bench = new Bench();
    const orders = new OrderBook();
    using log = bench.open({ durability });
    await log.append([orders.start()]);
    const waiting: Promise<unknown>[] = [];
    for (let at = 0; at < 2000; at += 1) {
      waiting.push(log.append([orders.signature(String(at))]));
      if (at % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(waiting);
    expect(await bench.verify()).toMatchObject({ ok: true, signed: 2000 });
  });
});

describe('checkpoints', () => {
  it('fall due by lines and by time, and not again once sealed', async () => {
    using bench = new Bench();
    const orders = new OrderBook();
    using log = bench.open();
    expect(log.needsCheckpoint()).toBeUndefined();
    await log.append([orders.start()]);
    expect(log.needsCheckpoint()).toBeUndefined();
    bench.now += 60_000;
    expect(log.needsCheckpoint()).toBe('time');
    await log.append([orders.checkpoint(signer, log.head, log.timestamp())]);
    expect([log.unsealed, log.needsCheckpoint()]).toEqual([0, undefined]);
    await log.append(Array.from({ length: 999 }, () => act('lock')));
    expect(log.needsCheckpoint()).toBeUndefined();
    await log.append([act('lock')]);
    expect([log.unsealed, log.needsCheckpoint()]).toEqual([1000, 'lines']);
    expect(await bench.verify()).toMatchObject({ ok: true, checkpoints: 1, unsealed: 1000 });
  });

  it('are counted again after a restart', async () => {
    using bench = new Bench();
    const orders = new OrderBook();
    {
      using log = bench.open();
      await log.append([orders.start(), orders.signature('one')]);
      await log.append([orders.checkpoint(signer, log.head, log.timestamp())]);
      await log.append([act('lock')]);
    }
    using log = bench.open();
    expect([log.unsealed, log.recordedOrder.order]).toEqual([1, 2]);
  });
});

describe('rotation', () => {
  it('happens once the full file is sealed, and the files verify together', async () => {
    using bench = new Bench();
    const orders = new OrderBook();
    {
      using log = bench.open({ rotateBytes: 4000 });
      await log.append([orders.start()]);
      for (let at = 0; at < 40; at += 1) {
        await log.append([orders.signature(String(at))]);
        if (log.needsCheckpoint() === 'rotation') {
          await log.append([orders.checkpoint(signer, log.head, log.timestamp())]);
        }
      }
    }
    expect(bench.files().length).toBeGreaterThan(3);
    expect(await bench.verify()).toMatchObject({ ok: true, signed: 40, files: bench.files().length });
    using again = bench.open({ rotateBytes: 4000 });
    expect(again.recordedOrder.order).toBe(orders.count);
  });

  it('does not wait forever for a checkpoint that nobody can sign', async () => {
    using bench = new Bench();
    using log = bench.open({ rotateBytes: 2000 });
    for (let at = 0; at < 60; at += 1) await log.append([act('lock')]);
    expect(bench.files().length).toBeGreaterThan(2);
    expect((await bench.verify()).ok).toBe(true);
  });

  it('is finished by the next start when a kill left the new file empty', async () => {
    using bench = new Bench();
    {
      using log = bench.open();
      await log.append([act('lock')]);
    }
    writeFileSync(bench.path('audit-00000002.jsonl'), '');
    using log = bench.open();
    await log.append([act('unlock')]);
    expect(await bench.verify()).toMatchObject({ ok: true, files: 2, lines: 3 });
  });
});

describe('what is found at start', () => {
  async function filled(bench: Bench): Promise<void> {
    using log = bench.open();
    const orders = new OrderBook();
    await log.append([orders.start(), orders.signature('one'), orders.signature('two')]);
  }

  it('is never a shorter log: lines gone, file gone, memory gone', async () => {
    for (const harm of [
      (bench: Bench) => {
        const lines = readFileSync(bench.path(), 'utf8').split('\n');
        writeFileSync(bench.path(), `${lines.slice(0, 2).join('\n')}\n`);
      },
      (bench: Bench) => {
        truncateSync(bench.path(), readFileSync(bench.path()).length - 1);
      },
      (bench: Bench) => {
        rmSync(bench.path());
      },
      (bench: Bench) => {
        rmSync(bench.headFile);
      },
    ]) {
      using bench = new Bench();
      await filled(bench);
      harm(bench);
      const before = bench.files().map((name) => readFileSync(bench.path(name), 'utf8'));
      expect(codeOf(() => bench.open())).toBe('audit.shorter');
      expect(bench.files().map((name) => readFileSync(bench.path(name), 'utf8'))).toEqual(before);
    }
  });

  it('is never a changed line, remembered or after that', async () => {
    using bench = new Bench();
    await filled(bench);
    const bytes = readFileSync(bench.path());
    for (let at = bytes.lastIndexOf(10, -2) + 1; at < bytes.length - 1; at += 9) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      writeFileSync(bench.path(), changed);
      expect(codeOf(() => bench.open())).toBe('audit.broken');
    }
    writeFileSync(bench.path(), bytes);
    appendFileSync(bench.path(), `${bytes.toString('utf8').split('\n')[2] ?? ''}\n`);
    expect(codeOf(() => bench.open())).toBe('audit.broken');
  });

  it('is cut where a power loss left half a line or empty blocks, and said in the log', async () => {
    for (const torn of ['{"seq":4,"ti', '\0\0\0\0\0\0', '{"seq":4\0\0\0']) {
      using bench = new Bench();
      await filled(bench);
      appendFileSync(bench.path(), torn);
      {
        using log = bench.open();
        expect(log.recordedOrder.order).toBe(2);
      }
      const report = await bench.verify();
      expect(report).toMatchObject({ ok: true, lines: 4 });
      expect(readFileSync(bench.path(), 'utf8')).toContain(
        `"act":"audit.cut","facts":{"bytes":${torn.length}}`,
      );
    }
  });
});

describe('queries', () => {
  it('give the newest lines, or those after a sequence, over all files', async () => {
    using bench = new Bench();
    const orders = new OrderBook();
    using log = bench.open({ rotateBytes: 60_000 });
    await log.append([orders.start()]);
    for (let at = 0; at < 1200; at += 1) log.stage(orders.signature(String(at)));
    await log.flush();
    for (let at = 0; at < 900; at += 1) await log.append([act(`act-${at}`)]);
    const refused = {
      type: 'refuse',
      peer: PEER,
      key: 'x#y',
      kind: 'digest',
      code: 'policy.denied',
      message: 'no',
    } as const;
    await log.append([refused]);
    expect(bench.files().length).toBeGreaterThan(1);
    const last = log.head.seq;

    const newest = await log.query({ limit: 3 });
    expect(newest.records.map((line) => line.seq)).toEqual([last - 2, last - 1, last]);
    for (const after of [0, 1, 599, 1200, 1201, last - 5, last]) {
      const page = await log.query({ after, limit: 4 });
      const expected = [1, 2, 3, 4].map((step) => after + step).filter((seq) => seq <= last);
      expect(page.records.map((line) => line.seq)).toEqual(expected);
    }
    const signed = await log.query({ limit: 2, outcome: 'signed' });
    expect(signed.records.map((line) => line.seq)).toEqual([1200, 1201]);
    const ofKey = await log.query({ after: 0, limit: 10, key: 'x#y', outcome: 'refused' });
    expect(ofKey).toMatchObject({ last, records: [{ seq: last, code: 'policy.denied' }] });
    expect((await log.query({ limit: 5, key: 'no#such' })).records).toEqual([]);
  });
});
