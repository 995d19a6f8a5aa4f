/** A ceremony as people run it: enrolled, prepared, opened, reviewed, signed and closed by commands, with a SoftHSM token for each holder. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { decodeEnvelope } from '../../src/formats/dsse.js';
import { readTufRoot } from '../../src/formats/tuf/reader.js';
import { readTranscript } from '../../src/ceremony/transcript.js';
import { publicKeyPem } from '../../src/crypto/public-key.js';
import { dayFromNow, TODAY } from '../support/ceremony-dates.js';
import { CeremonyRoom } from '../support/ceremony-room.js';
import type { CommandResult } from '../support/demo-agent.js';
import { onlineKey } from '../support/software-holder.js';
import { SoftHsmStore } from '../support/softhsm-store.js';
import { TempFolder } from '../support/temp-folder.js';

/** A rehearsal starts an agent and plays every step. */
const PATIENCE_MS = 240_000;
const HOLDERS = ['alice', 'bob', 'carol'] as const;
const LONG = { timeout: 300_000 };
const stores = new Map<string, SoftHsmStore>(HOLDERS.map((name) => [name, new SoftHsmStore(name)]));
let temp: TempFolder;
let room: CeremonyRoom;
let folder: string;

beforeAll(async () => {
  temp = new TempFolder();
  folder = temp.join('root-1');
  room = await CeremonyRoom.open(stores);
});
afterAll(async () => {
  await room[Symbol.asyncDispose]();
  for (const store of stores.values()) store[Symbol.dispose]();
  temp[Symbol.dispose]();
});

function ceremony(...argv: readonly string[]): Promise<CommandResult> {
  return room.agent.touchstone(['ceremony', ...argv], { cwd: temp.path, timeoutMs: PATIENCE_MS });
}

/** @returns what --json prints of a command that has to succeed */
async function done(...argv: readonly string[]): Promise<Record<string, unknown>> {
  const result = await ceremony(...argv, '--json');
  if (result.status !== 0) throw new Error(`ceremony ${argv.join(' ')}\n${result.stdout}${result.stderr}`);
  return JSON.parse(result.stdout) as Record<string, unknown>;
}

async function refusedWith(...argv: readonly string[]): Promise<string> {
  const { status, stdout } = await ceremony(...argv, '--json');
  expect(status).not.toBe(0);
  return (JSON.parse(stdout) as { readonly error: { readonly code: string } }).error.code;
}

it('enrols each holder at their token, and says that nobody vouches for it', async () => {
  for (const name of HOLDERS) {
    const { stdout } = await ceremony(
      ...['enrol', name, '--ceremony', 'acme-root-1', '--token', name, '--pin-file', room.agent.pinFile],
    );
    expect(stdout).toMatch(new RegExp(`holder: +${name}`));
    expect(stdout).toContain('not attested: SoftHSM v2');
  }
});

it('prepares the first root', async () => {
  writeFileSync(temp.join('online.pem'), publicKeyPem(Buffer.from(onlineKey(), 'base64')));
  writeFileSync(temp.join('targets.pem'), publicKeyPem(Buffer.from(onlineKey(), 'base64')));
  const enrolments = HOLDERS.flatMap((name) => ['--enrolment', `enrol-${name}.json`]);
  const online = ['targets=targets.pem', 'snapshot=online.pem', 'timestamp=online.pem'];
  await done(
    ...['new', 'init', ...enrolments, '--threshold', '2', '--expires', dayFromNow(190), '--name', 'acme'],
    ...[...online.flatMap((one) => ['--online', one]), '--reason', 'first root', '--out', folder],
  );
});

it('rehearses it on tokens that are thrown away, and nothing of that verifies', LONG, async () => {
  const out = temp.join('rehearsal-1');
  const played = await done('rehearse', folder, '--out', out);
  expect(played).toMatchObject({ tokens: [...HOLDERS] });
  const bytes = readFileSync(`${out}/out/REHEARSAL-1.root.json`);
  expect(() => readTufRoot(bytes)).toThrow();
  expect(
    readTufRoot(Buffer.from(bytes.toString('utf8').replace('REHEARSAL-root', 'root'))).signed.version,
  ).toBe(1);
});

