/** A repository that the command line publishes, served as files, and read by a client and a library of somebody else. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram, TOUCHSTONE } from '../support/demo-agent.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { FileServer, TufClient } from '../support/tuf-client.js';
import { REPOSITORY, TufOwner } from '../support/tuf-owner.js';

let owner: TufOwner;
let server: FileServer;
let firstRoot: Buffer;
beforeAll(async () => {
  owner = await TufOwner.start();
  await owner.init();
  server = await FileServer.start(owner.folder);
  firstRoot = readFileSync(path.join(owner.folder, 'metadata/1.root.json'));
}, 120_000);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await owner[Symbol.asyncDispose]();
});

let clients = 0;
function newClient(): TufClient {
  clients += 1;
  return new TufClient(server.url, firstRoot, path.join(owner.agent.folder, `client-${clients}`));
}

function file(name: string, text: string): string {
  const target = path.join(owner.agent.folder, 'files', name);
  mkdirSync(path.dirname(target), { recursive: true });
  writeFileSync(target, text);
  return target;
}

/** Debian's securesystemslib counts signatures over its own canonical form. */
async function secondOpinion(): Promise<string> {
  const script = path.join(PROJECT_ROOT, 'test/support/tuf-second-opinion.py');
  const result = await runProgram('/usr/bin/python3', [script, path.join(owner.folder, 'metadata')]);
  return `${result.status} ${result.stderr}${result.stdout}`.trim();
}

