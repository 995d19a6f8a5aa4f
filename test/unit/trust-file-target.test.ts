/** Files as targets: names, custom data, and the comparison with what was signed. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../src/encoding/canonical-json.js';
import { readEnvelope } from '../../src/formats/notary1/reader.js';
import { describeNotary } from '../../src/formats/notary1/statement.js';
import { envelopeOf, signedBytesOf } from '../../src/formats/notary1/writer.js';
import { HeldFile } from '../../src/platform/store/held-file.js';
import { targetChanges } from '../../src/policy/target-changes.js';
import { EMPTY_TARGETS } from '../../src/trust/draft.js';
import { checkFileTargetName, fileTarget, parseCustom, requireTarget } from '../../src/trust/file-target.js';
import { rejectionOf } from '../support/rejection.js';
import { TempFolder } from '../support/temp-folder.js';

async function* chunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size));
}

const BYTES = Buffer.from('what people download, in several pieces');

describe('a file', () => {
  it('is measured whatever pieces it comes in', async () => {
    const target = await fileTarget(chunks(BYTES, 7));
    const hash = (name: string): string => createHash(name).update(BYTES).digest('hex');
    expect(target).toEqual({
      length: BYTES.length,
      hashes: { sha256: hash('sha256'), sha512: hash('sha512') },
    });
  });

  it('is taken as it was signed, and as nothing else', async () => {
    const signed = await fileTarget(chunks(BYTES, 64));
    const passed: Buffer[] = [];
    await requireTarget(chunks(BYTES, 5), 'tool', signed, (chunk) => passed.push(chunk));
    expect(Buffer.concat(passed)).toEqual(BYTES);
    const { hashes, length } = signed;
    const other = 'ab'.repeat(32);
    for (const [target, why] of [
      [{ length: length - 1, hashes }, 'longer than'],
      [{ length: length + 1, hashes }, 'are signed'],
      [{ length, hashes: { ...hashes, sha256: other } }, 'SHA-256'],
      [{ length, hashes: { ...hashes, sha512: `${other}${other}` } }, 'SHA-512'],
    ] as const) {
      const refused = await rejectionOf(requireTarget(chunks(BYTES, 5), 'tool', target, () => undefined));
      expect([refused.code, refused.message]).toEqual(['notary.checksum', expect.stringContaining(why)]);
    }
    await requireTarget(
      chunks(BYTES, 5),
      'tool',
      { length, hashes: { sha256: hashes.sha256 } },
      () => undefined,
    );
  });

  it('that never ends is not read on', async () => {
    let pieces = 0;
    async function* endless(): AsyncGenerator<Buffer> {
      for (;;) {
        pieces += 1;
        yield await Promise.resolve(BYTES);
      }
    }
    const signed = await fileTarget(chunks(BYTES, 64));
    const refused = await rejectionOf(requireTarget(endless(), 'tool', signed, () => undefined));
    expect([refused.code, pieces]).toEqual(['notary.checksum', 2]);
  });

  it('has a name that people can see', () => {
    for (const name of ['install.sh', 'dist/a b.tar.gz', 'é🔑', 'n'.repeat(1024)]) {
      expect(checkFileTargetName(name)).toBe(name);
    }
    for (const name of ['', 'a\nb', 'a\u202eb', '\u200b', 'n'.repeat(1025), '\ud800']) {
      expect(() => checkFileTargetName(name)).toThrow(/cannot be seen/);
    }
  });
});

describe('custom data', () => {
  it('is whatever JSON can be signed and read again', () => {
    const strings = fc.string({ unit: 'grapheme' }).filter((text) => !/\p{Cc}|\p{Cs}/u.test(text));
    const keys = strings.filter((text) => text !== '__proto__');
    const { json } = fc.letrec<{ json: unknown }>((tie) => ({
      json: fc.oneof(
        { depthSize: 'small' },
        fc.maxSafeInteger().filter((value) => !Object.is(value, -0)),
        fc.boolean(),
        strings,
        fc.array(tie('json'), { maxLength: 3 }),
        fc.dictionary(keys, tie('json'), { maxKeys: 3 }),
      ),
    }));
    fc.assert(
      fc.property(json, (value) => {
        const custom = parseCustom(JSON.stringify(value, null, 1), 'about.json');
        const targets = new Map([['tool', { hashes: { sha256: 'ab'.repeat(32) }, length: 1, custom }]]);
        const document = { ...EMPTY_TARGETS, version: 1, expires: '2030-01-01T00:00:00Z', targets };
        const signed = signedBytesOf(document);
        const read = readEnvelope(envelopeOf(signed, []), 'targets');
        const held = read.document.targets.get('tool')?.custom;
        expect(canonicalJson(held, 'custom', 'usage.invalid')).toBe(
          canonicalJson(value, 'custom', 'usage.invalid'),
        );
        expect(describeNotary('notary.targets', signed).document?.targets?.get('tool')?.rest).toBeDefined();
      }),
    );
  });

  it('is refused where readers would read something else, or nothing', () => {
    const deep = `${'['.repeat(29)}${']'.repeat(29)}`;
    expect(parseCustom(deep.slice(1, -1), 'about.json')).toBeInstanceOf(Array);
    for (const json of [
      'null',
      '1.5',
      '{"a":1.0}',
      '{"a":"\\n"}',
      '{"a":1,"a":2}',
      '{',
      '9007199254740992',
      deep,
    ]) {
      expect(() => parseCustom(json, 'about.json')).toThrow(/reading about.json/);
    }
    expect(() => parseCustom(`"${'x'.repeat(65_536)}"`, 'about.json')).toThrow(/at most 65536/);
  });

  it('and further hashes are named when they are all that changes', () => {
    const fact = { sha256: 'ab'.repeat(32), length: 1 };
    const before = new Map([['tool', fact]]);
    expect(targetChanges(before, new Map([['tool', { ...fact, rest: '{"custom":1}' }]]))).toEqual({
      changed: 1,
      changes: ['tool has other custom data or further hashes'],
    });
    expect(targetChanges(before, new Map(before))).toEqual({ changed: 0, changes: [] });
  });
});

describe('a held file', () => {
  it('is there when it is kept, and not before', () => {
    using folder = new TempFolder();
    const path = folder.join('out');
    writeFileSync(path, 'before');
    {
      using file = new HeldFile(path);
      file.write(Buffer.from('dropped'));
      expect(readFileSync(path, 'utf8')).toBe('before');
    }
    expect([readFileSync(path, 'utf8'), readdirSync(folder.path)]).toEqual(['before', ['out']]);
    using file = new HeldFile(path);
    file.write(Buffer.from('af'));
    file.write(Buffer.from('ter'));
    file.keep(0o644);
    expect([readFileSync(path, 'utf8'), readdirSync(folder.path)]).toEqual(['after', ['out']]);
  });

  it('takes the place of nothing that is no file', () => {
    using folder = new TempFolder();
    mkdirSync(folder.join('folder'));
    expect(() => new HeldFile('/dev/null')).toThrow(/it is no file/);
    expect(() => new HeldFile(folder.join('missing/out'))).toThrow(/ENOENT/);
  });
});
