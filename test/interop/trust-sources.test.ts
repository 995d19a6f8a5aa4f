/** What is signed comes from a registry; who is asked for it, and repositories that time has run out for. */
import { execFileSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseImageReference } from '../../src/registry/image-reference.js';
import { INDEX_TYPE, readIndex } from '../../src/registry/manifest.js';
import { Repository } from '../../src/registry/repository.js';
import { AgentSigner } from '../../src/trust/agent-signer.js';
import { Journal } from '../../src/trust/journal.js';
import { PassingMemory } from '../../src/trust/memory.js';
import { PinSet } from '../../src/trust/pins.js';
import { Publisher } from '../../src/trust/publisher.js';
import { planWitness } from '../../src/trust/renewal.js';
import { TrustServer } from '../../src/trust/server.js';
import { readFileSync } from 'node:fs';
import { connectTo } from '../support/agent-client.js';
import { DockerRegistry } from '../support/docker-registry.js';
import { NotaryClient } from '../support/notary-client.js';
import { pushImage } from '../support/pushed-image.js';
import { digestOf, TrustStack, type TrustPublisher } from '../support/trust-stack.js';

/** A lifetime of two seconds, in days. */
const TWO_SECONDS = 2 / 86_400;

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

it('a tag of a registry, an index of several platforms, a digest', async () => {
  await using registry = await DockerRegistry.start();
  const gun = `${registry.host}/acme/app`;
  const repository = new Repository(parseImageReference(gun), {
    env: {},
    home: alice.agent.folder,
    deadline: Date.now() + 20_000,
  });
  const digest = await pushImage(repository, 'v1');
  const { descriptor } = await repository.manifest('v1');
  const index = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests: [descriptor] }),
  );
  await repository.putManifest('multi', INDEX_TYPE, index);
  expect(readIndex(index)).toHaveLength(1);
  await alice.must('init', gun);
  const signed = JSON.parse(await alice.must('sign', `${gun}:v1`, `${gun}:multi`, '--json')) as {
    readonly signed: readonly { readonly tag: string; readonly digest: string; readonly size: number }[];
  };
  expect(signed.signed).toMatchObject([
    { tag: 'v1', digest, size: descriptor.size },
    { tag: 'multi', size: index.length },
  ]);
  await alice.must('sign', `${gun}:stable@${digest}`);
  using notary = new NotaryClient(stack.server);
  const listed = await notary.must('list', gun);
  expect(listed).toMatch(new RegExp(`stable +${digest.slice('sha256:'.length)} +${descriptor.size}`));
  const missing = await alice.run('sign', `${gun}:v9`);
  expect(missing.stderr).toContain('the registry has no v9');
});

it.each([
  ['--server-snapshot', 'trust heal'],
  // Its server answers 500 to everybody, because it cannot sign the snapshot anew.
  ['--client-snapshot', 'status 500'],
])('%s: a repository past its date, which no stock tool can sign again', async (snapshot, words) => {
  const gun = `localhost:5000/sources/expired${snapshot}`;
  await alice.must('init', gun, snapshot);
  await alice.sign(`${gun}:v1`, 'a');
  using client = await connectTo(alice.agent);
  const server = new TrustServer(gun, {
    env: {},
    home: alice.agent.folder,
    server: stack.server.url,
    ca: readFileSync(stack.authority.certificate, 'utf8'),
    deadline: Date.now() + 30_000,
  });
  const publisher = new Publisher({
    server,
    signer: new AgentSigner(client, 20_000),
    journal: new Journal(`${alice.agent.folder}/short`, gun),
    reading: { pins: new PinSet([], true), memory: new PassingMemory(), tolerateExpired: true },
    keys: (all) => all,
    lifetimes: { root: 3650, targets: TWO_SECONDS, snapshot: TWO_SECONDS },
    deadline: Date.now() + 20_000,
  });
  await publisher.publish('short', (input) => planWitness(input, ['targets']));
  await delay(3_000);
  using notary = new NotaryClient(stack.server);
  expect((await notary.run('list', gun)).status).not.toBe(0);
  const refused = await alice.run('sign', `${gun}:v2`, '--digest', `sha256:${'b'.repeat(64)}`, '--size', '1');
  expect(refused.stderr).toContain(words);
  await alice.must('heal', gun);
  expect(await notary.must('list', gun)).toMatch(/v1 +a{64}/);
  await alice.sign(`${gun}:v2`, 'c');
});

