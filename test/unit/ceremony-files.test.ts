/** Files of a ceremony: one form, whole chains, and hashes as people compare them. */
import { appendFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readEnrolment } from '../../src/ceremony/enrolment.js';
import { baseFile, outputFile, signatureFile } from '../../src/ceremony/file-names.js';
import { CeremonyFolder } from '../../src/ceremony/folder.js';
import { readManifest, writeManifest } from '../../src/ceremony/manifest.js';
import { writeForm } from '../../src/ceremony/one-form.js';
import { EVEN_WORDS, ODD_WORDS } from '../../src/ceremony/pgp-words.js';
import { readSignatureFile, sealSignature } from '../../src/ceremony/signature-file.js';
import { readTranscript, TOOL_ACTOR, Transcript } from '../../src/ceremony/transcript.js';
import { hexGroups, pgpWords, spokenHash } from '../../src/ceremony/words.js';
import { codeOf } from '../support/error-code.js';
import { TempFolder } from '../support/temp-folder.js';

const HASH = 'ab'.repeat(32);
let folder: TempFolder;

beforeEach(() => {
  folder = new TempFolder();
});
afterEach(() => {
  folder[Symbol.dispose]();
});

function someSignature(): ReturnType<typeof sealSignature> {
  return sealSignature({
    ceremony: 'acme-root-1',
    request: HASH,
    document: 'root',
    role: 'root',
    documentVersion: 8,
    payloadSha256: HASH,
    holder: 'alice',
    keyId: 'd76b03f1'.repeat(8),
    algorithm: 'ecdsa-p256',
    signature: '30'.repeat(70),
    token: { serial: '18158855', model: 'SoftHSM v2' },
    time: '2026-11-22T08:00:00Z',
  });
}

describe('hashes as people compare them', () => {
  it('are hex in groups of four', () => {
    expect(hexGroups('d76b03f1a')).toBe('d76b 03f1 a');
  });

  it('are words of two lists in turn', () => {
    expect(EVEN_WORDS).toHaveLength(256);
    expect(ODD_WORDS).toHaveLength(256);
    expect(new Set([...EVEN_WORDS, ...ODD_WORDS]).size).toBe(512);
    // The example of the list's authors.
    expect(pgpWords('e58294f2e9a227486e8b061b31cc528fd7fa3f19').join(' ')).toBe(
      'topmost Istanbul Pluto vagabond treadmill Pacific brackish dictator goldfish Medusa ' +
        'afflict bravado chatter revolver Dupont midsummer stopwatch whimsical cowbell bottomless',
    );
  });

  it('fit on six lines', () => {
    expect(spokenHash(HASH)).toHaveLength(6);
    expect(spokenHash(HASH).slice(2).join(' ').split(' ')).toHaveLength(32);
  });
});

describe('the one form', () => {
  it('takes a signature file as it was written', () => {
    const file = someSignature();
    expect(readSignatureFile(writeForm(file), 'sig-root-v8-d76b03f1d76b03f1.json').value).toEqual(file);
  });

  it.each([
    ['compact JSON', (text: string) => JSON.stringify(JSON.parse(text))],
    ['no final line feed', (text: string) => text.trimEnd()],
    ['another order', (text: string) => text.replace(/( {2}"algorithm".*\n)( {2}"ceremony".*\n)/, '$2$1')],
    ['an escape', (text: string) => text.replace('"alice"', '"\\u0061lice"')],
    ['a field more', (text: string) => text.replace('{\n', '{\n  "aaa": 1,\n')],
    ['another serial number', (text: string) => text.replace('18158855', '18158856')],
    ['a day that does not exist', (text: string) => text.replace('2026-11-22T', '2026-02-30T')],
    ['a duplicate', (text: string) => text.replace('{\n', '{\n  "algorithm": "ecdsa-p256",\n')],
  ])('refuses %s', (_name, change) => {
    const text = writeForm(someSignature()).toString('utf8');
    const changed = change(text);
    expect(changed).not.toBe(text);
    expect(codeOf(() => readSignatureFile(Buffer.from(changed), 'sig.json'))).toBe('ceremony.file');
  });

  it('refuses what is no enrolment', () => {
    expect(codeOf(() => readEnrolment(writeForm(someSignature()), 'enrol-alice.json'))).toBe('ceremony.file');
  });
});

