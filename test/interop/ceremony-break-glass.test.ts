/** docs/ceremony/break-glass.md does what it says: its commands, as they stand there, with holders' keys in SoftHSM. */
import { execFileSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { TufRoot } from '../../src/formats/tuf/document.js';
import { tufKeyIdOf, tufKeyOf } from '../../src/formats/tuf/key.js';
import { readTufRoot } from '../../src/formats/tuf/reader.js';
import { walkRoots } from '../../src/formats/tuf/root-chain.js';
import { envelopeBytes } from '../../src/formats/tuf/writer.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { PIN, SOFTHSM_MODULE, SoftHsmStore } from '../support/softhsm-store.js';
import { TempFolder } from '../support/temp-folder.js';
import { TerminalSession } from '../support/terminal-session.js';
import { rootOf, signedBy, TufSigner } from '../support/tuf-signer.js';

const BLOCK = /^```sh\n([\s\S]*?)^```$/gm;
const PAGE = readFileSync(path.join(PROJECT_ROOT, 'docs/ceremony/break-glass.md'), 'utf8');
const COMMANDS = [...PAGE.matchAll(BLOCK)].map(([, commands]) => commands ?? '').join('\n');

let temp: TempFolder;
let store: SoftHsmStore;
beforeEach(() => {
  temp = new TempFolder();
  store = new SoftHsmStore('alice', 'bob', 'dave');
});
afterEach(() => {
  store[Symbol.dispose]();
  temp[Symbol.dispose]();
});

interface Held {
  readonly id: string;
  readonly pem: string;
}

/** Makes a key called `root` on the token of that name. */
function madeOn(token: string): Held {
  const environment = { ...process.env, ...store.environment };
  const common = ['--module', SOFTHSM_MODULE, '--token-label', token];
  const make = ['--login', '--pin', PIN, '--keypairgen', '--key-type', 'EC:prime256v1', '--label', 'root'];
  execFileSync('pkcs11-tool', [...common, ...make], { env: environment, stdio: 'pipe' });
  const file = temp.join(`${token}.der`);
  const read = ['--read-object', '--type', 'pubkey', '--label', 'root', '--output-file', file];
  execFileSync('pkcs11-tool', [...common, ...read], { env: environment, stdio: 'pipe' });
  const key = createPublicKey({ key: readFileSync(file), format: 'der', type: 'spki' });
  const tufKey = tufKeyOf(key.export({ format: 'der', type: 'spki' }));
  return { id: tufKeyIdOf(tufKey), pem: key.export({ format: 'pem', type: 'spki' }).toString() };
}

/** Runs the page on a terminal, and then what the people of the room type; each of so many tokens gets its PIN. */
async function room(
  typed: readonly string[],
  variables: Readonly<Record<string, string>>,
  pins: number,
): Promise<{ readonly status: number | null; readonly shown: string }> {
  writeFileSync(temp.join('room.sh'), ['set -euo pipefail', COMMANDS, ...typed].join('\n'));
  await using terminal = new TerminalSession(`cd '${temp.path}' && bash room.sh`, {
    PATH: process.env['PATH'],
    ...store.environment,
    MODULE: SOFTHSM_MODULE,
    BASE: '1.root.json',
    NEXT: '2.root.json',
    ...variables,
  });
  for (let holder = 1; holder <= pins; holder += 1) {
    await terminal.waitFor('Please enter User PIN', holder);
    terminal.type(`${PIN}\n`);
  }
  return { status: await terminal.ended(), shown: terminal.shown };
}

/** A root of alice and bob, whose keys are on tokens, and of two others, who sign it; any two are enough. */
function writeBase(...onTokens: readonly Held[]): readonly TufSigner[] {
  const others = [TufSigner.make(), TufSigner.make()];
  const plain = rootOf({ root: others, threshold: 2, online: TufSigner.make() });
  const keys = onTokens.map(
    ({ id, pem }) => [id, tufKeyOf(createPublicKey(pem).export({ format: 'der', type: 'spki' }))] as const,
  );
  const signed: TufRoot = {
    ...plain,
    keys: new Map([...plain.keys, ...keys]),
    roles: { ...plain.roles, root: { keyids: [...onTokens, ...others].map(({ id }) => id), threshold: 2 } },
  };
  const { signatures } = signedBy(signed, others);
  writeFileSync(temp.join('1.root.json'), envelopeBytes(signed, signatures));
  return others;
}

it('extends a root and replaces a holder, and our own reader walks to it', async () => {
  const [alice, bob, dave] = ['alice', 'bob', 'dave'].map(madeOn);
  if (alice === undefined || bob === undefined || dave === undefined) throw new Error('no holders');
  const [carol] = writeBase(alice, bob);
  writeFileSync(temp.join('dave.pem'), dave.pem);
  const typed = [`TOKEN=alice sign_as root ${alice.id}`, `TOKEN=bob sign_as root ${bob.id}`, 'check_next'];
  const { status, shown } = await room(
    typed,
    { OLD_ID: carol?.id ?? '', NEW_PEM: 'dave.pem', EXPIRES: '2032-06-01T00:00:00Z' },
    2,
  );
  if (status !== 0) throw new Error(shown);
  expect(shown).toMatch(/^[0-9a-f]{64} {2}2\.root\.json\r?$/m);
  const [base, next] = ['1.root.json', '2.root.json'].map((name) =>
    readTufRoot(readFileSync(temp.join(name))),
  );
  if (base === undefined || next === undefined) throw new Error('no roots');
  expect(walkRoots(base, [next], new Date('2026-11-22')).signed).toMatchObject({
    version: 2,
    expires: '2032-06-01T00:00:00Z',
  });
  expect(next.signed.roles.root.keyids).toContain(dave.id);
  expect(next.signed.roles.root.keyids).not.toContain(carol?.id);
});

it('stops at a base that is another one, and at one signature too few', async () => {
  const [alice, bob] = ['alice', 'bob'].map(madeOn);
  if (alice === undefined || bob === undefined) throw new Error('no holders');
  writeBase(alice, bob);
  const one = await room([`TOKEN=alice sign_as root ${alice.id}`, 'check_next', 'echo went on'], {}, 1);
  expect([one.status, one.shown.includes('went on')]).toEqual([1, false]);
  const base = readFileSync(temp.join('1.root.json'), 'utf8');
  writeFileSync(temp.join('1.root.json'), base.replace('2031', '2041'));
  const other = await room(['echo went on'], {}, 0);
  expect([other.status, other.shown.includes('went on')]).toEqual([1, false]);
});
