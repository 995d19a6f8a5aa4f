/** Several signers of one repository: ours and those of the real docker CLI, side by side. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DockerClient, dockerPrograms } from '../support/docker-client.js';
import { NotaryClient } from '../support/notary-client.js';
import { TrustStack, type TrustPublisher } from '../support/trust-stack.js';

let stack: TrustStack;
let owner: TrustPublisher;
beforeAll(async () => {
  stack = await TrustStack.start();
  owner = await stack.publisher();
});
afterAll(async () => {
  await owner[Symbol.asyncDispose]();
  await stack[Symbol.asyncDispose]();
});

interface Inspected {
  readonly SignedTags: readonly {
    readonly SignedTag: string;
    readonly Digest: string;
    readonly Signers: readonly string[];
  }[];
  readonly Signers: readonly { readonly Name: string }[];
}

async function inspect(docker: DockerClient, gun: string): Promise<Inspected> {
  const [inspected] = JSON.parse(await docker.must('trust', 'inspect', gun)) as readonly Inspected[];
  if (inspected === undefined) throw new Error('nothing inspected');
  return inspected;
}

/** A docker user with a key; answers the file of the public half. */
async function dockerKey(docker: DockerClient, name: string): Promise<string> {
  mkdirSync(docker.trustDir, { recursive: true, mode: 0o700 });
  await docker.must('trust', 'key', 'generate', name);
  return docker.folder.join(`${name}.pub`);
}