describe('names', () => {
  it('say role, version and key', () => {
    const file = someSignature();
    expect(signatureFile(file, false)).toBe('sig-root-v8-d76b03f1d76b03f1.json');
    expect(signatureFile(file, true)).toBe('REHEARSAL-sig-root-v8-d76b03f1d76b03f1.json');
    expect(outputFile({ id: 'root', role: 'root' }, 8, true)).toBe('out/REHEARSAL-8.root.json');
  });

  it('keep repositories apart that look alike', () => {
    const of = (id: string): string => baseFile({ id, role: 'root' }, 1);
    const names = ['a/b#root', 'a_b#root', '../../b#root', 'a//b#root'].map(of);
    expect(new Set(names).size).toBe(4);
    for (const name of names) expect(name).toMatch(/^base\/[A-Za-z0-9][^/]*\/1\.root\.json$/);
  });
});

describe('the manifest', () => {
  it('is what sha256sum writes', () => {
    const manifest = new Map([
      ['request.json', HASH],
      ['base/7.root.json', HASH],
    ]);
    const bytes = writeManifest(manifest);
    expect(bytes.toString()).toBe(`${HASH}  base/7.root.json\n${HASH}  request.json\n`);
    expect(new Map(readManifest(bytes))).toEqual(manifest);
  });

  it.each([
    `${HASH}  ../secret\n`,
    `${HASH}  /etc/passwd\n`,
    `${HASH}  b\n${HASH}  a\n`,
    `${HASH}  a\n${HASH}  a\n`,
    `${HASH}  a`,
    `${HASH} *a\n`,
  ])('refuses %j', (text) => {
    expect(codeOf(() => readManifest(Buffer.from(text)))).toBe('ceremony.file');
  });

  it('covers every file of a folder, and nothing that is derived', () => {
    const made = CeremonyFolder.create(folder.join('c'));
    made.write('request.json', Buffer.from('{}'));
    made.write('base/1.root.json', Buffer.from('{}'));
    made.write('transcript.txt', Buffer.from('words'));
    made.seal();
    expect([...CeremonyFolder.open(made.path).manifest().keys()]).toEqual([
      'base/1.root.json',
      'request.json',
    ]);
  });

  it('is not made over a link', () => {
    const made = CeremonyFolder.create(folder.join('c'));
    mkdirSync(folder.join('elsewhere'));
    symlinkSync(folder.join('elsewhere'), folder.join('c', 'base'));
    expect(codeOf(() => made.seal())).toBe('ceremony.folder');
  });

  it('is not put beside the files of somebody else', () => {
    writeFileSync(folder.join('letter'), '');
    expect(codeOf(() => CeremonyFolder.create(folder.path))).toBe('ceremony.folder');
    expect(codeOf(() => CeremonyFolder.open(folder.path))).toBe('ceremony.folder');
  });
});

describe('the transcript', () => {
  function begin(): CeremonyFolder {
    const made = CeremonyFolder.create(folder.join('c'));
    using transcript = Transcript.open(made, 'transcript.jsonl');
    transcript.add('alice', { event: 'note', text: 'the bag was closed: 17' });
    transcript.add(TOOL_ACTOR, { event: 'shown', what: 'request', sha256: HASH });
    transcript.add('bob', { event: 'note', text: 'ünïcode “quotes” \\ and so on' });
    return made;
  }

  it('goes on where it ended, also after half a line', () => {
    const made = begin();
    appendFileSync(folder.join('c', 'transcript.jsonl'), '{"actor":"mallo');
    using transcript = Transcript.open(made, 'transcript.jsonl');
    const { seq, previous } = transcript.add('alice', { event: 'note', text: 'again' });
    expect(seq).toBe(4);
    expect(previous).toBe(transcript.lines[2]?.hash);
    expect(readTranscript(made.require('transcript.jsonl'))).toHaveLength(4);
  });

  it('shows every changed byte, also in its last line', () => {
    begin();
    const bytes = readFileSync(folder.join('c', 'transcript.jsonl'));
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(codeOf(() => readTranscript(changed))).toBe('ceremony.transcript');
    }
  });

  it('shows a line that was taken out, put in twice, or moved', () => {
    const made = begin();
    const [a = '', b = '', c = ''] = made.require('transcript.jsonl').toString().split('\n');
    for (const lines of [
      [a, c],
      [b, c],
      [a, b, b, c],
      [b, a, c],
    ]) {
      const text = lines.map((line) => `${line}\n`).join('');
      expect(codeOf(() => readTranscript(Buffer.from(text)))).toBe('ceremony.transcript');
    }
  });
});
