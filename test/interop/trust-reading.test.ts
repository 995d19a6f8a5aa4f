/** Repositories that the real notary and docker clients made on a real server, read by ours; and the CLI on top. */
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DockerClient, dockerPrograms } from '../support/docker-client.js';
import { NotaryClient } from '../support/notary-client.js';
import { NotaryServer } from '../support/notary-server.js';
import { NotarySigner } from '../support/notary-signer.js';
import { SoftwareSigner } from '../support/software-signer.js';
import { TestAuthority } from '../support/test-authority.js';
import { TrustReader } from '../support/trust-reader.js';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);
const NAME = 'localhost:5000/acme/app';
let count = 0;

let authority: TestAuthority;
let signer: NotarySigner;
let server: NotaryServer;
beforeAll(async () => {
  authority = new TestAuthority();
  signer = await NotarySigner.start(authority);
  server = await NotaryServer.start({ authority, trustService: signer });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await signer[Symbol.asyncDispose]();
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

/** A key of a person: imported into the client, its public half in a file. */
async function person(client: NotaryClient, name: string): Promise<string> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = client.folder.join(`${name}-key.pem`);
  writeFileSync(key, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
  const file = client.folder.join(`${name}.pem`);
  writeFileSync(file, publicKey.export({ format: 'pem', type: 'spki' }));
  await client.must('key', 'import', key, '--role', name);
  return file;
}

/** Alice and Bob as signers, their keys in this client. */
async function withSigners(client: NotaryClient, gun: string): Promise<Readonly<Record<string, string>>> {
  const files = { alice: await person(client, 'alice'), bob: await person(client, 'bob') };
  for (const [name, file] of Object.entries(files)) {
    await client.must('delegation', 'add', gun, `targets/${name}`, file, '--all-paths');
    await client.must('delegation', 'add', gun, 'targets/releases', file, '--all-paths');
  }
  await client.must('publish', gun);
  return files;
}

/** The tag in these roles. */
function add(
  client: NotaryClient,
  gun: string,
  tag: string,
  digest: string,
  ...roles: readonly string[]
): Promise<string> {
  const flags = roles.flatMap((role) => ['-r', role]);
  return client.must('addhash', gun, tag, '423', '--sha256', digest, ...flags, '-p');
}

function sorted(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  return [...(value as unknown[])].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

describe('a repository of the notary client', () => {
  it.each(['client', 'server'])(
    'with the snapshot key at the %s is listed as it is there',
    async (keeper) => {
      using client = new NotaryClient(server);
      using reader = new TrustReader(server);
      const gun = nextName();
      await published(client, gun);
      if (keeper === 'server') await client.must('key', 'rotate', gun, 'snapshot', '-r');
      await client.must('addhash', gun, 'v2 <&> "quoted"', '7', '--sha256', B, '-p');
      expect(await reader.json('list', gun)).toMatchObject({
        repository: gun,
        tags: [
          { tag: 'v1', digest: `sha256:${A}`, size: 423, from: 'targets', approvals: [], others: [] },
          { tag: 'v2 <&> "quoted"', digest: `sha256:${B}`, size: 7 },
        ],
      });
      expect(await reader.must('lookup', gun, 'v1')).toBe(`v1 sha256:${A} 423\n`);
      expect(await reader.refusal('lookup', gun, 'v3')).toEqual([6, 'notary.unsigned']);
      expect(await reader.refusal('list', `${gun}-none`)).toEqual([6, 'notary.missing']);
    },
  );

  it('is followed over rotated roots, targets and timestamps, with what was seen before', async () => {
    using client = new NotaryClient(server);
    using reader = new TrustReader(server);
    const gun = nextName();
    await published(client, gun);
    await reader.must('list', gun);
    await client.confirm('key', 'rotate', gun, 'root');
    await client.must('key', 'rotate', gun, 'targets');
    await client.confirm('key', 'rotate', gun, 'root');
    await client.must('key', 'rotate', gun, 'timestamp', '-r');
    await add(client, gun, 'v2', B);
    const { stdout, stderr } = await reader.run('list', gun);
    expect(stdout).toContain(`v2   sha256:${B}`);
    expect(stderr).toBe('');
    const { roles } = await reader.json('inspect', gun);
    expect(roles).toMatchObject([
      { role: 'root', version: 5 },
      { role: 'targets' },
      { role: 'snapshot' },
      { role: 'timestamp' },
    ]);
  });

  it('under a wildcard certificate of an authority is read with that authority pinned', async () => {
    const ca = SoftwareSigner.make();
    const root = SoftwareSigner.make();
    using client = new NotaryClient(server);
    using reader = new TrustReader(server);
    const gun = nextName();
    const options = { issuer: ca, issuerName: 'acme ca' };
    const certificate = client.folder.join('root.crt');
    writeFileSync(certificate, root.certificate('localhost:5000/acme/*', options));
    const key = encryptedRootKey(client, root);
    await client.must('init', gun, '--rootkey', key, '--rootcert', certificate, '-p');
    const trusted = reader.folder.join('acme.pem');
    writeFileSync(trusted, ca.certificate('acme ca', { profile: 'authority' }));
    await reader.must('pin', 'localhost:5000/acme/*', '--root-ca', trusted);
    expect((await reader.run('list', gun, '--no-tofu')).stdout).toBe('nothing is signed\n');
    expect((await reader.json('inspect', gun))['anchor']).toMatch(/^authority [0-9a-f]{64}$/);
    const other = nextName();
    await published(client, other);
    expect(await reader.refusal('list', other)).toEqual([6, 'notary.pin']);
  });

  it('is pinned as it is in force, before and after a rotation', async () => {
    using client = new NotaryClient(server);
    using reader = new TrustReader(server);
    const gun = nextName();
    await published(client, gun);
    await reader.must('pin', gun);
    await client.confirm('key', 'rotate', gun, 'root');
    expect(await reader.must('list', gun, '--no-tofu')).toContain('v1');
    const before = await reader.must('pin');
    await reader.must('pin', gun);
    expect(await reader.must('pin')).not.toBe(before);
    expect(await reader.must('list', gun, '--no-tofu')).toContain('v1');
  });
});

/** As the client takes root keys: encrypted, and with their role. */
function encryptedRootKey(client: NotaryClient, signer: SoftwareSigner): string {
  const encrypted = execFileSync(
    'openssl',
    [
      ...['pkcs8', '-topk8', '-v2', 'aes-256-cbc', '-v2prf', 'hmacWithSHA1'],
      '-passout',
      `pass:${client.passphrase}`,
    ],
    { input: signer.privatePem, encoding: 'utf8' },
  );
  const file = client.folder.join('root-key.pem');
  writeFileSync(file, encrypted.replace('-----\n', '-----\nrole: root\n\n'), { mode: 0o600 });
  return file;
}

describe('signers', () => {
  it('are shown as docker shows them', async () => {
    using client = new NotaryClient(server);
    using reader = new TrustReader(server);
    using docker = new DockerClient({ server });
    const gun = nextName();
    await published(client, gun);
    await withSigners(client, gun);
    await add(client, gun, 'v1', A, 'targets/alice', 'targets/releases');
    await add(client, gun, 'v2', B, 'targets/alice', 'targets/bob', 'targets/releases');
    await add(client, gun, 'v1', B, 'targets/bob');
    await add(client, gun, 'hidden', A, 'targets/bob');
    const [theirs] = JSON.parse(await docker.must('trust', 'inspect', gun)) as Record<string, unknown>[];
    const [ours] = JSON.parse(await reader.must('inspect', '--docker', gun)) as Record<string, unknown>[];
    for (const field of ['Name', 'SignedTags', 'Signers', 'AdministrativeKeys']) {
      expect(sorted(ours?.[field])).toEqual(sorted(theirs?.[field]));
    }
    const { tags } = (await reader.json('inspect', `${gun}:v1`)) as { tags: readonly object[] };
    expect(tags).toMatchObject([
      {
        tag: 'v1',
        from: 'targets/releases',
        approvals: [{ role: 'targets/alice' }],
        others: [{ role: 'targets/bob' }],
      },
    ]);
    expect(await reader.must('list', '--role', 'targets/bob', gun)).toContain('hidden');
    expect(await reader.refusal('list', '--role', 'targets/nobody', gun)).toEqual([1, 'notary.role']);
  });

  it.each(dockerPrograms())(
    'that docker $version has added are shown as docker shows them',
    async (program) => {
      using docker = new DockerClient({ server, program });
      using reader = new TrustReader(server);
      const gun = nextName();
      for (const name of ['alice', 'bob']) {
        await docker.must('trust', 'key', 'generate', name, '--dir', docker.folder.path);
        await docker.must('trust', 'signer', 'add', '--key', docker.folder.join(`${name}.pub`), name, gun);
      }
      const theirs = JSON.parse(await docker.must('trust', 'inspect', gun)) as object[];
      const ours = JSON.parse(await reader.must('inspect', '--docker', gun)) as object[];
      const normal = (views: readonly object[]): unknown =>
        views.map((view) => Object.values(view).map(sorted));
      expect(normal(ours)).toEqual(normal(theirs));
      const { anchor, roles } = (await reader.json('inspect', gun)) as {
        anchor: string;
        roles: readonly object[];
      };
      expect(anchor).toBe('first-use');
      expect(roles).toContainEqual(
        expect.objectContaining({ role: 'targets/alice', problem: 'not-published' }),
      );
    },
  );

  it('with a certificate, only some paths, and nothing published are what docker takes them for', async () => {
    using client = new NotaryClient(server);
    using reader = new TrustReader(server);
    const gun = nextName();
    await published(client, gun);
    const { alice } = await withSigners(client, gun);
    await client.must('delegation', 'add', gun, 'targets/narrow', alice ?? '', '--paths', 'v2');
    await client.must('publish', gun);
    const { roles } = (await reader.json('inspect', gun)) as {
      roles: readonly { role: string; problem?: string; paths?: string[] }[];
    };
    expect(roles.find(({ role }) => role === 'targets/narrow')).toMatchObject({
      paths: ['v2'],
      problem: 'not-published',
    });
  });

  it('decide by teams, live and from a saved copy', async () => {
    using client = new NotaryClient(server);
    using reader = new TrustReader(server);
    const gun = nextName();
    await published(client, gun);
    const files = await withSigners(client, gun);
    await add(client, gun, 'v1', A, 'targets/alice', 'targets/releases');
    const policy = reader.folder.join('teams.toml');
    writeFileSync(
      policy,
      [
        'version = 1',
        ...Object.entries(files).map(
          ([name, file]) => `people.${name}.key_files = [${JSON.stringify(file)}]`,
        ),
        'teams.dev = ["alice"]',
        'teams.qa = ["bob"]',
        '[[rule]]',
        'id = "production"',
        'environments = ["production"]',
        'repositories = ["localhost:5000/acme/*"]',
        'teams = ["dev", "qa"]',
      ].join('\n'),
    );
    const asked = ['verify', '--policy', policy, '--env', 'production'] as const;
    const refused = await reader.run(...asked, `${gun}:v1`);
    expect(refused.status).toBe(6);
    expect(refused.stderr).toContain('signed by dev (alice), missing qa');
    expect(await reader.refusal('verify', '--policy', policy, `${gun}:v1`)).toEqual([6, 'notary.team']);
    const copy = reader.folder.join('copy');
    await reader.must('save', gun, copy);
    await add(client, gun, 'v1', A, 'targets/bob');
    expect(await reader.must(...asked, `${gun}:v1`)).toBe(
      `${gun}@sha256:${A}\nrule "production" wants all of 2 teams: signed by dev (alice), qa (bob)\n`,
    );
    expect(await reader.refusal(...asked, '--from', copy, `${gun}:v1`)).toEqual([6, 'notary.rollback']);
    const now = new Date().toISOString();
    expect(await reader.refusal(...asked, '--from', copy, '--at', now, `${gun}:v1`)).toEqual([
      6,
      'notary.team',
    ]);
    await reader.must('save', gun, copy);
    await reader.must(...asked, '--from', copy, `${gun}@sha256:${A}`);
    expect(
      await reader.refusal(...asked, '--from', copy, '--at', '2060-01-01T00:00:00Z', `${gun}:v1`),
    ).toEqual([6, 'notary.expired']);
    const file = path.join(copy, 'metadata/targets/bob.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('423', '424'));
    expect(await reader.refusal(...asked, '--from', copy, `${gun}:v1`)).toEqual([6, 'notary.checksum']);
  });
});
