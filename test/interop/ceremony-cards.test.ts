/** A ceremony whose holders have YubiKeys: virtual cards behind the real pcscd and libykcs11, attested by the maker that the policy names. */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Enrolment } from '../../src/ceremony/enrolment.js';
import type { JudgedCheck } from '../../src/ceremony/session.js';
import { readTranscript } from '../../src/ceremony/transcript.js';
import { writeForm } from '../../src/ceremony/one-form.js';
import { publicKeyPem } from '../../src/crypto/public-key.js';
import { readTufRoot } from '../../src/formats/tuf/reader.js';
import { CeremonyRoom } from '../support/ceremony-room.js';
import type { CommandResult } from '../support/demo-agent.js';
import { CARD_PIN, ownedCard } from '../support/piv-agent.js';
import { onlineKey } from '../support/software-holder.js';
import { TempFolder } from '../support/temp-folder.js';
import { attestationAuthority } from '../support/virtual-yubikey/attestation-authority.js';
import { YubiKeyDesk } from '../support/virtual-yubikey/virtual-yubikey.js';
import type { YubiKey } from '../support/virtual-yubikey/yubikey.js';

const TOMORROW = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
const EXPIRES = new Date(Date.now() + 200 * 86_400_000).toISOString().slice(0, 10);
const HOLDERS = ['alice', 'bob'] as const;
const TOUCHED = { policies: { pin: 'once', touch: 'always' } } as const;
/** Long enough for two cards, two PINs and four touches on a machine that has much else to do. Milliseconds. */
const PLAY_MS = 240_000;

const cards = HOLDERS.map((_name, at) =>
  ownedCard({ ...TOUCHED, derivationTouch: 'cached' }, { serial: 20_000_001 + at, firmware: '5.7.1' }),
) as [YubiKey, YubiKey];
let temp: TempFolder;
let desk: YubiKeyDesk;
let room: CeremonyRoom;
let pinFile: string;

beforeAll(async () => {
  temp = new TempFolder();
  writeFileSync(temp.join('maker.pem'), attestationAuthority().pem);
  writeFileSync(temp.join('online.pem'), publicKeyPem(Buffer.from(onlineKey(), 'base64')));
  writeFileSync(temp.join('targets.pem'), publicKeyPem(Buffer.from(onlineKey(), 'base64')));
  desk = await YubiKeyDesk.start(cards);
  const variables = Object.entries(desk.variables).map(([name, value]) => `${name} = "${value}"`);
  const tables = HOLDERS.map((name, at) =>
    [
      '[[token]]',
      `name = "${name}"`,
      'kind = "yubikey-piv"',
      `serial = ${cards[at]?.serial ?? 0}`,
      `env = { ${variables.join(', ')} }`,
      '',
    ].join('\n'),
  );
  room = await CeremonyRoom.open(new Map(), tables);
  pinFile = room.agent.writePin('card-pin', CARD_PIN);
}, PLAY_MS);
afterAll(async () => {
  await room[Symbol.asyncDispose]();
  await desk[Symbol.asyncDispose]();
  temp[Symbol.dispose]();
});

function ceremony(...argv: readonly string[]): Promise<CommandResult> {
  return room.agent.touchstone(['ceremony', ...argv], { cwd: temp.path, timeoutMs: 120_000 });
}

/** @returns what --json prints of a command that has to succeed */
async function done(...argv: readonly string[]): Promise<Record<string, unknown>> {
  const result = await ceremony(...argv, '--json');
  expect(result).toMatchObject({ status: 0 });
  return JSON.parse(result.stdout) as Record<string, unknown>;
}

async function enrolled(name: string, ceremonyId: string): Promise<Enrolment> {
  const { enrolment } = await done(
    ...['enrol', name, '--ceremony', ceremonyId, '--token', name, '--pin-file', pinFile],
  );
  return enrolment as Enrolment;
}

/** A folder for the first root of both, which asks for cards of this maker, of this firmware, and for a touch. */
async function prepare(out: string, minimumFirmware = '5.7.0'): Promise<string> {
  const online = ['targets=targets.pem', 'snapshot=online.pem', 'timestamp=online.pem'];
  const { failing: expected } = await done(
    ...['new', 'init', ...HOLDERS.flatMap((name) => ['--enrolment', `enrol-${name}.json`])],
    ...['--maker', 'maker.pem', '--min-firmware', minimumFirmware, '--touch', 'always', '--threshold', '2'],
    ...[...online.flatMap((one) => ['--online', one]), '--expires', EXPIRES, '--name', out],
    ...['--reason', 'first root', '--out', temp.join(out)],
  );
  expect((expected as readonly JudgedCheck[]).map(({ check }) => check)).toContain('THRESHOLD-SANE');
  return temp.join(out);
}

/** What `open` finds wrong. */
async function failing(folder: string): Promise<readonly string[]> {
  const { status, stdout } = await ceremony(
    ...['open', folder, '--today', TOMORROW, '--waive', 'THRESHOLD-SANE=alice', '--json'],
  );
  expect(status).toBe(6);
  const { checks } = JSON.parse(stdout) as { readonly checks: readonly JudgedCheck[] };
  return checks.filter(({ passed, waivedBy }) => !passed && waivedBy === '').map(({ check }) => check);
}

