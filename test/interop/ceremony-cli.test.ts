/** Ceremonies through the program itself: prepared, opened, reviewed, signed elsewhere, closed, verified, published. */
import { execFile } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CeremonyFolder } from '../../src/ceremony/folder.js';
import { signatureFile } from '../../src/ceremony/file-names.js';
import { loadFolder } from '../../src/ceremony/loading.js';
import { writeForm } from '../../src/ceremony/one-form.js';
import { publicKeyPem } from '../../src/crypto/public-key.js';
import { openedSession } from '../support/paper-ceremony.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { onlineKey, SoftwareHolder } from '../support/software-holder.js';
import { TempFolder } from '../support/temp-folder.js';

const PROGRAM = path.join(PROJECT_ROOT, 'dist/bin/touchstone.js');
const TOMORROW = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
const EXPIRES = new Date(Date.now() + 400 * 86_400_000).toISOString().slice(0, 10);

interface Outcome {
  readonly status: number;
  readonly text: string;
  readonly errors: string;
}

let temp: TempFolder;
const holders = ['alice', 'bob', 'carol'].map((name) => new SoftwareHolder(name));

beforeEach(() => {
  temp = new TempFolder();
});
afterEach(() => {
  temp[Symbol.dispose]();
});

function touchstone(...args: readonly string[]): Promise<Outcome> {
  const env = { PATH: process.env['PATH'], HOME: temp.path, XDG_RUNTIME_DIR: temp.path };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [PROGRAM, ...args],
      { env, cwd: temp.path, timeout: 60_000 },
      (error, text, errors) => {
        resolve({ status: typeof error?.code === 'number' ? error.code : 0, text, errors });
      },
    );
  });
}

/** The same, as --json prints it. */
async function json(...args: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const { status, text, errors } = await touchstone(...args, '--json');
  expect(errors).toBe('');
  expect(status).toBe(0);
  return JSON.parse(text) as Readonly<Record<string, unknown>>;
}

/** Signature files of a holder, made on a machine of its own. */
function signApart(holder: SoftwareHolder, folder: string): readonly string[] {
  const { facts } = loadFolder(CeremonyFolder.open(folder));
  if (facts === undefined) throw new Error('the folder cannot be read');
  return holder.signatures(facts).map((file) => {
    const name = temp.join(signatureFile(file, false));
    writeFileSync(name, writeForm(file));
    return name;
  });
}

async function prepare(out: string): Promise<Readonly<Record<string, unknown>>> {
  const enrolments = holders.map((holder) => {
    const file = temp.join(`enrol-${holder.name}.json`);
    writeFileSync(file, writeForm(holder.enrolment('acme-root-1')));
    return ['--enrolment', file];
  });
  const online = ['targets', 'snapshot', 'timestamp'].map((role) => {
    writeFileSync(temp.join(`${role}.pem`), publicKeyPem(Buffer.from(onlineKey(), 'base64')));
    return ['--online', `${role}=${role}.pem`];
  });
  return json(
    ...[
      'ceremony',
      'new',
      'init',
      '--out',
      out,
      '--reason',
      'first root',
      '--expires',
      EXPIRES,
      '--threshold',
      '2',
    ],
    ...enrolments.flat(),
    ...online.flat(),
  );
}