it('a certificate that OpenSSL takes, and that init publishes', async () => {
  const gun = 'localhost:5000/sources/certificate';
  const pem = await alice.must('root-cert', gun);
  const text = execFileSync('openssl', ['x509', '-noout', '-subject', '-ext', 'basicConstraints,keyUsage'], {
    input: pem,
    encoding: 'utf8',
  });
  expect(text).toContain(gun);
  expect(text).toContain('CA:FALSE');
  await alice.must('init', gun);
  expect(await alice.must('root-cert', gun)).toBe(pem);
  const shown = JSON.parse(await alice.must('root-cert', gun, '--json')) as { readonly id: string };
  using notary = new NotaryClient(stack.server, {
    configuration: { trust_pinning: { certs: { [gun]: [shown.id] }, disable_tofu: true } },
  });
  expect(await notary.must('list', gun)).toContain('No targets present');
});

it('is deleted when its name is given, and begins again', async () => {
  const gun = 'localhost:5000/sources/deleted';
  await alice.must('init', gun);
  await alice.sign(`${gun}:v1`, 'a');
  expect((await alice.run('delete', gun, '--confirm', 'another')).status).toBe(2);
  await alice.must('delete', gun, '--confirm', gun);
  using notary = new NotaryClient(stack.server);
  expect((await notary.run('list', gun)).status).not.toBe(0);
  await alice.must('init', gun);
  await alice.sign(`${gun}:v1`, 'b');
  using fresh = new NotaryClient(stack.server);
  expect(await fresh.must('list', gun)).toMatch(/v1 +b{64}/);

  await alice.must('delete', gun, '--confirm', gun);
  const third = await alice.run('init', gun);
  expect(third.status).toBe(3);
  expect(third.stderr).toContain(`touchstone guard forget ${gun}`);
  await alice.agent.must(['guard', 'forget', gun, '--confirm', gun, ...alice.options]);
  expect(await alice.must('init', gun, '--json')).toContain('"version": 1');
});

it('only tags that are written out are signed, each with one digest', async () => {
  const gun = 'localhost:5000/sources/untagged';
  await alice.must('init', gun);
  const digest = ['--digest', digestOf('b'), '--size', '423'];
  for (const reference of [gun, `${gun}@${digestOf('b')}`]) {
    const untagged = await alice.run('sign', reference, ...digest);
    expect(untagged).toMatchObject({ status: 2 });
    expect(untagged.stderr).toContain(`touchstone trust sign ${gun}:TAG`);
  }
  const two = await alice.run('sign', `${gun}:v1@${digestOf('a')}`, ...digest);
  expect(two).toMatchObject({ status: 2 });
  expect(two.stderr).toContain('option --digest');
  expect(JSON.parse(await alice.must('list', gun, '--json'))).toMatchObject({ tags: [] });
});

it('a server of an unknown authority is named, with the option that adds it', async () => {
  const list = ['trust', 'list', 'localhost:5000/sources/authority', '--server', stack.server.url];
  const refused = await alice.agent.touchstone(list);
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain('its certificate is of no authority that is known here');
  expect(refused.stderr).toContain('--ca FILE adds its authority');
});

it('an environment without rules passes nothing', async () => {
  const gun = 'localhost:5000/sources/no-rules';
  await alice.must('init', gun);
  await alice.sign(`${gun}:v1`, 'a');
  await alice.must('verify', `${gun}:v1`);
  const refused = await alice.run('verify', '--env', 'production', `${gun}:v1`);
  expect(refused).toMatchObject({ status: 2, stdout: '' });
  expect(refused.stderr).toContain('option --env: it needs --policy');
});
