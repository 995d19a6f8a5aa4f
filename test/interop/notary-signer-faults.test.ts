/** Trouble around the signer for notary-servers: publishers at once, a database that stops, an agent that is killed. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentClient } from '../../src/client/client.js';
import type { Result } from '../../src/protocol/methods.js';
import { connectTo } from '../support/agent-client.js';
import { startDemoAgent, type DemoAgent } from '../support/demo-agent.js';
import { NotaryClient } from '../support/notary-client.js';
import { NotaryGateway } from '../support/notary-gateway.js';
import { NotaryServer } from '../support/notary-server.js';
import { PostgresServer } from '../support/postgres-server.js';
import { TestAuthority } from '../support/test-authority.js';

const HASH = 'a'.repeat(64);
const ROUNDS = 25;

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

/** A repository whose snapshot and timestamp keys are the server's. */
async function managedRepository(client: NotaryClient, gun: string): Promise<void> {
  await client.must('init', gun, '-p');
  await client.must('key', 'rotate', gun, 'snapshot', '-r');
}

function add(client: NotaryClient, gun: string, tag: string): ReturnType<NotaryClient['run']> {
  return client.run('addhash', gun, tag, '423', '--sha256', HASH, '-p');
}

/** Tags as a reader with nothing in its cache sees them. */
async function tagsOf(server: NotaryServer, gun: string): Promise<readonly string[]> {
  using reader = new NotaryClient(server);
  const lines = (await reader.must('list', gun)).split('\n').filter((line) => line.includes(HASH));
  return lines.map((line) => line.trim().split(/\s+/)[0] ?? '').sort();
}

async function guardOf(
  client: AgentClient,
  repository: string,
  role: string,
): Promise<Result<'guard.show'>['entries'][number] | undefined> {
  const { entries } = await client.call('guard.show', { repository });
  return entries.find((entry) => entry.role === role);
}

describe('two publishers at once', () => {
  it(`leave a repository that publishes again, ${ROUNDS} times over`, async () => {
    await using server = await NotaryServer.start({ authority, trustService: gateway });
    const gun = 'registry.example/acme/busy';
    using first = new NotaryClient(server);
    await managedRepository(first, gun);
    using second = new NotaryClient(server);
    second.takeKeysOf(first);
    let published = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const results = await Promise.all([add(first, gun, `a${round}`), add(second, gun, `b${round}`)]);
      published += results.filter(({ status }) => status === 0).length;
      for (const client of [first, second]) await client.run('reset', gun, '--all');
    }
    expect(published).toBeGreaterThanOrEqual(ROUNDS);
    const before = await tagsOf(server, gun);
    expect(before.length).toBe(published);
    await first.must('addhash', gun, 'last', '423', '--sha256', HASH, '-p');
    expect(await tagsOf(server, gun)).toContain('last');
    // The race that this is about did happen.
    expect(gateway.log().some((line) => line['msg'] === 'second content')).toBe(true);
  }, 180_000);
});

describe('a database that stops between sign and store', () => {
  it.each(['without', 'with'])(
    'leaves a repository that publishes again, %s a look at the server',
    async (look) => {
      await using database = await PostgresServer.start();
      await using server = await NotaryServer.start({
        authority,
        trustService: gateway,
        database: database.url,
      });
      const argv = ['--server', server.url, '--server-ca', authority.certificate];
      await using looking = await NotaryGateway.start({
        agent,
        authority,
        argv: look === 'with' ? argv : [],
      });
      await using behind = await NotaryServer.start({
        authority,
        trustService: looking,
        database: database.url,
      });
      const gun = `registry.example/acme/database-${look}`;
      using client = new NotaryClient(behind);
      await managedRepository(client, gun);
      await client.must('addhash', gun, 'v1', '423', '--sha256', HASH, '-p');

      const lock = await database.lock('tuf_files');
      const signed = looking.log().filter((line) => line['msg'] === 'Sign').length;
      const failing = add(client, gun, 'v2');
      await expect.poll(() => looking.log().filter((line) => line['msg'] === 'Sign').length).toBe(signed + 2);
      await database.stop();
      await lock.stop();
      expect((await failing).status).not.toBe(0);
      await database.restart();
      // Expiry has whole seconds: later content is other content.
      await delay(1_100);
      await client.must('publish', gun);
      expect(await tagsOf(behind, gun)).toEqual(['v1', 'v2']);
      expect(looking.log().filter((line) => line['msg'] === 'second content')).toHaveLength(2);
      using direct = await connectTo(agent);
      expect(await guardOf(direct, gun, 'snapshot')).toMatchObject({ signed: { contents: 2 } });
      await client.must('addhash', gun, 'v3', '423', '--sha256', HASH, '-p');
      expect(await tagsOf(behind, gun)).toEqual(['v1', 'v2', 'v3']);
      const published = (await guardOf(direct, gun, 'snapshot'))?.published;
      if (look === 'with') expect(published?.version).toBeGreaterThan(1);
      else expect(published).toBeNull();
    },
    90_000,
  );
});

describe('an agent', () => {
  it('that is killed and started again goes on with the keys it had', async () => {
    await using server = await NotaryServer.start({ authority, trustService: gateway });
    const gun = 'registry.example/acme/killed';
    using client = new NotaryClient(server);
    await managedRepository(client, gun);
    const before = await agent.must(['key', 'list', '--json']);
    process.kill(await agent.pid(), 'SIGKILL');
    const refused = await add(client, gun, 'v1');
    expect(refused.stderr + refused.stdout).toContain('Unavailable');
    await expect
      .poll(async () => (await agent.touchstone(['agent', 'start', '--allow-root'])).status)
      .toBe(0);
    const locked = await client.run('publish', gun);
    expect(locked.stderr + locked.stdout).toContain('touchstone unlock');
    await agent.unlock();
    await client.must('publish', gun);
    expect(await tagsOf(server, gun)).toEqual(['v1']);
    const names = (text: string): readonly string[] =>
      (JSON.parse(text) as { readonly keys: readonly { readonly name: string }[] }).keys.map(
        ({ name }) => name,
      );
    expect(names(await agent.must(['key', 'list', '--json']))).toEqual(names(before));
  }, 120_000);

  it('whose front is killed is not even missed', async () => {
    await using server = await NotaryServer.start({ authority, trustService: gateway });
    const gun = 'registry.example/acme/front';
    using client = new NotaryClient(server);
    await managedRepository(client, gun);
    const { frontPid } = JSON.parse(await agent.must(['agent', 'status', '--json'])) as {
      readonly frontPid: number;
    };
    process.kill(frontPid, 'SIGKILL');
    await client.must('addhash', gun, 'v1', '423', '--sha256', HASH, '-p');
    expect(await tagsOf(server, gun)).toEqual(['v1']);
  }, 120_000);
});

it('the gateway stops when it is told to, and ends calls in work first', async () => {
  await using own = await NotaryGateway.start({ agent, authority });
  await using server = await NotaryServer.start({ authority, trustService: own });
  using client = new NotaryClient(server);
  const publishing = client.run('init', 'registry.example/acme/stopping', '-p');
  await expect.poll(() => own.log().some((line) => line['msg'] === 'CreateKey')).toBe(true);
  await own.stop();
  expect(own.hasEnded).toBe(true);
  expect(own.log().at(-1)).toMatchObject({ msg: 'stopped' });
  await publishing;
});
