/** Many publishers of one repository at once: nothing that a publisher called done is lost. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NotaryClient } from '../support/notary-client.js';
import { TrustStack, type TrustPublisher } from '../support/trust-stack.js';

const TAGS = ['one', 'two', 'three', 'four', 'five', 'six'] as const;

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

it.each(['--server-snapshot', '--client-snapshot'])('%s: one agent, six commands', async (snapshot) => {
  const gun = `localhost:5000/conflict/one${snapshot}`;
  await alice.must('init', gun, snapshot);
  await Promise.all(
    TAGS.map((tag, index) =>
      alice.sign(
        `${gun}:${tag}`,
        String(index + 1),
        '--trust-dir',
        `${alice.agent.folder}/${snapshot}${tag}`,
      ),
    ),
  );
  using notary = new NotaryClient(stack.server);
  const listed = await notary.must('list', gun);
  for (const [index, tag] of TAGS.entries()) {
    expect(listed).toMatch(new RegExp(`${tag} +${String(index + 1).repeat(64)}`));
  }
});

it('two agents that release through the same role', async () => {
  const gun = 'localhost:5000/conflict/two';
  await using bob = await stack.publisher();
  await alice.must('init', gun);
  await alice.must('signer', 'add', gun, 'alice');
  await bob.agent.derive(`${gun}#targets/bob`);
  await bob.agent.derive(`${gun}#targets/releases`);
  const files = ['bob', 'releases'].map((role) => `${bob.agent.folder}/${role}.pem`);
  const [bobFile = '', releaseFile = ''] = files;
  await bob.agent.must(['key', 'export', `${gun}#targets/bob`, '-o', bobFile]);
  await bob.agent.must(['key', 'export', `${gun}#targets/releases`, '-o', releaseFile]);
  await alice.must('signer', 'add', gun, 'bob', '--key', bobFile, '--release-key', releaseFile);
  await Promise.all(
    TAGS.slice(0, 4).map((tag, index) => {
      const [signer, name] = index % 2 === 0 ? ([alice, 'alice'] as const) : ([bob, 'bob'] as const);
      return signer.sign(`${gun}:${tag}`, String(index + 1), '--as', name);
    }),
  );
  using notary = new NotaryClient(stack.server);
  const listed = await notary.must('list', gun, '-r', 'targets/releases');
  for (const [index, tag] of TAGS.slice(0, 4).entries()) {
    expect(listed).toMatch(new RegExp(`${tag} +${String(index + 1).repeat(64)}`));
  }
});

it('the stock client in between', async () => {
  const gun = 'localhost:5000/conflict/stock';
  using notary = new NotaryClient(stack.server);
  await notary.must('init', gun);
  await notary.must('key', 'rotate', gun, 'snapshot', '-r');
  await notary.must('publish', gun);
  const key = `${alice.agent.folder}/stock.pem`;
  await alice.agent.derive(`${gun}#targets/alice`);
  await alice.agent.must(['key', 'export', `${gun}#targets/alice`, '-o', key]);
  await notary.must('delegation', 'add', gun, 'targets/alice', key, '--all-paths', '-p');
  const stock = (async (): Promise<void> => {
    for (const tag of TAGS)
      await notary.run('addhash', gun, `stock-${tag}`, '1', '--sha256', 'f'.repeat(64), '-p');
  })();
  for (const [index, tag] of TAGS.entries()) {
    await alice.sign(`${gun}:${tag}`, String(index + 1), '--as', 'alice');
  }
  await stock;
  using reader = new NotaryClient(stack.server);
  const listed = await reader.must('list', gun);
  for (const tag of TAGS) expect(listed).toContain(`${tag} `);
});
