/** What is asked of a real notary-server beside reading: uploads, its keys, deletion; and repositories that only we can make. */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { notaryTime } from '../../src/formats/notary1/document.js';
import type { NotaryKey } from '../../src/formats/notary1/key.js';
import { signedTags } from '../../src/trust/approvals.js';
import type { Collection } from '../../src/trust/collection.js';
import { PassingMemory } from '../../src/trust/memory.js';
import { PinSet } from '../../src/trust/pins.js';
import { TrustServer } from '../../src/trust/server.js';
import { updateCollection } from '../../src/trust/update.js';
import { MadeRepository } from '../support/made-repository.js';
import { NotaryClient } from '../support/notary-client.js';
import { NotaryServer } from '../support/notary-server.js';
import { rejectionOf } from '../support/rejection.js';
import { SoftwareSigner } from '../support/software-signer.js';
import { TempFolder } from '../support/temp-folder.js';
import { TestAuthority } from '../support/test-authority.js';
import { TokenServer } from '../support/token-server.js';

let authority: TestAuthority;
let server: NotaryServer;
let home: TempFolder;
let count = 0;
beforeAll(async () => {
  authority = new TestAuthority();
  home = new TempFolder();
  server = await NotaryServer.start({ authority, trustService: 'local' });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  authority[Symbol.dispose]();
  home[Symbol.dispose]();
});

function open(repository: string, of: NotaryServer = server): TrustServer {
  const ca = readFileSync(authority.certificate, 'utf8');
  return new TrustServer(repository, {
    env: {},
    home: home.path,
    server: of.url,
    ca,
    deadline: Date.now() + 20_000,
  });
}

function nextName(): string {
  count += 1;
  return `registry.example/acme/app-${count}`;
}

/** With the timestamp key of the server. */
function made(repository: string, timestampKey: NotaryKey, root?: readonly SoftwareSigner[]): MadeRepository {
  const repo = new MadeRepository(repository, root);
  repo.roles.timestamp.members = [SoftwareSigner.publicOnly(timestampKey)];
  repo.roles.timestamp.signing = [];
  return repo;
}

/** Current files of all roles but the timestamp. */
function partsOf(repo: MadeRepository, ...roles: readonly string[]): ReadonlyMap<string, Buffer> {
  const names = roles.length > 0 ? roles : ['root', 'snapshot', ...repo.targets.keys()];
  return new Map(names.map((name) => [name, repo.files.get(name) ?? Buffer.alloc(0)]));
}

function read(trust: TrustServer, memory = new PassingMemory()): Promise<Collection> {
  return updateCollection(trust, { pins: new PinSet([], true), memory, nowMs: Date.now() });
}

describe('a trust server', () => {
  it('takes an upload of all roles, and a later version only', async () => {
    const trust = open(nextName());
    const key = await trust.serverKey('timestamp');
    const repo = made(trust.repository, key).delegate('targets/alice', [SoftwareSigner.make()]);
    repo.sign('targets', 'v1', 'a').publish({ root: true });
    await trust.upload(partsOf(repo));
    expect(signedTags(await read(trust)).map(({ tag }) => tag)).toEqual(['v1']);
    expect(await trust.serverKey('timestamp')).toEqual(key);
    const again = await rejectionOf(trust.upload(partsOf(repo, 'targets', 'snapshot')));
    expect(again.code).toBe('notary.conflict');
  });

  it('says why it does not take one', async () => {
    const trust = open(nextName());
    const repo = made(trust.repository, await trust.serverKey('timestamp'));
    repo.role('targets').signing = [SoftwareSigner.make()];
    const error = await rejectionOf(trust.upload(partsOf(repo.publish({ root: true }))));
    expect(error.code).toBe('notary.rejected');
    expect(error.message).toContain('ErrBadTargets');
  });

  it('gives a new key, and forgets a repository', async () => {
    const trust = open(nextName());
    const repo = made(trust.repository, await trust.serverKey('timestamp')).publish({ root: true });
    await trust.upload(partsOf(repo));
    const next = await trust.rotateServerKey('timestamp');
    expect(next).not.toEqual(repo.roles.timestamp.members[0]?.key);
    await trust.deleteAll();
    await trust.deleteAll();
    expect((await rejectionOf(read(trust))).code).toBe('notary.missing');
  });

  it('that is not there, speaks another language or asks for a login is told apart', async () => {
    const gone = new TrustServer('registry.example/acme/app', {
      env: { TOUCHSTONE_TRUST_SERVER: 'https://localhost:1' },
      home: home.path,
      deadline: Date.now() + 5_000,
    });
    expect((await rejectionOf(gone.fetch('root'))).code).toBe('notary.unreachable');
    await using tokens = await TokenServer.start({ authority, users: {} });
    await using guarded = await NotaryServer.start({ authority, trustService: 'local', tokens });
    const trust = open(nextName(), guarded);
    expect(await trust.fetch('root')).toBeUndefined();
    expect((await rejectionOf(trust.deleteAll())).code).toBe('notary.denied');
    expect(tokens.log).toContain(`- repository:${trust.repository}:*`);
  });

  it.each([
    'ftp://x.example',
    'http://x.example',
    'x.example',
    'https://a@x.example',
    'https://x.example/?a=b',
  ])('is not asked at %s', (url) => {
    const options = { env: {}, home: home.path, server: url, deadline: 0 };
    expect(() => new TrustServer('registry.example/acme/app', options)).toThrow();
  });
});

