/** A real notary-server whose timestamp and snapshot keys are keys of a real agent, used through the real notary client. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DockerClient, dockerPrograms } from '../support/docker-client.js';
import { DockerEngine } from '../support/docker-engine.js';
import { DockerRegistry } from '../support/docker-registry.js';
import { startDemoAgent, type DemoAgent } from '../support/demo-agent.js';
import { NotaryClient } from '../support/notary-client.js';
import { NotaryGateway } from '../support/notary-gateway.js';
import { NotaryServer } from '../support/notary-server.js';
import { TestAuthority } from '../support/test-authority.js';
import { importTinyImage } from '../support/tiny-image.js';

const HASH = 'a'.repeat(64);

let authority: TestAuthority;
let agent: DemoAgent;
let gateway: NotaryGateway;
beforeAll(async () => {
  authority = new TestAuthority();
  agent = await startDemoAgent();
  gateway = await NotaryGateway.start({ agent, authority });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await agent[Symbol.asyncDispose]();
  authority[Symbol.dispose]();
});

describe.each(['ecdsa', 'ed25519'] as const)('keys of %s', (algorithm) => {
  it('sign what stock clients publish, list and rotate', async () => {
    await using server = await NotaryServer.start({
      authority,
      trustService: { port: gateway.port, algorithm },
    });
    using client = new NotaryClient(server);
    const gun = `registry.example/acme/${algorithm}`;
    await client.must('init', gun);
    await client.must('addhash', gun, 'v1', '423', '--sha256', HASH);
    await client.must('publish', gun);
    await client.must('key', 'rotate', gun, 'snapshot', '-r');
    await client.must('addhash', gun, 'v2', '423', '--sha256', HASH, '-p');
    await client.must('key', 'rotate', gun, 'timestamp', '-r');
    await client.must('addhash', gun, 'v3', '423', '--sha256', HASH, '-p');
    using reader = new NotaryClient(server);
    expect(await reader.must('list', gun)).toMatch(/v1[^]*v2[^]*v3/);
  });
});

it.each(dockerPrograms())('docker $version signs on push and verifies on pull', async (program) => {
  await using server = await NotaryServer.start({ authority, trustService: gateway });
  await using registry = await DockerRegistry.start();
  await using engine = await DockerEngine.start();
  using docker = new DockerClient({ server, program, engine: engine.host });
  const image = `${registry.host}/acme/app`;
  await importTinyImage(engine, `${image}:v1`, 'signed by way of the agent');
  expect(await docker.must('push', `${image}:v1`)).toContain('Successfully signed');
  await engine.docker(['rmi', `${image}:v1`]);

  await docker.must('pull', `${image}:v1`);
  expect(await docker.must('run', '--rm', '--network', 'none', `${image}:v1`)).toBe(
    'signed by way of the agent\n',
  );
  const log = await agent.must(['audit', 'show', '--key', `${image}#snapshot`]);
  expect(log).toContain('notary.snapshot version 1');
});
