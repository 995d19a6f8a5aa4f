/** New keys for every role, and repositories past their date, with the stock client as the reader whose cache is old. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readEnvelope } from '../../src/formats/notary1/reader.js';
import { rootCertificateOf } from '../../src/formats/notary1/root-certificate.js';
import { TrustServer } from '../../src/trust/server.js';
import { NotaryClient } from '../support/notary-client.js';
import { TrustStack, type TrustPublisher } from '../support/trust-stack.js';

let stack: TrustStack;
let alice: TrustPublisher;
let token: string;
beforeAll(async () => {
  stack = await TrustStack.start();
  alice = await stack.publisher();
  const listed = JSON.parse(await alice.agent.must(['token', 'list', '--json'])) as {
    readonly tokens: readonly { readonly name: string }[];
  };
  token = listed.tokens[0]?.name ?? '';
});
afterAll(async () => {
  await alice[Symbol.asyncDispose]();
  await stack[Symbol.asyncDispose]();
});

/** A second root key of the repository on the token. */
async function secondRoot(gun: string): Promise<string> {
  const name = `${gun}#root:1`;
  await alice.agent.must(['key', 'create', name, '--token', token, '--pin-file', alice.agent.pinFile]);
  return name;
}

describe.each(['--server-snapshot', '--client-snapshot'])('%s', (snapshot) => {
  it('every role gets a new key, twice, and a reader who saw nothing of it follows', async () => {
    const gun = `localhost:5000/rotation/all${snapshot}`;
    using notary = new NotaryClient(stack.server);
    await alice.must('init', gun, snapshot);
    await alice.sign(`${gun}:v1`, 'a');
    await notary.must('list', gun);
    const root = await secondRoot(gun);
    await alice.must('key', 'rotate', gun, 'root', '--root-key', root);
    await alice.must('key', 'rotate', gun, 'targets');
    await alice.must('key', 'rotate', gun, 'snapshot');
    await alice.must('key', 'rotate', gun, 'timestamp');
    await alice.must('key', 'rotate', gun, 'root', '--root-key', `${gun}#root`);
    await alice.sign(`${gun}:v1`, 'b');
    expect(await notary.must('list', gun)).toMatch(/v1 +b{64}/);
    using fresh = new NotaryClient(stack.server);
    expect(await fresh.must('list', gun)).toMatch(/v1 +b{64}/);
  });
});

it('the snapshot key changes hands, both ways', async () => {
  const gun = 'localhost:5000/rotation/hands';
  using notary = new NotaryClient(stack.server);
  await alice.must('init', gun, '--server-snapshot');
  await alice.sign(`${gun}:v1`, 'a');
  await notary.must('list', gun);
  await alice.must('key', 'rotate', gun, 'snapshot', '--client-snapshot');
  await alice.sign(`${gun}:v1`, 'b');
  expect(await notary.must('list', gun)).toMatch(/v1 +b{64}/);
  await alice.must('key', 'rotate', gun, 'snapshot', '--server-snapshot');
  await alice.sign(`${gun}:v1`, 'c');
  expect(await notary.must('list', gun)).toMatch(/v1 +c{64}/);
});

it('two root keys have to sign', async () => {
  const gun = 'localhost:5000/rotation/two';
  using notary = new NotaryClient(stack.server);
  const root = await secondRoot(gun);
  const roots = ['--root-key', `${gun}#root`, '--root-key', root, '--threshold', '2'];
  await alice.must('init', gun, ...roots);
  await alice.sign(`${gun}:v1`, 'a');
  expect(await notary.must('list', gun)).toMatch(/v1 +a{64}/);
  await alice.must('key', 'rotate', gun, 'targets');
  expect(await notary.must('list', gun)).toMatch(/v1 +a{64}/);
  await alice.must('key', 'rotate', gun, 'root', '--root-key', `${gun}#root`, '--threshold', '1', '--renew');
  await alice.sign(`${gun}:v2`, 'c');
  expect(await notary.must('list', gun)).toMatch(/v2 +c{64}/);
});

it('a signer gets a new leaf', async () => {
  const gun = 'localhost:5000/rotation/signer';
  using notary = new NotaryClient(stack.server);
  await alice.must('init', gun);
  await alice.must('signer', 'add', gun, 'alice');
  await alice.sign(`${gun}:v1`, 'a', '--as', 'alice');
  await alice.must('key', 'rotate', gun, 'targets/alice');
  await alice.must('key', 'rotate', gun, 'targets/releases');
  await alice.sign(`${gun}:v1`, 'b', '--as', 'alice');
  expect(await notary.must('list', gun, '-r', 'targets/alice')).toMatch(/v1 +b{64}/);
  expect(await notary.must('list', gun, '-r', 'targets/releases')).toMatch(/v1 +b{64}/);
});

it('what will expire is renewed, certificates included', async () => {
  const gun = 'localhost:5000/rotation/expired';
  await alice.must('init', gun, '--client-snapshot', '--days', '100');
  await alice.sign(`${gun}:v1`, 'a', '--days', '100');
  using notary = new NotaryClient(stack.server);
  await notary.must('list', gun);
  await alice.must('heal', gun, '--within', '120');
  expect(await notary.must('list', gun)).toMatch(/v1 +a{64}/);
  const server = new TrustServer(gun, {
    env: {},
    home: alice.agent.folder,
    server: stack.server.url,
    ca: readFileSync(stack.authority.certificate, 'utf8'),
    deadline: Date.now() + 20_000,
  });
  const { document } = readEnvelope((await server.fetch('root')) ?? Buffer.alloc(0), 'root');
  const [key] = document.roles.root.keyids.map((id) => document.keys.get(id));
  if (key === undefined) throw new Error('the root has no key');
  const years = (rootCertificateOf(key).notAfter.getTime() - Date.now()) / (365 * 86_400_000);
  expect(years).toBeGreaterThan(9);
});
