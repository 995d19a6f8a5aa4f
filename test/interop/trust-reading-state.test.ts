/** What our CLI remembers, reports and is let in for, against a real server: pins, first use, status, watch, logins. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { notaryTime } from '../../src/formats/notary1/document.js';
import { TrustServer } from '../../src/trust/server.js';
import { MadeRepository } from '../support/made-repository.js';
import { NotaryClient } from '../support/notary-client.js';
import { NotaryServer } from '../support/notary-server.js';
import { SoftwareSigner } from '../support/software-signer.js';
import { TestAuthority } from '../support/test-authority.js';
import { TokenServer } from '../support/token-server.js';
import { TrustReader } from '../support/trust-reader.js';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);
const NAME = 'localhost:5000/acme/app';
let count = 0;

let authority: TestAuthority;
let server: NotaryServer;
beforeAll(async () => {
  authority = new TestAuthority();
  server = await NotaryServer.start({ authority, trustService: 'local' });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  authority[Symbol.dispose]();
});

/** Every test has a repository of its own. */
function nextName(): string {
  count += 1;
  return `${NAME}-${count}`;
}

/** A repository with v1. */
async function published(client: NotaryClient, gun: string): Promise<void> {
  await client.must('init', gun);
  await client.must('addhash', gun, 'v1', '423', '--sha256', A);
  await client.must('publish', gun);
}

describe('pins and first use', () => {
  it('hold against a repository that was made anew, until it is pinned', async () => {
    using client = new NotaryClient(server);
    using reader = new TrustReader(server);
    const gun = nextName();
    await published(client, gun);
    expect((await reader.run('list', gun)).stderr).toContain('trusted because it is the first one seen');
    expect(await reader.refusal('list', gun, '--no-tofu')).toEqual([6, 'notary.pin']);
    await client.must('delete', gun, '--remote');
    using other = new NotaryClient(server);
    await published(other, gun);
    expect(await reader.refusal('list', gun)).toEqual([6, 'notary.rollback']);
    using fresh = new TrustReader(server);
    const { roles } = (await fresh.json('inspect', gun)) as {
      roles: readonly { keys: readonly { id: string }[] }[];
    };
    const id = roles[0]?.keys[0]?.id ?? '';
    await reader.must('pin', gun, '--certificate', id);
    expect(await reader.must('list', gun)).toContain('v1');
    expect(await reader.must('pin')).toContain(id);
    await reader.must('pin', '--remove', gun);
    expect(await reader.must('pin')).toContain('nothing is pinned');
  });
});

describe('status and watch', () => {
  it('say what is there, what was seen, and what expires', async () => {
    using client = new NotaryClient(server);
    using reader = new TrustReader(server);
    const gun = nextName();
    await published(client, gun);
    await reader.must('list', gun);
    await client.must('addhash', gun, 'v2', '423', '--sha256', B, '-p');
    const status = (await reader.json('status', gun)) as { roles: readonly object[] };
    expect(status).toMatchObject({ verified: true, pending: null });
    expect(status.roles).toContainEqual(expect.objectContaining({ role: 'targets', version: 3, seen: 2 }));
    expect(await reader.must('watch', gun)).toBe('nothing expires within 30 days\n');
    const soon = await reader.run('watch', '--within', '365d', gun, `${gun}-none`);
    expect(soon.status).toBe(6);
    expect(soon.stdout).toContain('there is no trust data');
  });
});

it('status and watch say that a snapshot has expired where the server only answers 500', async () => {
  using reader = new TrustReader(server);
  const gun = nextName();
  const trust = new TrustServer(gun, {
    env: {},
    home: reader.folder.path,
    server: server.url,
    ca: readFileSync(authority.certificate, 'utf8'),
    deadline: Date.now() + 20_000,
  });
  const made = new MadeRepository(gun);
  made.roles.timestamp.members = [SoftwareSigner.publicOnly(await trust.serverKey('timestamp'))];
  made.roles.timestamp.signing = [];
  const expires = Math.ceil(Date.now() / 1000 + 1) * 1000;
  made.roles.snapshot.expires = notaryTime(new Date(expires));
  made.publish({ root: true });
  const roles = ['root', 'targets', 'snapshot'];
  await trust.upload(new Map(roles.map((role) => [role, made.files.get(role) ?? Buffer.alloc(0)])));
  await delay(expires - Date.now() + 1);
  expect((await reader.run('list', gun)).status).not.toBe(0);
  const status = await reader.run('status', gun);
  expect([status.status, status.stdout.includes('snapshot expired; renew with')]).toEqual([6, true]);
  const watch = await reader.run('watch', gun, '--json');
  expect(watch.status).toBe(6);
  expect(JSON.parse(watch.stdout)).toMatchObject({ findings: [{ what: 'snapshot', state: 'expired' }] });
});

describe('a server that asks for tokens', () => {
  it('is read without a login where it lets everybody, and with the one of docker', async () => {
    const users = { alice: 'wonderland' };
    const grant = (user: string | undefined, _: string, asked: readonly string[]): readonly string[] =>
      user === undefined ? [] : asked;
    await using tokens = await TokenServer.start({ authority, users, grant });
    await using guarded = await NotaryServer.start({ authority, trustService: 'local', tokens });
    using client = new NotaryClient(guarded, { login: 'alice:wonderland' });
    using reader = new TrustReader(guarded);
    const gun = nextName();
    await published(client, gun);
    expect(await reader.refusal('list', gun)).toEqual([1, 'notary.denied']);
    const auth = Buffer.from('alice:wonderland').toString('base64');
    const docker = reader.folder.join('.docker');
    mkdirSync(docker);
    writeFileSync(
      path.join(docker, 'config.json'),
      JSON.stringify({ auths: { 'localhost:5000': { auth } } }),
    );
    expect(await reader.must('list', gun)).toContain('v1');
    expect(tokens.log).toContain(`alice repository:${gun}:pull`);
  });
});
