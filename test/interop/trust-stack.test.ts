/** The parts of Docker Content Trust that other tests build on, with stock tools only: each does here what it is for. */
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DockerClient, dockerPrograms } from '../support/docker-client.js';
import { DockerEngine } from '../support/docker-engine.js';
import { DockerRegistry } from '../support/docker-registry.js';
import { NotaryClient } from '../support/notary-client.js';
import { NotaryServer } from '../support/notary-server.js';
import { NotarySigner } from '../support/notary-signer.js';
import { PostgresServer } from '../support/postgres-server.js';
import { TempFolder } from '../support/temp-folder.js';
import { TestAuthority } from '../support/test-authority.js';
import { importTinyImage } from '../support/tiny-image.js';
import { TokenServer } from '../support/token-server.js';

const HASH = 'a'.repeat(64);
const ALICE = 'alice:wonderland';

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

/** A repository with the tag v1. */
async function published(client: NotaryClient, gun: string): Promise<void> {
  await client.must('init', gun);
  await client.must('addhash', gun, 'v1', '423', '--sha256', HASH);
  await client.must('publish', gun);
}

describe('notary', () => {
  it('publishes through a server and its signer', async () => {
    using client = new NotaryClient(server);
    await published(client, 'registry.example/acme/app');
    await client.must('key', 'rotate', 'registry.example/acme/app', 'snapshot', '-r');
    using reader = new NotaryClient(server);
    expect(await reader.must('list', 'registry.example/acme/app')).toContain(HASH);
  });

  it('publishes through a server that keeps keys itself and metadata in PostgreSQL', async () => {
    await using database = await PostgresServer.start();
    await using own = await NotaryServer.start({ authority, trustService: 'local', database: database.url });
    using client = new NotaryClient(own);
    await published(client, 'registry.example/acme/app');
    expect(await client.must('list', 'registry.example/acme/app')).toContain(HASH);
    expect(await database.query("SELECT count(*) FROM tuf_files WHERE role = 'timestamp'")).toBe('1');
    await database.stop();
    expect((await client.run('publish', 'registry.example/acme/app')).status).not.toBe(0);
    await database.restart();
    await client.must('addhash', 'registry.example/acme/app', 'v2', '423', '--sha256', HASH, '-p');
  });

  it('publishes with a token, and not without', async () => {
    await using tokens = await TokenServer.start({ authority, users: { alice: 'wonderland' } });
    await using guarded = await NotaryServer.start({ authority, trustService: 'local', tokens });
    using client = new NotaryClient(guarded, { login: ALICE });
    await published(client, 'registry.example/acme/app');
    using stranger = new NotaryClient(guarded, { login: 'alice:looking-glass' });
    await stranger.must('list', 'registry.example/acme/app');
    const refused = await stranger.run('init', 'registry.example/acme/other', '-p');
    expect(refused.status).not.toBe(0);
    expect(refused.stderr + refused.stdout).toContain('unauthorized');
  });
});

describe('docker', () => {
  it.each(dockerPrograms())('$version shows what is signed', async (program) => {
    const gun = `localhost:5000/acme/app-${program.version.replaceAll(/[^a-z0-9]/g, '-')}`;
    using client = new NotaryClient(server);
    await published(client, gun);
    using docker = new DockerClient({ server, program });
    const [inspected] = JSON.parse(await docker.must('trust', 'inspect', gun)) as readonly object[];
    expect(inspected).toMatchObject({ Name: gun, SignedTags: [{ SignedTag: 'v1', Digest: HASH }] });
    expect(existsSync(docker.trustDir)).toBe(true);
  });

  it('runs an engine that asks an authorization plugin', async () => {
    using folder = new TempFolder();
    const plugin = createServer((request, response) => {
      const isActivation = request.url === '/Plugin.Activate';
      request.resume();
      response.end(
        JSON.stringify(isActivation ? { Implements: ['authz'] } : { Allow: false, Msg: 'not today' }),
      );
    });
    const socket = folder.join('authz.sock');
    await new Promise<void>((resolve) => plugin.listen(socket, resolve));
    await using engine = await DockerEngine.start({ authorizationSocket: socket });
    const refused = await engine.docker(['create', 'anything']);
    expect(refused.stderr).toContain('authorization denied by plugin touchstone-authz: not today');
    plugin.closeAllConnections();
    await new Promise((resolve) => plugin.close(resolve));
  });

  it.each(dockerPrograms())('$version pushes, pulls and refuses through a real engine', async (program) => {
    await using engine = await DockerEngine.start();
    await using tokens = await TokenServer.start({ authority, users: { alice: 'wonderland' } });
    await using registry = await DockerRegistry.start({ tokens });
    const login = { registry: registry.host, userPassword: ALICE };
    using docker = new DockerClient({ server, program, engine: engine.host, login });
    const image = `${registry.host}/acme/app`;
    await importTinyImage(engine, `${image}:v1`, 'hello from v1');
    expect(await docker.must('push', `${image}:v1`)).toContain('Successfully signed');
    await engine.docker(['tag', `${image}:v1`, `${image}:unsigned`]);
    expect((await docker.untrusted('push', `${image}:unsigned`)).status).toBe(0);
    await engine.docker(['rmi', `${image}:v1`, `${image}:unsigned`]);

    await docker.must('pull', `${image}:v1`);
    expect(await docker.must('run', '--rm', '--network', 'none', `${image}:v1`)).toBe('hello from v1\n');
    const refused = await docker.run('pull', `${image}:unsigned`);
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain('No valid trust data for unsigned');
  });
});