describe('signers', () => {
  it.each(dockerPrograms())(
    'approve what others signed, ours and those of docker $version',
    async (program) => {
      const gun = `localhost:5000/signers/approve-${program.version.replaceAll(/[^a-z0-9]/g, '-')}`;
      using bob = new DockerClient({ server: stack.server, program });
      const bobKey = await dockerKey(bob, 'bob');
      expect(readFileSync(bobKey, 'utf8')).toContain('role: bob');
      await owner.must('init', gun);
      await owner.sign(`${gun}:v1`, 'a');
      await owner.must('signer', 'add', gun, 'alice');
      await owner.must('signer', 'add', gun, 'bob', '--key', bobKey);
      expect((await inspect(bob, gun)).SignedTags).toEqual([
        { SignedTag: 'v1', Digest: 'a'.repeat(64), Signers: ['Repo Admin'] },
      ]);
      // Docker approves by tag, without an engine, because somebody signed it before.
      await bob.must('trust', 'sign', `${gun}:v1`);
      await owner.sign(`${gun}:v1`, 'a', '--as', 'alice');
      const { SignedTags, Signers } = await inspect(bob, gun);
      expect(SignedTags).toEqual([{ SignedTag: 'v1', Digest: 'a'.repeat(64), Signers: ['alice', 'bob'] }]);
      expect(Signers.map(({ Name }) => Name).sort()).toEqual(['alice', 'bob']);
    },
  );

  it('move a tag everywhere, so that docker approves the new image and not the old one', async () => {
    const gun = 'localhost:5000/signers/move';
    using bob = new DockerClient({ server: stack.server });
    const bobKey = await dockerKey(bob, 'bob');
    using notary = new NotaryClient(stack.server);
    await owner.must('init', gun);
    await owner.sign(`${gun}:v1`, 'a');
    await owner.must('signer', 'add', gun, 'alice');
    await owner.must('signer', 'add', gun, 'bob', '--key', bobKey);
    await owner.sign(`${gun}:v1`, 'b', '--as', 'alice');
    expect(await notary.must('list', gun)).not.toContain('a'.repeat(64));
    await bob.must('trust', 'sign', `${gun}:v1`);
    expect((await inspect(bob, gun)).SignedTags).toEqual([
      { SignedTag: 'v1', Digest: 'b'.repeat(64), Signers: ['alice', 'bob'] },
    ]);
  });

  it('have to say who they are', async () => {
    const gun = 'localhost:5000/signers/who';
    await owner.must('init', gun);
    await owner.must('signer', 'add', gun, 'alice');
    const refused = await owner.run(
      'sign',
      `${gun}:v1`,
      '--digest',
      `sha256:${'a'.repeat(64)}`,
      '--size',
      '1',
    );
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain('who signs?');
    expect(refused.stderr).toContain('--as alice');
  });

  it('leave with everything that hangs on them', async () => {
    const gun = 'localhost:5000/signers/leave';
    using bob = new DockerClient({ server: stack.server });
    const bobKey = await dockerKey(bob, 'bob');
    await owner.must('init', gun);
    await owner.must('signer', 'add', gun, 'alice');
    await owner.must('signer', 'add', gun, 'bob', '--key', bobKey);
    await owner.sign(`${gun}:v1`, 'a', '--as', 'alice');
    await bob.must('trust', 'sign', `${gun}:v1`);
    // Bob is the last one whose signature stands under the releases.
    await bob.must('trust', 'revoke', '--yes', `${gun}:v1`);
    await owner.sign(`${gun}:v2`, 'c', '--as', 'alice');
    await bob.must('trust', 'sign', `${gun}:v2`);
    await owner.must('signer', 'remove', gun, 'bob');
    expect((await bob.run('trust', 'sign', `${gun}:v2`)).status).not.toBe(0);
    const { SignedTags, Signers } = await inspect(bob, gun);
    expect(Signers.map(({ Name }) => Name)).toEqual(['alice']);
    expect(SignedTags).toEqual([{ SignedTag: 'v2', Digest: 'c'.repeat(64), Signers: ['alice'] }]);
    const listed = JSON.parse(await owner.must('signer', 'list', gun, '--json')) as {
      readonly signers: readonly { readonly name: string }[];
    };
    expect(listed.signers.map(({ name }) => name)).toEqual(['alice']);
    // And may come back under the same name.
    await owner.must('signer', 'add', gun, 'bob', '--key', bobKey);
    await bob.must('trust', 'sign', `${gun}:v2`);
    // So may a leaf of ours, of which the server remembers versions that nobody sees.
    await owner.must('signer', 'remove', gun, 'alice');
    await owner.must('signer', 'add', gun, 'alice');
    await owner.sign(`${gun}:v3`, 'e', '--as', 'alice');
    expect((await inspect(bob, gun)).SignedTags.find(({ SignedTag }) => SignedTag === 'v3')?.Signers).toEqual(
      ['alice'],
    );
  });

  it('do not roll a tag back silently in a repository that stock tools made', async () => {
    const gun = 'localhost:5000/signers/stock';
    using stock = new DockerClient({ server: stack.server });
    const key = await dockerKey(stock, 'carol');
    using notary = new NotaryClient(stack.server);
    await notary.must('init', gun);
    await notary.must('key', 'rotate', gun, 'snapshot', '-r');
    await notary.must('addhash', gun, 'v1', '423', '--sha256', 'a'.repeat(64), '-p');
    const alice = owner.agent.folder;
    await owner.agent.derive(`${gun}#targets/alice`);
    await owner.agent.derive(`${gun}#targets/releases`);
    const pem = await owner.agent.must(['key', 'export', `${gun}#targets/alice`]);
    const releasePem = await owner.agent.must(['key', 'export', `${gun}#targets/releases`]);
    writeFileSync(`${alice}/alice.pem`, pem);
    writeFileSync(`${alice}/releases.pem`, releasePem);
    await notary.must('delegation', 'add', gun, 'targets/alice', `${alice}/alice.pem`, '--all-paths', '-p');
    await notary.must(
      'delegation',
      'add',
      gun,
      'targets/releases',
      `${alice}/releases.pem`,
      key,
      '--all-paths',
      '-p',
    );
    const moved = await owner.run(
      ...['sign', `${gun}:v1`, '--as', 'alice', '--digest', `sha256:${'b'.repeat(64)}`, '--size', '423'],
    );
    expect(moved.stderr).toContain('readers would go on taking the old image from targets');
    expect(moved.status).toBe(1);
    await owner.sign(`${gun}:v1`, 'b', '--as', 'alice', '--leave', 'targets');
    await owner.sign(`${gun}:v2`, 'c', '--as', 'alice');
    expect((await inspect(stock, gun)).SignedTags.map(({ SignedTag }) => SignedTag)).toContain('v2');
  });
});
