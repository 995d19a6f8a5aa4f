/** Publishing Docker Content Trust with the root on a token: through the real notary-server, read by the real tools. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DockerClient } from '../support/docker-client.js';
import { NotaryClient } from '../support/notary-client.js';
import { digestOf, TrustStack, type TrustPublisher } from '../support/trust-stack.js';

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
    expect(digestOf('a')).toHaveLength(71);
  });
});