it('goes from the request to the published root', { timeout: 120_000 }, async () => {
  const made = await prepare('room');
  const [first, second] = made['requestWords'] as readonly string[];
  expect(
    await json('ceremony', 'open', 'room', '--today', TOMORROW, '--holder', 'alice', '--witness', 'wendy'),
  ).toMatchObject({
    ok: true,
    manifest: made['manifest'],
  });
  const shown = await touchstone('ceremony', 'review', 'room', '--show');
  expect(shown.text).toContain('the root key of alice');
  expect(shown.text).toContain('root takes 2 of 3 keys');
  expect((await touchstone('ceremony', 'review', 'room', '--confirm', '1 yes please')).status).toBe(3);
  await json('ceremony', 'review', 'room', '--confirm', `1 ${first ?? ''} ${second ?? ''}`);
  const raw = await json('ceremony', 'review', 'room', '--raw');
  expect(JSON.stringify(raw)).toContain('{\\"_type\\":\\"root\\"');

  const [alice, , carol] = holders;
  if (alice === undefined || carol === undefined) throw new Error('no holders');
  const board = await touchstone('ceremony', 'add', 'room', ...signApart(carol, temp.join('room')));
  expect(board.text).toContain('by the keys of v1: 1 of 2 (carol), missing alice, bob');
  const refused = await touchstone('ceremony', 'close', 'room');
  expect([refused.status, refused.errors.includes('1 of 2 signatures')]).toEqual([6, true]);
  await json('ceremony', 'add', 'room', ...signApart(alice, temp.join('room')));
  await json('ceremony', 'note', 'room', 'the bags were closed', '--by', 'wendy');
  await json('ceremony', 'close', 'room');
  expect(await json('ceremony', 'verify', 'room', '--html', 'page.html')).toMatchObject({
    ok: true,
    sealedBy: [],
  });
  expect((await touchstone('ceremony', 'verify', 'room')).text).toContain('Nobody has sealed the transcript');
  const page = readFileSync(temp.join('page.html'), 'utf8');
  expect(page).toContain('the bags were closed');
  const text = readFileSync(temp.join('room', 'transcript.txt'), 'utf8');
  for (const shown of [page, text]) {
    expect(shown).toContain('init: first root');
    expect(shown).toContain('root takes 2 of 3 keys');
  }
  expect(page).not.toMatch(/<script|src=|href=|url\(|@import/i);
  expect(readFileSync(temp.join('room', 'transcript.html'), 'utf8')).toBe(page);
  await json('ceremony', 'import', 'room', '--to', 'metadata', '--calendar', 'next.ics');
  expect(readFileSync(temp.join('metadata', '1.root.json'))).toEqual(
    readFileSync(temp.join('room/out', '1.root.json')),
  );
  expect(readFileSync(temp.join('next.ics'), 'utf8')).toContain('BEGIN:VEVENT\r\n');
  writeFileSync(temp.join('metadata', '1.root.json'), '{}');
  expect((await touchstone('ceremony', 'import', 'room', '--to', 'metadata')).status).toBe(1);
});

it(
  'touches no token because the folder came with a transcript in which somebody opened and confirmed it',
  {
    timeout: 120_000,
  },
  async () => {
    await prepare('room');
    openedSession(temp.join('room'), TOMORROW)[Symbol.dispose]();
    for (const step of ['sign', 'review']) {
      const { status, errors } = await touchstone('ceremony', step, 'room');
      expect([status, errors.includes('it was not opened here')]).toEqual([2, true]);
    }
    await json('ceremony', 'open', 'room', '--today', TOMORROW);
    expect((await touchstone('ceremony', 'sign', 'room')).errors).toContain('nobody has confirmed');
  },
);

/** The first root, signed apart and closed; nobody has sealed it. */
async function closed(folder: string): Promise<void> {
  const made = await prepare(folder);
  const [first, second] = made['requestWords'] as readonly string[];
  await json('ceremony', 'open', folder, '--today', TOMORROW);
  await json('ceremony', 'review', folder, '--confirm', `1 ${first ?? ''} ${second ?? ''}`);
  for (const holder of holders)
    await json('ceremony', 'add', folder, ...signApart(holder, temp.join(folder)));
  await json('ceremony', 'close', folder);
}

it(
  'goes by a transcript that nobody has sealed only after somebody typed what that means',
  {
    timeout: 240_000,
  },
  async () => {
    await closed('room');
    const from = ['--base', 'room/out/1.root.json', '--policy', 'room/out/policy.json'];
    const prepared = await touchstone(
      ...['ceremony', 'new', 'extend', ...from, '--previous', 'room/transcript.jsonl', '--id', 'acme-root-2'],
      ...['--expires', EXPIRES, '--reason', 'it expires', '--out', 'next'],
    );
    expect(prepared.text).toContain('It will not open as it is: PREVIOUS-SEALED');
    const open = ['ceremony', 'open', 'next', '--today', TOMORROW];
    for (const waived of [[], ['--waive', 'BASE-LATEST=lena']]) {
      const { status, text } = await touchstone(...open, ...waived);
      expect(status).toBe(6);
      expect(text).toMatch(/^PREVIOUS-SEALED +FAIL/m);
    }
    const waived = [...open, '--waive', 'PREVIOUS-SEALED=lena', '--unsealed'];
    expect((await touchstone(...waived, 'yes')).status).toBe(2);
    const { status, text } = await touchstone(...waived, 'anybody can have written it');
    expect(status).toBe(0);
    expect(text).toMatch(/^PREVIOUS-SEALED +WAIVED by lena/m);
  },
);

it('ends before a token is touched when a file is another one', { timeout: 120_000 }, async () => {
  await prepare('room');
  for (const [file, check] of [
    ['request.json', 'REQUEST-HASH'],
    ['policy.json', 'POLICY-HASH'],
    ['enrol-bob.json', 'KEY-POP'],
  ] as const) {
    cpSync(temp.join('room'), temp.join(check), { recursive: true });
    const place = temp.join(check, file);
    writeFileSync(place, readFileSync(place, 'utf8').replace('"version": 1', '"version": 2'));
    const { status, text } = await touchstone('ceremony', 'open', check, '--today', TOMORROW);
    expect(status).toBe(6);
    expect(text).toMatch(new RegExp(`^${check} +FAIL`, 'm'));
    expect(text).toContain('no token was touched');
  }
  const other = await touchstone(
    'ceremony',
    'open',
    'room',
    '--today',
    TOMORROW,
    '--manifest',
    '00'.repeat(32),
  );
  expect(other.errors).toContain('MANIFEST-HASH');
});

it('needs a date that fits, and who answers for what is waived', { timeout: 120_000 }, async () => {
  await prepare('room');
  const early = await touchstone('ceremony', 'open', 'room', '--today', '2020-01-01');
  expect(early.text).toMatch(/^CLOCK-SANE +FAIL/m);
  expect(early.status).toBe(6);
  expect(
    (await touchstone('ceremony', 'open', 'room', '--today', TOMORROW, '--waive', 'CLOCK-SANE=alice')).status,
  ).toBe(2);
  expect((await touchstone('ceremony', 'open', 'room', '--today', '2026-02-31')).status).toBe(2);
  expect((await touchstone('ceremony', 'review', 'room', '--confirm', 'x')).errors).toContain(
    'touchstone ceremony open',
  );
});
