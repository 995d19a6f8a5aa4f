/** Publishing Docker Content Trust with the root on a token: through the real notary-server, read by the real tools. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DockerClient } from '../support/docker-client.js';
import { DockerEngine } from '../support/docker-engine.js';
import { DockerRegistry } from '../support/docker-registry.js';
import { NotaryClient } from '../support/notary-client.js';
import { NotaryServer } from '../support/notary-server.js';
import { importTinyImage } from '../support/tiny-image.js';
import { TokenServer } from '../support/token-server.js';
import { TrustPublisher, TrustStack } from '../support/trust-stack.js';

let stack: TrustStack;
let alice: TrustPublisher;
beforeAll(async () => {
  stack = await TrustStack.start();
  alice = await stack.publisher();
});
afterAll(async () => {
  await alice[Symbol.asyncDispose]();
  await stack[Symbol.asyncDispose]();
});

describe('a new repository', () => {
  it.each(['--server-snapshot', '--client-snapshot'])('%s: notary and docker read it', async (snapshot) => {
    const gun = `localhost:5000/acme/app${snapshot}`;
    await alice.must('init', gun, snapshot);
    using notary = new NotaryClient(stack.server);
    using docker = new DockerClient({ server: stack.server });
    await alice.sign(`${gun}:v1`, 'a');
    expect(await notary.must('list', gun)).toMatch(/v1 +a{64} +423 +targets/);
    const [inspected] = JSON.parse(await docker.must('trust', 'inspect', gun)) as readonly object[];
    expect(inspected).toMatchObject({ Name: gun, SignedTags: [{ SignedTag: 'v1', Digest: 'a'.repeat(64) }] });
    await alice.sign(`${gun}:v1`, 'b');
    await alice.sign(`${gun}:v2`, 'c');
    await alice.must('revoke', `${gun}:v2`);
    const listed = await notary.must('list', gun);
    expect(listed).toMatch(/v1 +b{64}/);
    expect(listed).not.toContain('v2');
  });
});

it('a real engine pulls what was signed without one, and nothing else; both servers want a login', async () => {
  const { authority } = stack;
  await using tokens = await TokenServer.start({ authority, users: { alice: 'wonderland' } });
  await using server = await NotaryServer.start({ authority, trustService: 'local', tokens });
  await using registry = await DockerRegistry.start({ tokens });
  await using engine = await DockerEngine.start();
  const login = { registry: registry.host, userPassword: 'alice:wonderland' };
  using docker = new DockerClient({ server, engine: engine.host, login });
  const image = `${registry.host}/acme/app`;
  for (const tag of ['v1', 'unsigned']) {
    await importTinyImage(engine, `${image}:${tag}`, `hello from ${tag}`);
    expect((await docker.untrusted('push', `${image}:${tag}`)).status).toBe(0);
    await engine.docker(['rmi', `${image}:${tag}`]);
  }

  const config = `${alice.agent.folder}/docker`;
  mkdirSync(config, { recursive: true });
  const auth = Buffer.from(login.userPassword).toString('base64');
  writeFileSync(`${config}/config.json`, JSON.stringify({ auths: { [registry.host]: { auth } } }));
  const publisher = new TrustPublisher(alice.agent, server);
  const options = { environment: { ...alice.agent.environment, DOCKER_CONFIG: config }, timeoutMs: 60_000 };
  const anonymous = await publisher.run('init', image);
  expect(anonymous.stderr).toContain('docker login');
  await alice.agent.must(['trust', 'init', image, ...publisher.options], options);
  // The registry itself speaks plain HTTP, the server that gives it tokens does not.
  const plain = ['--plain-http', '--registry-ca', authority.certificate];
  await alice.agent.must(['trust', 'sign', `${image}:v1`, ...publisher.options, ...plain], options);

  await docker.must('pull', `${image}:v1`);
  const refused = await docker.run('pull', `${image}:unsigned`);
  expect(refused.status).not.toBe(0);
  expect(refused.stderr).toContain('No valid trust data for unsigned');
});
