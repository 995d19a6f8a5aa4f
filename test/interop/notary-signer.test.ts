/** A real notary-server whose timestamp and snapshot keys are keys of a real agent, used through the real notary client. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startDemoAgent, type DemoAgent } from '../support/demo-agent.js';
import { NotaryClient } from '../support/notary-client.js';
import { NotaryGateway } from '../support/notary-gateway.js';
import { NotaryServer } from '../support/notary-server.js';
import { TestAuthority } from '../support/test-authority.js';

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