it('asks no token for anything before it was opened and reviewed', async () => {
  const sign = ['sign', folder, '--holder', 'alice', '--pin-file', room.agent.pinFile];
  expect(await refusedWith(...sign)).toBe('ceremony.order');
  await done('open', folder, '--today', TODAY, '--holder', 'alice', '--holder', 'carol');
  expect(await refusedWith(...sign)).toBe('ceremony.order');
  const { stdout } = await ceremony('review', folder, '--show');
  const words = /request:\n(?:.*\n){2} +([a-z]+ [a-z]+)/i.exec(stdout)?.[1] ?? '';
  expect(await refusedWith('review', folder, '--confirm', 'yes')).toBe('ceremony.confirmation');
  await done('review', folder, '--confirm', `1 ${words}`);
});

it('asks nobody who has no part in it', async () => {
  const { status, stderr } = await ceremony(
    'sign',
    folder,
    '--holder',
    'mallory',
    '--pin-file',
    room.agent.pinFile,
  );
  expect([status, stderr]).toEqual([2, expect.stringContaining('mallory holds no key of this ceremony')]);
});

it('signs with one token after the other, and shows the board', async () => {
  const wrong = room.agent.writePin('wrong-pin', '999999');
  expect(await refusedWith('sign', folder, '--holder', 'alice', '--pin-file', wrong)).toBe(
    'token.pin-incorrect',
  );
  const first = await done('sign', folder, '--holder', 'alice', '--pin-file', room.agent.pinFile);
  expect(first).toMatchObject({ complete: false });
  const second = await ceremony('sign', folder, '--holder', 'carol', '--pin-file', room.agent.pinFile);
  expect(second.stderr).toMatch(/Carol's token \(SoftHSM v2, serial [0-9a-f]+\) signs root v1/);
  expect(second.stdout).toMatch(/1 signature made[\s\S]*root v1: complete/);
  const again = await done('sign', folder, '--holder', 'carol', '--pin-file', room.agent.pinFile);
  expect(again).toMatchObject({ made: [], complete: true });
});

it('closes, is sealed, and what comes out verifies', async () => {
  expect(await refusedWith('seal', folder, '--pin-file', room.agent.pinFile)).toBe('ceremony.order');
  await done('close', folder);
  expect(await done('seal', folder, '--pin-file', room.agent.pinFile)).toMatchObject({
    sealed: ['alice', 'carol'],
  });
  expect(await done('seal', folder, '--pin-file', room.agent.pinFile)).toMatchObject({ sealed: [] });
  await done('verify', folder);
  const root = readTufRoot(readFileSync(`${folder}/out/1.root.json`));
  expect(root.signatures).toHaveLength(2);
  const events = readTranscript(readFileSync(`${folder}/transcript.jsonl`)).map(({ event }) => event);
  const pins = events.flatMap((event) => (event.event === 'pin' ? [`${event.holder} ${event.result}`] : []));
  const accepted = ['alice accepted', 'carol accepted'];
  expect(pins).toEqual(['alice refused', ...accepted, ...accepted]);
  expect(events.filter(({ event }) => event === 'sealed')).toHaveLength(2);
});

it('rehearses certificates of repository keys, which go by this root', LONG, async () => {
  const next = temp.join('keys-1');
  const from = ['--base', `${folder}/out/1.root.json`, '--policy', `${folder}/out/policy.json`];
  const keys = ['app', 'web'].flatMap((name) => [
    '--certify',
    `registry.example/${name}#cosign@1=targets.pem`,
  ]);
  await done(
    ...[
      'new',
      'certify',
      ...keys,
      ...from,
      '--previous',
      `${folder}/transcript.jsonl`,
      '--id',
      'acme-keys-1',
    ],
    ...['--expires', dayFromNow(280), '--reason', 'two keys', '--out', next],
  );
  await done('rehearse', next, '--out', temp.join('rehearsal-keys'));
  const made = readdirSync(temp.join('rehearsal-keys', 'out')).filter((name) => name.includes('certificate'));
  expect(made).toHaveLength(2);
  for (const name of made) {
    const bytes = readFileSync(temp.join('rehearsal-keys', 'out', name), 'utf8');
    expect(() => decodeEnvelope(bytes)).toThrow();
  }
});

it('rehearses the next one, which begins with this root', LONG, async () => {
  const next = temp.join('root-2');
  const from = ['--base', `${folder}/out/1.root.json`, '--policy', `${folder}/out/policy.json`];
  await done(
    ...['new', 'extend', ...from, '--previous', `${folder}/transcript.jsonl`, '--id', 'acme-root-2'],
    ...['--expires', dayFromNow(280), '--reason', 'it expires', '--out', next],
  );
  await done('rehearse', next, '--out', temp.join('rehearsal-2'));
  const bytes = readFileSync(temp.join('rehearsal-2', 'out', 'REHEARSAL-2.root.json'));
  expect(() => readTufRoot(bytes)).toThrow();
});