describe('a repository that only we can make', () => {
  it('with thresholds of two is read by us and by the notary client', async () => {
    const trust = open(nextName());
    const roots = [1, 2, 3].map(() => SoftwareSigner.make().certified(trust.repository));
    const people = [SoftwareSigner.make(), SoftwareSigner.make('ed25519'), SoftwareSigner.make()];
    const repo = made(trust.repository, await trust.serverKey('timestamp'), roots);
    repo.roles.root.threshold = 2;
    repo.roles.root.signing = roots.slice(1);
    repo.delegate('targets/releases', people, { threshold: 2 });
    repo.role('targets/releases').signing = people.slice(0, 2);
    repo.sign('targets/releases', 'v1', 'a').publish({ root: true });
    await trust.upload(partsOf(repo));
    expect(signedTags(await read(trust)).map(({ tag, from }) => [tag, from])).toEqual([
      ['v1', 'targets/releases'],
    ]);
    using client = new NotaryClient(server);
    expect(await client.must('list', trust.repository)).toContain('a'.repeat(64));
  });

  it('with an expired delegation loses its tags for both', async () => {
    const trust = open(nextName());
    const repo = made(trust.repository, await trust.serverKey('timestamp'));
    repo
      .delegate('targets/alice', [SoftwareSigner.make()])
      .sign('targets/alice', 'v1', 'a')
      .sign('targets', 'v2', 'b');
    // The server takes nothing that has expired already.
    const expires = Math.ceil(Date.now() / 1000 + 1) * 1000;
    repo.role('targets/alice').expires = notaryTime(new Date(expires));
    await trust.upload(partsOf(repo.publish({ root: true })));
    await delay(expires - Date.now() + 1);
    const view = await read(trust);
    expect([view.faults.get('targets/alice')?.problem, view.delegations.size]).toEqual(['expired', 0]);
    using client = new NotaryClient(server);
    const listed = await client.must('list', trust.repository);
    expect([listed.includes('v1'), listed.includes('v2')]).toEqual([false, true]);
  });

  it('is the one that the server stored when its snapshot is the server’s', async () => {
    const trust = open(nextName());
    const repo = made(trust.repository, await trust.serverKey('timestamp'));
    repo.roles.snapshot.members = [SoftwareSigner.publicOnly(await trust.serverKey('snapshot'))];
    repo.roles.snapshot.signing = [];
    repo.sign('targets', 'a<b>&c "d" \\ é \u2028', 'a').publish({ root: true });
    await trust.upload(partsOf(repo, 'root', 'targets'));
    expect(signedTags(await read(trust)).map(({ tag }) => tag)).toEqual(['a<b>&c "d" \\ é \u2028']);
  });
});
