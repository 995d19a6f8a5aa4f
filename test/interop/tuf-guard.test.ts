/** `touchstone guard` for a TUF repository: its folder is looked at, and no server asked. */
import { generateKeyPairSync } from 'node:crypto';
import { copyFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Result } from '../../src/protocol/methods.js';
import type { CommandResult } from '../support/demo-agent.js';
import { REPOSITORY, TufOwner } from '../support/tuf-owner.js';

const ROOT = `${REPOSITORY}#root`;

let owner: TufOwner;
beforeAll(async () => {
  owner = await TufOwner.start();
  await owner.init();
}, 120_000);
afterAll(async () => {
  await owner[Symbol.asyncDispose]();
});

function guard(...argv: readonly string[]): Promise<CommandResult> {
  return owner.agent.touchstone(['guard', ...argv]);
}

function inFolder(...argv: readonly string[]): Promise<CommandResult> {
  return guard(...argv, '--folder', owner.folder);
}

/** Version of the root that is signed and not published. */
async function signedRoot(): Promise<number | undefined> {
  const shown = await guard('show', REPOSITORY, '--json');
  const { entries } = JSON.parse(shown.stdout) as Result<'guard.show'>;
  return entries.find(({ role }) => role === 'root')?.signed?.version;
}

/** A root that waits for somebody who never signs. */
async function stageRoot(): Promise<void> {
  const stranger = path.join(owner.agent.folder, 'stranger.pem');
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writeFileSync(stranger, publicKey.export({ type: 'spki', format: 'pem' }));
  const keys = ['--key', `root=${ROOT}:1`, '--key', `root=${stranger}`, '--threshold', 'root=2'];
  const { waiting } = await owner.must('sign', 'root', ...keys);
  expect(waiting.map(({ role }) => role)).toContain('root');
  expect(await signedRoot()).toBe(2);
}

describe('a root that was signed and that nobody gets', () => {
  it('is given up after a look into its folder, once it no longer waits there', async () => {
    await stageRoot();
    const asked = ['abandon', ROOT, '--version', '2'];
    const unnamed = await guard(...asked);
    expect([unnamed.status, unnamed.stderr]).toEqual([2, expect.stringContaining('--folder FOLDER')]);
    const waits = await inFolder(...asked);
    expect([waits.status, waits.stderr]).toEqual([1, expect.stringContaining('root --drop')]);
    const elsewhere = await guard(...asked, '--folder', owner.agent.folder);
    expect(elsewhere.stderr).toContain('there is no TUF repository in it');
    expect(await signedRoot()).toBe(2);
    await owner.must('sign', 'root', '--drop');
    const done = await inFolder(...asked);
    expect([done.status, done.stderr]).toEqual([0, expect.stringContaining('the folder does not have')]);
    expect(await signedRoot()).toBeUndefined();
  });

  it('is kept when the folder has it', async () => {
    await stageRoot();
    await owner.must('sign', 'root', '--drop');
    const file = (version: number): string => path.join(owner.folder, `metadata/${version}.root.json`);
    copyFileSync(file(1), file(2));
    const kept = await inFolder('abandon', ROOT, '--version', '2');
    expect([kept.status, kept.stderr]).toEqual([3, expect.stringContaining('the folder has it')]);
    rmSync(file(2));
    expect(await signedRoot()).toBe(2);
  });
});

describe('a repository that begins anew', () => {
  it('is forgotten only when its folder is empty, and can be made again then', async () => {
    const confirmed = ['forget', REPOSITORY, '--confirm', REPOSITORY];
    expect((await guard(...confirmed)).stderr).toContain('--folder FOLDER');
    const there = await inFolder(...confirmed);
    expect([there.status, there.stderr]).toEqual([3, expect.stringContaining('there is a repository in')]);
    rmSync(owner.folder, { recursive: true });
    expect((await owner.run('init', REPOSITORY)).stderr).toContain('version 1 was published');
    const other = await inFolder('forget', REPOSITORY, '--confirm', 'acme.example/other');
    expect([other.status, other.stderr]).toEqual([2, expect.stringContaining('nothing was changed')]);
    expect((await inFolder(...confirmed)).status).toBe(0);
    await owner.init();
    await owner.must('timestamp');
    expect((await owner.run('verify')).status).toBe(0);
  });
});
