import { describe, expect, it } from 'vitest';
import { verifyAuditLog, type AuditReport, type VerifyOptions } from '../../src/audit/verify.js';
import { AuditSigner, LogBuilder, OrderBook, PEER, sealedLog } from '../support/audit-fixture.js';

const signer = new AuditSigner();
const FILE = 'audit-00000001.jsonl';

function verify(content: Buffer, options: Partial<VerifyOptions> = {}): Promise<AuditReport> {
  return verifyAuditLog([{ name: FILE, chunks: [content] }], { keys: [signer.key], ...options });
}

function text(lines: readonly string[]): Buffer {
  return Buffer.from(lines.map((line) => `${line}\n`).join(''));
}

function what(report: AuditReport): string {
  return report.problems.map((problem) => `${problem.file}:${problem.line} ${problem.what}`).join('\n');
}

describe('a sealed log', () => {
  const { log } = sealedLog(signer);

  it('verifies, whatever way its bytes arrive', async () => {
    const bytes = log.bytes();
    const pieces = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, at) =>
      bytes.subarray(at * 7, at * 7 + 7),
    );
    for (const chunks of [[bytes], pieces]) {
      const report = await verifyAuditLog([{ name: FILE, chunks }], { keys: [signer.key] });
      expect(what(report)).toBe('');
      expect(report).toMatchObject({ ok: true, lines: 7, signed: 3, refused: 1, checkpoints: 1, lastSeq: 7 });
      expect(report).toMatchObject({ sealedThrough: 7, unsealed: 0, head: log.head.hash });
    }
  });

  it('says which lines are unsealed', async () => {
    const longer = new LogBuilder();
    longer.lines.push(...log.lines);
    longer.head = log.head;
    longer.add({ type: 'act', act: 'lock', facts: {} });
    expect(await verify(longer.bytes())).toMatchObject({ ok: true, sealedThrough: 7, unsealed: 1 });
  });

  it('shows every flipped byte', async () => {
    const bytes = log.bytes();
    // One low bit, and the bit between upper and lower case.
    for (let flip = 0; flip < 2 * bytes.length; flip += 1) {
      const at = flip >> 1;
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(at) ^ (flip % 2 === 0 ? 0x01 : 0x20), at);
      const report = await verify(changed);
      if (report.ok) throw new Error(`byte ${at} can be flipped unseen`);
      const line = bytes.subarray(0, at).toString('latin1').split('\n').length;
      const named = report.problems.some(
        (problem) => problem.file === FILE && Math.abs(problem.line - line) <= 1,
      );
      if (!named) throw new Error(`byte ${at} in line ${line}: ${what(report)}`);
    }
  });

  it('shows every dropped, repeated and swapped line, and names it', async () => {
    for (let at = 0; at < log.lines.length - 1; at += 1) {
      const dropped = log.lines.filter((_, index) => index !== at);
      expect(what(await verify(text(dropped)))).toContain(`line ${at + 1} is missing`);
      const repeated = log.lines.flatMap((line, index) => (index === at ? [line, line] : [line]));
      expect(what(await verify(text(repeated)))).toContain(`line ${at + 1} is repeated`);
      const swapped = [...log.lines];
      swapped.splice(at, 2, log.lines[at + 1] ?? '', log.lines[at] ?? '');
      expect(what(await verify(text(swapped)))).toContain(`line ${at + 1} is missing before line ${at + 2}`);
    }
  });

  it('never calls a cut log sealed, wherever it was cut', async () => {
    const bytes = log.bytes();
    const remembered = { seq: log.head.seq, head: log.head.hash };
    for (let length = 0; length < bytes.length; length += 1) {
      const cut = bytes.subarray(0, length);
      const report = await verify(cut);
      if (report.ok) expect(report).toMatchObject({ sealedThrough: 0, unsealed: report.lines });
      expect((await verify(cut, { remembered })).ok).toBe(false);
    }
    expect((await verify(bytes, { remembered })).ok).toBe(true);
  });

  it('shows a rewritten log: links alone can be made again, the checkpoint cannot', async () => {
    const other = sealedLog(new AuditSigner());
    expect(what(await verify(other.log.bytes()))).toContain('no public key is known');
    const book = new OrderBook();
    const forged = new LogBuilder().add(book.start(), book.signature('forged'));
    forged.lines.push(log.lines[6] ?? '');
    expect((await verify(forged.bytes())).ok).toBe(false);
  });

  it('does not know a log that another head is remembered of', async () => {
    const report = await verify(log.bytes(), { remembered: { seq: 3, head: '0'.repeat(64) } });
    expect(what(report)).toContain(`${FILE}:3 line 3 is not the one that is remembered`);
  });
});

