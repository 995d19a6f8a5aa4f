/** Signers with an agent of their own, under a snapshot that the owner keeps: told beforehand who has to publish, and how that is changed. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NotaryClient } from '../support/notary-client.js';
import { digestOf, TrustStack, type TrustPublisher } from '../support/trust-stack.js';

const GUN = 'localhost:5000/delegates/app';

let stack: TrustStack;
let owner: TrustPublisher;
let carol: TrustPublisher;
beforeAll(async () => {
  stack = await TrustStack.start();
  [owner, carol] = await Promise.all([stack.publisher(), stack.publisher()]);
});
afterAll(async () => {
  await carol[Symbol.asyncDispose]();
  await owner[Symbol.asyncDispose]();
  await stack[Symbol.asyncDispose]();
});

it('are told who has to publish before anything is signed, and publish once the server keeps the snapshot', async () => {
  const files = [];
  for (const role of ['carol', 'releases']) {
    const file = `${carol.agent.folder}/${role}.pem`;
    await carol.agent.derive(`${GUN}#targets/${role}`);
    await carol.agent.must(['key', 'export', `${GUN}#targets/${role}`, '-o', file]);
    files.push(file);
  }
  const [key = '', release = ''] = files;
  await owner.must('init', GUN, '--client-snapshot');
  await owner.must('signer', 'add', GUN, 'carol', '--key', key, '--release-key', release);
  const argv = ['sign', `${GUN}:v1`, '--as', 'carol', '--digest', digestOf('a'), '--size', '423'];
  const refused = await carol.run(...argv);
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain('its owner keeps the key of the snapshot');
  const way = `trust key rotate ${GUN} snapshot --server-snapshot`;
  expect(refused.stderr).toContain(way);
  expect(await carol.agent.must(['guard', 'show', GUN])).toBe('nothing was signed yet\n');
  await owner.must(...way.split(' ').slice(1));
  await carol.must(...argv);
  using notary = new NotaryClient(stack.server);
  expect(await notary.must('list', GUN, '-r', 'targets/releases')).toMatch(/v1 +a{64}/);
});
