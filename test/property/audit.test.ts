import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EMPTY_HEAD, hashLine, lineText, linkEntry, type AuditEntry } from '../../src/audit/chain.js';
import { parseLine } from '../../src/audit/line-schema.js';
import { LineSplitter } from '../../src/audit/line-splitter.js';
import { verifyAuditLog } from '../../src/audit/verify.js';
import { AuditSigner, LogBuilder, OrderBook, PEER } from '../support/audit-fixture.js';
import { codeOf } from '../support/error-code.js';

const text = fc.string({ unit: 'grapheme', maxLength: 60 });
const hex = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((value) => Buffer.from(value).toString('hex'));
const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const peer = fc.record(
  { uid: whole, gid: whole, pid: whole, exe: text },
  { requiredKeys: ['uid', 'gid', 'pid'] },
);
const order = { keyId: hex(32), hash: hex(32), order: fc.integer({ min: 1, max: 1e15 }) };
const factName = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_.-]{0,10}$/).filter((name) => name !== '__proto__');
const signFields = {
  type: fc.constant('sign' as const),
  group: fc.integer({ min: 1, max: 1e15 }),
  peer,
  key: text,
  kind: text,
  rule: text,
  blind: fc.constant(true as const),
  summary: fc.array(text, { maxLength: 2 }),
  ...order,
};
const entry: fc.Arbitrary<AuditEntry> = fc.oneof(
  fc.record(signFields, {
    requiredKeys: ['type', 'peer', 'key', 'kind', 'rule', 'summary', 'keyId', 'hash', 'order'],
  }),
  fc.record(
    {
      type: fc.constant('refuse' as const),
      peer,
      key: text,
      kind: text,
      code: text,
      rule: text,
      message: text,
    },
    { requiredKeys: ['type', 'peer', 'key', 'kind', 'code', 'message'] },
  ),
  fc.record({
    type: fc.constant('start' as const),
    instance: hex(16),
    orders: whole,
    ordersHash: hex(32),
    agent: text,
  }),
  fc.record({ type: fc.constant('unreleased' as const), ...order }),
  fc.record(
    {
      type: fc.constant('act' as const),
      act: text,
      peer,
      facts: fc.dictionary(factName, fc.oneof(text, fc.integer()), { noNullPrototype: true }),
    },
    { requiredKeys: ['type', 'act', 'facts'] },
  ),
  fc.record({ type: fc.constant('continue' as const), file: text }),
);

describe('lines', () => {
  it('are read back as they were written, one text for each', () => {
    fc.assert(
      fc.property(entry, (value) => {
        const { text: line, head } = linkEntry(EMPTY_HEAD, '2026-03-01T12:00:00Z', value);
        expect(line).not.toContain('\n');
        const parsed = parseLine(Buffer.from(line));
        expect(parsed).toEqual({ ...value, seq: 1, time: '2026-03-01T12:00:00Z', prev: EMPTY_HEAD.hash });
        expect(lineText(parsed)).toBe(line);
        expect(head).toEqual({ seq: 1, hash: hashLine(Buffer.from(line)) });
        expect(JSON.stringify(JSON.parse(line))).toBe(line);
      }),
    );
  });

  it('are never read from other bytes without an error of the table', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(codeOf(() => parseLine(Buffer.from(bytes)))).toBe('audit.broken');
      }),
    );
  });

  it('come out of any stream as they went in', () => {
    fc.assert(
      fc.property(
        fc.array(text.map((line) => line.replaceAll('\n', ' '))),
        fc.array(fc.nat(40)),
        (lines, cuts) => {
          const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
          const seen: string[] = [];
          const splitter = new LineSplitter((line) => seen.push(line.toString('utf8')));
          let at = 0;
          for (const cut of cuts) {
            splitter.push(bytes.subarray(at, at + cut));
            at = Math.min(bytes.length, at + cut);
          }
          splitter.push(bytes.subarray(at));
          expect(seen).toEqual(lines);
          expect(splitter.takeRest()).toHaveLength(0);
        },
      ),
    );
  });
});

describe('a sealed log', () => {
  const signer = new AuditSigner();
  const keys = [signer.key];
  const step = fc.constantFrom('sign', 'refuse', 'act', 'seal', 'restart', 'lose');

  function build(steps: readonly string[]): LogBuilder {
    const orders = new OrderBook();
    const log = new LogBuilder().add(orders.start());
    for (const what of [...steps, 'seal']) {
      if (what === 'sign') log.add(orders.signature(`${log.lines.length}`));
      else if (what === 'seal') log.add(orders.checkpoint(signer, log.head));
      else if (what === 'restart') log.add(orders.start());
      else if (what === 'lose') log.add({ type: 'unreleased', ...orders.take('ef'.repeat(32), 'lost') });
      else if (what === 'act') log.add({ type: 'act', act: 'lock', facts: {} });
      else
        log.add({ type: 'refuse', peer: PEER, key: 'a#b', kind: 'k', code: 'policy.denied', message: 'no' });
    }
    return log;
  }

  it('verifies whatever happened, and does not once any line is changed, lost, moved or doubled', async () => {
    const damage = fc.record({ how: fc.constantFrom('drop', 'double', 'swap', 'change'), where: fc.nat() });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), damage, async (steps, { how, where }) => {
        const { lines } = build(steps);
        const verify = (content: readonly string[]) =>
          verifyAuditLog(
            [{ name: 'audit-00000001.jsonl', chunks: [Buffer.from(`${content.join('\n')}\n`)] }],
            { keys },
          );
        expect(await verify(lines)).toMatchObject({ ok: true, unsealed: 0 });
        const at = where % (lines.length - 1);
        const [line = '', next = ''] = lines.slice(at, at + 2);
        const put = (...instead: readonly string[]) => lines.toSpliced(at, 2, ...instead);
        const changes = {
          drop: put(next),
          double: put(line, line, next),
          swap: put(next, line),
          change: put(line.replace(/"time":"2026/, '"time":"2027'), next),
        };
        expect((await verify(changes[how])).ok).toBe(false);
      }),
      { numRuns: 60 },
    );
  });
});