describe('the keeper’s orders', () => {
  it('shows an order that was left out and everything linked again', async () => {
    const book = new OrderBook();
    const log = new LogBuilder().add(book.start(), book.signature('one'));
    book.signature('hidden');
    log.add(book.signature('three'));
    expect(what(await verify(log.bytes()))).toContain(`${FILE}:3 order 2 has no record`);
  });

  it('shows an order left out and the rest numbered again, by the running hash of the checkpoint', async () => {
    const honest = new OrderBook();
    const lying = new OrderBook();
    const log = new LogBuilder().add(lying.start(), lying.signature('one'), lying.signature('three'));
    honest.signature('one');
    honest.signature('two');
    honest.signature('three');
    log.add(honest.checkpoint(signer, log.head));
    expect(what(await verify(log.bytes()))).toContain('order 3 has no record');
    const swapped = new OrderBook();
    swapped.signature('one');
    swapped.signature('two');
    const second = new LogBuilder().add(new OrderBook().start(), new OrderBook().signature('one'));
    const fake = new OrderBook();
    fake.signature('one');
    second.add(fake.signature('other'));
    second.add(swapped.checkpoint(signer, second.head));
    expect(what(await verify(second.bytes()))).toContain('running hash after order 2 is another one');
  });

  it('shows an order recorded twice, and one before any start', async () => {
    const book = new OrderBook();
    const once = book.signature('one');
    expect(what(await verify(new LogBuilder().add(once).bytes()))).toContain('before any start line');
    const twice = new LogBuilder().add(new OrderBook().start(), once, once);
    expect(what(await verify(twice.bytes()))).toContain('order 1 is recorded twice');
  });

  it('counts what was never released, before or after the start line of the next front', async () => {
    for (const startFirst of [false, true]) {
      const book = new OrderBook();
      const log = new LogBuilder().add(book.start(), book.signature('one'));
      const lost = { type: 'unreleased', ...book.take('cd'.repeat(32), 'two') } as const;
      log.add(...(startFirst ? [book.start(), lost] : [lost, book.start()]));
      log.add(book.signature('three')).add(book.checkpoint(signer, log.head));
      const report = await verify(log.bytes());
      expect(what(report)).toBe('');
      expect(report.sealedThrough).toBe(6);
    }
  });

  it('shows orders that the keeper counted and no front recorded', async () => {
    const book = new OrderBook();
    const log = new LogBuilder().add(book.start(), book.signature('one'));
    book.signature('two');
    book.signature('three');
    log.add(book.start());
    expect(what(await verify(log.bytes()))).toContain('orders 2 to 3 have no record');
    const next = new OrderBook('ff'.repeat(16));
    log.add(next.start(), next.signature('one'));
    expect(what(await verify(log.bytes()))).toContain('orders 2 to 3 have no record');
  });

  it('lets a checkpoint seal a line further back, and only that far', async () => {
    const book = new OrderBook();
    const log = new LogBuilder().add(book.start(), book.signature('one'));
    const sealedAt = log.head;
    const claim = { orders: book.count, hash: book.hash };
    log.add(book.signature('two'));
    const late = new OrderBook();
    late.signature('one');
    expect({ orders: late.count, hash: late.hash }).toEqual(claim);
    const checkpoint = late.checkpoint(signer, sealedAt);
    if (checkpoint.type !== 'checkpoint') throw new Error('no checkpoint');
    log.add({ ...checkpoint, order: 3 });
    const report = await verify(log.bytes());
    expect(what(report)).toBe('');
    expect(report).toMatchObject({ ok: true, sealedThrough: 2, unsealed: 2, checkpoints: 1 });
  });
});

describe('files', () => {
  const book = new OrderBook();
  const first = new LogBuilder().add(book.start(), book.signature('one'));
  const firstBytes = first.bytes();
  first.add({ type: 'continue', file: FILE }, book.signature('two'));
  const secondBytes = first.bytes().subarray(firstBytes.length);
  const keys = [signer.key];

  it('follow each other', async () => {
    const files = [
      { name: FILE, chunks: [firstBytes] },
      { name: 'audit-00000002.jsonl', chunks: [secondBytes] },
    ];
    expect(await verifyAuditLog(files, { keys })).toMatchObject({ ok: true, files: 2, lines: 4 });
    expect(what(await verifyAuditLog(files.slice(1), { keys }))).toContain(
      'the log begins with audit-00000001.jsonl',
    );
    expect((await verifyAuditLog(files.toReversed(), { keys })).ok).toBe(false);
  });

  it('do not hide a missing one', async () => {
    const files = [
      { name: FILE, chunks: [firstBytes] },
      { name: 'audit-00000003.jsonl', chunks: [secondBytes] },
    ];
    expect(what(await verifyAuditLog(files, { keys }))).toContain(`it does not follow ${FILE}`);
  });

  it('must be whole lines of the agent’s own writing', async () => {
    expect(what(await verify(Buffer.from('{}\n')))).toContain(`${FILE}:1`);
    expect(what(await verify(Buffer.alloc(200_000, 0x20)))).toContain('ends inside a line');
    expect(what(await verify(Buffer.alloc(0)))).toContain('the file is empty');
    const spaced = new LogBuilder().add({ type: 'act', act: 'lock', peer: PEER, facts: {} }).lines[0] ?? '';
    expect(what(await verify(text([spaced.replace('{"seq"', '{ "seq"')])))).toContain('not written the way');
    expect(what(await verify(text([spaced.replace('"act":"lock"', '"act":"lock","act":"lock"')])))).toContain(
      'not written the way',
    );
  });

  it('are all gone through after a problem, in bounded words', async () => {
    const many = text(Array.from({ length: 500 }, () => 'x'));
    const report = await verify(many);
    expect(report.problemCount).toBe(500);
    expect(report.problems).toHaveLength(100);
  });
});
