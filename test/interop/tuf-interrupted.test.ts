/** A publish that is killed with SIGKILL before each file gets its name: readers go on, and the next command goes on from there. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram, TOUCHSTONE, type CommandResult } from '../support/demo-agent.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { FileServer, TufClient } from '../support/tuf-client.js';
import { REPOSITORY, TufOwner } from '../support/tuf-owner.js';

const MAX_STEPS = 20;
const KILLED = -1;

let owner: TufOwner;
let server: FileServer;
let client: TufClient;
beforeAll(async () => {
  owner = await TufOwner.start();
  await owner.init();
  await owner.must('add', content('kept.txt', 'kept'));
  server = await FileServer.start(owner.folder);
  const root = readFileSync(path.join(owner.folder, 'metadata/1.root.json'));
  client = new TufClient(server.url, root, path.join(owner.agent.folder, 'client'));
}, 120_000);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await owner[Symbol.asyncDispose]();
});

function content(name: string, text: string): string {
  const file = path.join(owner.agent.folder, name);
  writeFileSync(file, text);
  return file;
}

/** Runs a command that dies before its nth rename, or ends when it has fewer. */
function killedAt(step: number, ...argv: readonly string[]): Promise<CommandResult> {
  const preload = path.join(PROJECT_ROOT, 'test/support/killed-at-rename.mjs');
  return runProgram(process.execPath, ['--import', preload, TOUCHSTONE, 'tuf', ...argv], {
    environment: { ...owner.agent.environment, KILLED_AT: String(step) },
  });
}

it('adding a file: before every name that is given', async () => {
  let steps = 0;
  for (let step = 1; step <= MAX_STEPS; step += 1) {
    const file = content('new.txt', `content ${step}`);
    const { status, stderr } = await killedAt(step, 'add', owner.folder, file);
    expect(stderr).not.toContain('error');
    const seen = await client.download('new.txt');
    expect([`content ${step}`, `content ${step - 1}`, undefined]).toContain(seen);
    expect(await client.download('kept.txt')).toBe('kept');
    expect(await owner.must('verify')).toMatchObject({ ok: true });
    if (status !== KILLED) break;
    steps = step;
    await owner.must('add', file);
    expect(await client.download('new.txt')).toBe(`content ${step}`);
  }
  // The file itself, targets, snapshot, timestamp.
  expect(steps).toBe(4);
}, 120_000);

it('a document that is written and not listed is listed by the next command, whatever it is', async () => {
  await killedAt(3, 'add', owner.folder, content('late.txt', 'late'));
  expect(await client.download('late.txt')).toBeUndefined();
  const next = await owner.must('timestamp', '--within', '1d');
  expect(next.published.map(({ role }) => role)).toEqual(['snapshot', 'timestamp']);
  expect(await client.download('late.txt')).toBe('late');
});

describe('a new root', () => {
  it('that renames no keys: before every name that is given', async () => {
    for (let step = 1; step <= MAX_STEPS; step += 1) {
      const before = client.rootVersion();
      const { status } = await killedAt(step, 'sign', owner.folder, 'root');
      expect(await client.download('kept.txt')).toBe('kept');
      await owner.must('sign', '--days', 'root=365');
      await client.refresh();
      expect(client.rootVersion()).toBeLessThanOrEqual(before + 1);
      if (status !== KILLED) break;
    }
    await owner.must('sign', 'root');
    expect(await owner.must('verify')).toMatchObject({ ok: true });
    expect(await client.download('kept.txt')).toBe('kept');
  }, 120_000);

  it('with other keys for everything: readers wait between its name and that of the timestamp, and nowhere else', async () => {
    const unreadable: number[] = [];
    let steps = 0;
    for (let step = 1; step <= MAX_STEPS; step += 1) {
      const roles = ['targets', 'snapshot', 'timestamp'];
      for (const role of roles) await owner.agent.must(['key', 'rotate', `${REPOSITORY}#${role}`]);
      const keys = roles.flatMap((role) => ['--key', `${role}=${REPOSITORY}#${role}`]);
      const { status } = await killedAt(step, 'sign', owner.folder, 'root', ...keys);
      const verdict = await owner.run('verify');
      if (verdict.status !== 0) unreadable.push(step);
      await owner.must('sign');
      expect(await owner.must('verify')).toMatchObject({ ok: true });
      expect(await client.download('kept.txt')).toBe('kept');
      if (status !== KILLED) break;
      steps = step;
    }
    // Staged root, targets, snapshot, root, timestamp, what is trusted here.
    expect(unreadable).toEqual([steps - 1]);
  }, 240_000);
});

it('leaves a guard that has seen everything published', async () => {
  await owner.must('add', content('end.txt', 'end'));
  const shown = JSON.parse(await owner.agent.must(['guard', 'show', '--json'])) as {
    readonly entries: readonly { readonly signed: object | null }[];
  };
  expect(shown.entries.map(({ signed }) => signed)).toEqual(shown.entries.map(() => null));
});