describe('a client', () => {
  it('gets what was added, and nothing else', async () => {
    using client = newClient();
    await owner.must('add', file('app.txt', 'one'));
    expect(await client.download('app.txt')).toBe('one');
    expect(await client.download('other.txt')).toBeUndefined();
    await owner.must('add', file('app.txt', 'two'));
    expect(await client.download('app.txt')).toBe('two');
    expect(await secondOpinion()).toMatch(/^0 \d+ documents agree$/);
  });

  it('gets a folder with everything in it, under names of any script', async () => {
    using client = newClient();
    file('tree/a/b.txt', 'deep');
    file('tree/grüße-日本.txt', 'wide');
    await owner.must('add', '--prefix', 'dist', path.join(owner.agent.folder, 'files/tree'));
    expect(await client.download('dist/a/b.txt')).toBe('deep');
    expect(await client.download('dist/grüße-日本.txt')).toBe('wide');
  });

  it('no longer gets what was removed', async () => {
    using client = newClient();
    await owner.must('add', file('old.txt', 'old'));
    const answer = await owner.must('remove', 'old.txt');
    expect(answer).toMatchObject({ unusedFiles: [expect.stringMatching(/^[0-9a-f]{64}\.old\.txt$/)] });
    expect(await client.download('old.txt')).toBeUndefined();
  });

  it('follows delegations, and ends at one that is terminating', async () => {
    using client = newClient();
    await owner.must('delegate', 'team-a', '--path', 'team-a/*', '--path', 'shared/?.txt', '--terminating');
    await owner.must('delegate', 'team-b', '--path', 'team-a/*', '--path', 'team-b/*');
    await owner.must('add', '--role', 'team-a', '--prefix', 'team-a', file('tool.txt', 'from a'));
    await owner.must('add', '--role', 'team-a', '--prefix', 'shared', file('1.txt', 'shared'));
    await owner.must('add', '--role', 'team-b', '--prefix', 'team-b', file('tool.txt', 'from b'));
    await owner.must(
      'add',
      '--role',
      'team-b',
      '--prefix',
      'team-a',
      '--name',
      'hidden.txt',
      file('tool.txt', 'from b'),
    );
    expect(await client.download('team-a/tool.txt')).toBe('from a');
    expect(await client.download('shared/1.txt')).toBe('shared');
    expect(await client.download('team-b/tool.txt')).toBe('from b');
    expect(await client.download('team-a/hidden.txt')).toBeUndefined();
    const own = await owner.run('verify', 'team-a/hidden.txt', '--json');
    expect(own.status).toBe(6);
    expect(own.stdout).toContain('no role that clients ask has this target');
    const outside = await owner.run('add', '--role', 'team-a', file('stray.txt', 'x'));
    expect(outside.stderr).toContain('targets does not delegate this name to team-a');
  });

  it('no longer gets what a delegation had that was removed, and gets the next one of that name', async () => {
    using client = newClient();
    await owner.must('delegate', 'leaver', '--path', 'leaver/*');
    await owner.must('add', '--role', 'leaver', '--prefix', 'leaver', file('tool.txt', 'from the first'));
    expect(await client.download('leaver/tool.txt')).toBe('from the first');
    await owner.must('delegate', 'leaver', '--remove');
    expect(await client.download('leaver/tool.txt')).toBeUndefined();
    await owner.must('add', file('after.txt', 'it goes on'));
    expect(await client.download('after.txt')).toBe('it goes on');
    await owner.must('delegate', 'leaver', '--path', 'leaver/*');
    expect(await client.download('leaver/tool.txt')).toBeUndefined();
    await owner.must('add', '--role', 'leaver', '--prefix', 'leaver', file('tool.txt', 'from the second'));
    expect(await client.download('leaver/tool.txt')).toBe('from the second');
  });

  it('finds what is spread over hash bins', async () => {
    using client = newClient();
    await owner.must('delegate', 'many', '--path', 'many/*');
    await owner.must('delegate', 'bins', '--bins', '3', '--from', 'many');
    for (let at = 0; at < 12; at += 1) file(`spread/${at}.txt`, `content ${at}`);
    const answer = await owner.must(
      'add',
      '--role',
      'many',
      '--prefix',
      'many',
      path.join(owner.agent.folder, 'files/spread'),
    );
    const bins = answer.published.filter(({ role }) => role.startsWith('bins-'));
    expect(bins.length).toBeGreaterThan(1);
    expect(new Set(bins.map(({ version }) => version)).size).toBe(bins.length);
    for (let at = 0; at < 12; at += 1) expect(await client.download(`many/${at}.txt`)).toBe(`content ${at}`);
    expect(await owner.must('verify', 'many/7.txt')).toMatchObject({ ok: true });
    expect(await secondOpinion()).toMatch(/^0 \d+ documents agree$/);
  });

  it('follows new keys of every role, from the root that it was handed once', async () => {
    using client = newClient();
    await client.refresh();
    const key = (role: string): string => `acme.example/updates#${role}`;
    const token = JSON.parse(await owner.agent.must(['token', 'list', '--json'])) as {
      readonly tokens: readonly { readonly name: string }[];
    };
    await owner.agent.must(['key', 'create', key('root:2'), '--token', token.tokens[0]?.name ?? '']);
    const keys = (...roles: readonly string[]): readonly string[] =>
      roles.flatMap((role) => ['--key', `${role.replace(/:.*/, '')}=${key(role)}`]);
    await owner.must('sign', 'root', ...keys('root:1', 'root:2'), '--threshold', 'root=2');
    for (const role of ['targets', 'snapshot', 'timestamp'])
      await owner.agent.must(['key', 'rotate', key(role)]);
    const answer = await owner.must('sign', 'root', ...keys('targets', 'snapshot', 'timestamp'));
    expect(answer.published.map(({ role }) => role)).toEqual(['targets', 'snapshot', 'root', 'timestamp']);
    await owner.must('sign', 'root', ...keys('root:2'), '--threshold', 'root=1');
    await owner.must('add', file('after.txt', 'after'));
    expect(await client.download('after.txt')).toBe('after');
    expect(await client.download('app.txt')).toBe('two');
    expect(client.rootVersion()).toBe(4);
    expect(await secondOpinion()).toMatch(/^0 \d+ documents agree$/);
    expect(await owner.must('verify')).toMatchObject({ ok: true, problems: [] });
  });
});

