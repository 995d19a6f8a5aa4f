/** Files as targets, between our commands and the real notary client: each verifies what the other has signed, and passes on nothing else. */
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NotaryClient } from '../support/notary-client.js';
import { TempFolder } from '../support/temp-folder.js';
import { TrustReader } from '../support/trust-reader.js';
import { TrustStack, type TrustPublisher } from '../support/trust-stack.js';

let stack: TrustStack;
let owner: TrustPublisher;
beforeAll(async () => {
  stack = await TrustStack.start();
  owner = await stack.publisher();
});
afterAll(async () => {
  await owner[Symbol.asyncDispose]();
  await stack[Symbol.asyncDispose]();
});

/** Everything that writers of JSON tend to write differently. */
const CUSTOM =
  '{ "z": [1, -2, {"b": null, "a": true}], "a": "<b> & \\u2028 \\"q\\" \\\\ \\/ \\u00e9 é 🔑",\n "é": {}, "A": 9007199254740991, "10": [], "9": "" }';

/** A file of several chunks, and a copy with one byte changed. */
function filesIn(folder: TempFolder): { readonly good: string; readonly bad: string } {
  const bytes = randomBytes(200_000);
  const [good, bad] = [folder.join('good'), folder.join('bad')];
  writeFileSync(good, bytes);
  bytes[150_000] = (bytes[150_000] ?? 0) ^ 1;
  writeFileSync(bad, bytes);
  return { good, bad };
}

describe('a file', () => {
  it('of ours is verified by the notary client, custom data and all', async () => {
    const gun = 'localhost:5000/files/ours';
    using folder = new TempFolder();
    const { good, bad } = filesIn(folder);
    writeFileSync(folder.join('about.json'), CUSTOM);
    await owner.must('init', gun);
    await owner.must(
      'file',
      'add',
      gun,
      'dist/tool <1> & é.bin',
      good,
      '--custom',
      folder.join('about.json'),
    );
    using notary = new NotaryClient(stack.server);
    expect(await notary.must('lookup', gun, 'dist/tool <1> & é.bin')).toContain('200000');
    const name = 'dist/tool <1> & é.bin';
    await notary.must('verify', gun, name, '-i', good, '-o', folder.join('out'));
    expect(readFileSync(folder.join('out'))).toEqual(readFileSync(good));
    expect((await notary.run('verify', gun, name, '-i', bad, '-q')).status).not.toBe(0);
    const { custom } = JSON.parse(await owner.must('lookup', gun, name, '--json')) as { custom: unknown };
    expect(custom).toEqual(JSON.parse(CUSTOM));
    expect(await owner.must('list', gun)).toContain('CUSTOM');
    await owner.must('file', 'remove', gun, name);
    expect((await notary.run('lookup', gun, name)).status).not.toBe(0);
  });

  it('of the notary client is verified by ours, and passed on only as it was signed', async () => {
    const gun = 'localhost:5000/files/theirs';
    using folder = new TempFolder();
    const { good, bad } = filesIn(folder);
    writeFileSync(folder.join('about.json'), '{"a":"x","b":[1]}');
    using notary = new NotaryClient(stack.server);
    await notary.must('init', gun);
    await notary.must('add', gun, 'tool', good, '--custom', folder.join('about.json'), '-p');
    using reader = new TrustReader(stack.server);
    const out = folder.join('out');
    await reader.must('file', 'verify', gun, 'tool', good, '-o', out);
    expect(readFileSync(out)).toEqual(readFileSync(good));
    expect(await reader.json('lookup', gun, 'tool')).toMatchObject({
      size: 200_000,
      custom: { a: 'x', b: [1] },
    });
    writeFileSync(out, 'before');
    expect(await reader.refusal('file', 'verify', gun, 'tool', bad, '-o', out)).toEqual([
      6,
      'notary.checksum',
    ]);
    expect(readFileSync(out, 'utf8')).toBe('before');
    for (const argument of [bad, '/dev/zero', '/dev/null']) {
      const { status, stdout } = await reader.run('file', 'verify', gun, 'tool', argument, '-o', '-');
      expect([argument, status, stdout]).toEqual([argument, 6, '']);
    }
    expect(await reader.refusal('file', 'verify', gun, 'other', good)).toEqual([6, 'notary.unsigned']);
    expect(readdirSync(folder.path).sort()).toEqual(['about.json', 'bad', 'good', 'out']);
  });

  it('comes through a pipe whole, or not at all', async () => {
    const gun = 'localhost:5000/files/pipe';
    using folder = new TempFolder();
    const script = folder.join('install.sh');
    writeFileSync(script, `echo installed\n${'# filler\n'.repeat(40_000)}`);
    await owner.must('init', gun);
    await owner.must('file', 'add', gun, 'install.sh', script);
    const verified = await owner.agent.touchstone(
      ['trust', 'file', 'verify', gun, 'install.sh', '-o', '-', ...owner.options],
      { input: readFileSync(script), timeoutMs: 60_000 },
    );
    expect(verified.stdout).toBe(readFileSync(script, 'utf8'));
    const cut = await owner.agent.touchstone(
      ['trust', 'file', 'verify', gun, 'install.sh', '-o', '-', ...owner.options],
      { input: readFileSync(script).subarray(0, -1), timeoutMs: 60_000 },
    );
    expect([cut.status, cut.stdout]).toEqual([6, '']);
    expect(cut.stderr).toContain('360015 are signed');
  });

  it('is approved by a signer, and its changes stand in the audit log', async () => {
    const gun = 'localhost:5000/files/signers';
    using folder = new TempFolder();
    const { good, bad } = filesIn(folder);
    const about = folder.join('about.json');
    writeFileSync(about, '{"os":"linux"}');
    await owner.must('init', gun);
    await owner.must('signer', 'add', gun, 'alice');
    await owner.must('file', 'add', gun, 'tool', good, '--as', 'alice');
    expect((await owner.run('file', 'add', gun, 'tool', bad)).stderr).toContain('who signs?');
    await owner.must('file', 'add', gun, 'tool', good, '--as', 'alice', '--custom', about);
    await owner.must('file', 'add', gun, 'tool', bad, '--as', 'alice');
    expect(await owner.must('file', 'verify', gun, 'tool', bad)).toMatch(
      /from targets\/releases, signed by alice/,
    );
    const log = await owner.agent.must(['audit', 'show', '--json', '--limit', '200']);
    for (const line of [
      '+tool sha256:',
      'tool has other custom data or further hashes',
      'tool moved to sha256:',
    ])
      expect(log).toContain(line);
  });
});