it(
  'enrols the key in 9C with what its maker says, has it checked, and has it sign at a touch',
  async () => {
    const [alice] = cards;
    const before = alice.touch.used;
    const enrolment = await enrolled('alice', 'acme-cards-1');
    expect(enrolment).toMatchObject({
      token: { serial: '20000001', firmware: '5.7.1', slot: '9c' },
      pinPolicy: 'once',
      touchPolicy: 'always',
    });
    expect(enrolment.attestation).toHaveLength(2);
    // The agent's own, and the one on the card.
    expect(enrolment.derivationKeys).toHaveLength(2);
    expect([alice.touch.used - before, alice.counters.pinAttempts, alice.state.isPinVerified]).toEqual([
      1,
      1,
      false,
    ]);
    const { stdout } = await ceremony(
      ...['enrol', 'bob', '--ceremony', 'acme-cards-1', '--token', 'bob', '--pin-file', pinFile],
    );
    expect(stdout).toContain('slot 9c, PIN once, touch always, firmware 5.7.1');

    const folder = await prepare('cards-1');
    const opened = await ceremony(
      ...['open', folder, '--today', TOMORROW, '--holder', 'alice', '--holder', 'bob'],
      ...['--waive', 'THRESHOLD-SANE=alice'],
    );
    expect(opened).toMatchObject({ status: 0 });
    const { stdout: shown } = await ceremony('review', folder, '--show');
    const words = /request:\n(?:.*\n){2} +([a-z]+ [a-z]+)/i.exec(shown)?.[1] ?? '';
    await done('review', folder, '--confirm', `1 ${words}`);
    // The agent tells of a touch that does not come at once.
    alice.touch.afterMs = 1_500;
    const signed = await ceremony('sign', folder, '--pin-file', pinFile);
    expect(signed).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('touch the YubiKey now') as string,
    });
    expect(signed.stdout).toMatch(/2 signatures made[\s\S]*root v1: complete/);
    await done('close', folder);
    await done('seal', folder, '--pin-file', pinFile);
    await done('verify', folder);
    expect(readTufRoot(readFileSync(`${folder}/out/1.root.json`)).signatures).toHaveLength(2);
    const policy = JSON.parse(readFileSync(`${folder}/out/policy.json`, 'utf8')) as {
      readonly holders: readonly { readonly tokens: readonly { readonly attested: boolean }[] }[];
    };
    expect(policy.holders.flatMap(({ tokens }) => tokens.map(({ attested }) => attested))).toEqual([
      true,
      true,
    ]);
    const checks = readTranscript(readFileSync(`${folder}/transcript.jsonl`)).flatMap(({ event }) =>
      event.event === 'check' && event.check === 'KEY-ATTESTED' ? [[event.subject, event.says]] : [],
    );
    expect(checks).toContainEqual(['bob', expect.stringContaining('its maker vouches for the key')]);
    expect(cards.map(({ state }) => state.isPinVerified)).toEqual([false, false]);
  },
  PLAY_MS,
);

it(
  'ends at the check that is named for it, before a token is touched',
  async () => {
    const [alice, bob] = HOLDERS.map(
      (name) => JSON.parse(readFileSync(temp.join(`enrol-${name}.json`), 'utf8')) as Enrolment,
    );
    if (alice === undefined || bob === undefined) throw new Error('nobody has enrolled');
    const attempts = cards.map(({ counters }) => counters.pinAttempts);
    const changes: readonly (readonly [string, Partial<Enrolment>])[] = [
      ['another-key', { attestation: bob.attestation }],
      ['another-card', { token: { ...alice.token, serial: bob.token.serial } }],
      ['no-chain', { attestation: alice.attestation.slice(0, 1) }],
    ];
    for (const [name, change] of changes) {
      writeFileSync(temp.join('enrol-alice.json'), writeForm({ ...alice, ...change }));
      expect([name, await failing(await prepare(name))]).toEqual([name, ['KEY-ATTESTED']]);
    }
    writeFileSync(temp.join('enrol-alice.json'), writeForm(alice));
    expect(await failing(await prepare('too-old', '5.7.4'))).toEqual(['KEY-FIRMWARE', 'KEY-FIRMWARE']);
    expect(cards.map(({ counters }) => counters.pinAttempts)).toEqual(attempts);
  },
  PLAY_MS,
);

it('lists whose firmware is too old, with an exit status for cron', async () => {
  const all = await ceremony('inventory', 'cards-1');
  expect(all).toMatchObject({ status: 0 });
  expect(all.stdout).toMatch(/alice +20000001 +YubiKey 5 +5\.7\.1 +once +always +yes +acme-cards-1/);
  const good = await ceremony('inventory', 'cards-1', '--min-firmware', '5.7.1');
  expect([good.status, good.stdout]).toEqual([0, expect.stringContaining('0 of 2 tokens')]);
  const warned = await ceremony('inventory', 'cards-1', '--min-firmware', '5.7.4');
  expect([warned.status, warned.stdout]).toEqual([1, expect.stringMatching(/2 of 2 tokens[^]*alice[^]*bob/)]);
  const broken = await ceremony('inventory', 'cards-1', 'not-there', '--min-firmware', '5.7.4');
  expect([broken.status, broken.stdout]).toEqual([6, expect.stringContaining('bob')]);
});

it('says how to make a key on a card that has none, and spends no PIN', async () => {
  const [alice] = cards;
  const stored = alice.state.keys.get(0x9c);
  const attempts = alice.counters.pinAttempts;
  alice.state.keys.delete(0x9c);
  const result = await ceremony(
    ...['enrol', 'alice', '--ceremony', 'acme-cards-2', '--token', 'alice', '--pin-file', pinFile],
  );
  if (stored !== undefined) alice.state.keys.set(0x9c, stored);
  expect([result.status, result.stderr]).toEqual([4, expect.stringContaining('ykman piv keys generate')]);
  expect(alice.counters.pinAttempts).toBe(attempts);
});