describe('the agent', () => {
  it('knows what readers get as published, and has signed nothing beyond it', async () => {
    const shown = JSON.parse(await owner.agent.must(['guard', 'show', '--json'])) as {
      readonly entries: readonly {
        readonly role: string;
        readonly published: { readonly version: number } | null;
        readonly signed: object | null;
      }[];
    };
    expect(shown.entries.map(({ role }) => role)).toContain('targets/bins');
    for (const { signed, published } of shown.entries) {
      expect(signed).toBeNull();
      expect(published).not.toBeNull();
    }
    const targets = shown.entries.find(({ role }) => role === 'targets');
    expect(targets?.published?.version).toBe(
      owner.metadata('timestamp.json').signed.version > 0 ? newest('targets') : 0,
    );
  });

  it('signs no root of TUF with the root key of its keyring, which serves every repository', async () => {
    const folder = path.join(owner.agent.folder, 'shared-root');
    const init = ['tuf', 'init', folder, 'acme.example/elsewhere'];
    const none = await owner.agent.touchstone(init);
    expect(none.stderr).toContain('has no root key of its own');
    expect(none.stderr).toContain("touchstone key create 'acme.example/elsewhere#root:1'");
    expect(existsSync(folder)).toBe(false);
    const shared = await owner.agent.touchstone([...init, '--key', 'root=acme.example/elsewhere#root']);
    expect(shared.stderr).toContain('made for one repository');
    expect(shared.status).not.toBe(0);
    expect(existsSync(folder)).toBe(false);
  });

  it('makes no folder where no agent answers, also for a root that was brought along', async () => {
    const folder = path.join(owner.agent.folder, 'without-agent');
    const root = path.join(owner.folder, 'metadata/1.root.json');
    const environment = { ...owner.agent.environment, TOUCHSTONE_SOCK: path.join(folder, 'sock') };
    const init = [TOUCHSTONE, 'tuf', 'init', folder, REPOSITORY, '--root', root];
    const none = await runProgram(process.execPath, init, { environment });
    expect([none.status, existsSync(folder)]).toEqual([5, false]);
  });
});

function newest(role: string): number {
  const versions = Object.entries(owner.metadata(`${newestSnapshot()}.snapshot.json`).signed.meta ?? {});
  return versions.find(([name]) => name === `${role}.json`)?.[1].version ?? 0;
}

function newestSnapshot(): number {
  return owner.metadata('timestamp.json').signed.meta?.['snapshot.json']?.version ?? 0;
}

describe('dates', () => {
  it('are watched with statuses for cron, and written into a calendar', async () => {
    const fine = await owner.run('watch');
    expect(fine.status).toBe(0);
    const at = (days: number): string =>
      new Date(Date.now() + days * 86_400_000).toISOString().replace(/\.\d+Z$/, 'Z');
    const due = await owner.run('watch', '--at', at(5));
    expect(due.status).toBe(1);
    expect(due.stdout).toMatch(/timestamp \d+ +renew it/);
    expect((await owner.run('watch', '--at', at(6.5))).status).toBe(6);
    const expired = await owner.run('watch', '--at', at(8));
    expect(expired.stdout).toMatch(/timestamp \d+ +expired/);
    expect(expired.status).toBe(6);
    const calendar = await owner.run('watch', '--calendar', '-');
    expect(calendar.stdout).toMatch(/^BEGIN:VCALENDAR\r\nVERSION:2\.0\r\n/);
    expect(calendar.stdout).toContain('SUMMARY:Renew root of acme.example/updates');
    expect(calendar.stdout.split('\r\n').every((line) => Buffer.byteLength(line) <= 75)).toBe(true);
    const narrow = await owner.run('watch', '--window', 'root=5');
    expect(narrow.stderr).toContain('has to open before it alarms');
    expect(narrow.status).toBe(2);
  });

  it('are renewed when they are due, and not before', async () => {
    expect((await owner.must('timestamp', '--within', '2d')).published).toEqual([]);
    const due = await owner.must('timestamp', '--within', '30d');
    expect(due.published.map(({ role }) => role)).toEqual(['timestamp']);
    const both = await owner.must('snapshot');
    expect(both.published.map(({ role }) => role)).toEqual(['snapshot', 'timestamp']);
    using client = newClient();
    expect(await client.download('app.txt')).toBe('two');
  });

  it('that are past are said, and an expired root is cured by its successor', async () => {
    await owner.must('sign', 'root', '--days', 'root=1');
    const late = new Date(Date.now() + 2 * 86_400_000).toISOString().replace(/\.\d+Z$/, 'Z');
    const verdict = await owner.run('verify', '--at', late);
    expect(verdict.status).toBe(6);
    expect(verdict.stdout).toMatch(/root +version \d+ expired at/);
    await owner.must('sign', 'root');
    const cured = await owner.run('verify', '--at', late);
    expect(cured.stdout).toContain('verified:');
    expect(cured.status).toBe(0);
  });
});
