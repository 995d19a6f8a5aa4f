/** Several repositories in one command, a key that leaves every role, and signers held to paths: read and signed by docker and notary too. */
import { mkdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DockerClient } from '../support/docker-client.js';
import { NotaryClient } from '../support/notary-client.js';
import { digestOf, TrustStack, type TrustPublisher } from '../support/trust-stack.js';

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

/** A docker user with a key; answers the file of the public half. */
async function dockerKey(docker: DockerClient, name: string): Promise<string> {
  mkdirSync(docker.trustDir, { recursive: true, mode: 0o700 });
  await docker.must('trust', 'key', 'generate', name);
  return docker.folder.join(`${name}.pub`);
}

interface Signer {
  readonly name: string;
  readonly keys: readonly string[];
}

async function signersOf(gun: string): Promise<readonly Signer[]> {
  const listed = JSON.parse(await owner.must('signer', 'list', gun, '--json')) as {
    readonly signers: readonly Signer[];
  };
  return listed.signers;
}

describe('several repositories', () => {
  it('are each reported, and one that is not there keeps nobody from the others', async () => {
    const [one, none, two] = ['one', 'none', 'two'].map((name) => `localhost:5000/several/${name}`) as [
      string,
      string,
      string,
    ];
    for (const gun of [one, two]) await owner.must('init', gun);
    const added = await owner.run('signer', 'add', 'alice', one, none, two, '--json');
    expect([added.status, added.stderr]).toEqual([6, expect.stringContaining(`touchstone: ${none}:\n`)]);
    expect(JSON.parse(added.stdout)).toEqual({
      repositories: [
        expect.objectContaining({ repository: one, signer: 'alice' }),
        { repository: none, error: expect.objectContaining({ code: 'notary.missing' }) as unknown },
        expect.objectContaining({ repository: two, signer: 'alice' }),
      ],
    });
    await owner.sign(`${two}:v1`, 'a', '--as', 'alice');
    const inspected = await owner.run('inspect', '--docker', one, none, two);
    expect(inspected.status).toBe(6);
    using docker = new DockerClient({ server: stack.server });
    const theirs: unknown = JSON.parse(await docker.must('trust', 'inspect', one, two));
    expect(JSON.parse(inspected.stdout)).toEqual(theirs);
    await owner.must('signer', 'remove', 'alice', one, two);
    expect([await signersOf(one), await signersOf(two)]).toEqual([[], []]);
  });
});

describe('a key that was lost', () => {
  it('leaves every role, and what was released stays', async () => {
    const gun = 'localhost:5000/several/lost';
    using bob = new DockerClient({ server: stack.server });
    using spare = new DockerClient({ server: stack.server });
    const keys = ['--key', await dockerKey(bob, 'bob'), '--key', await dockerKey(spare, 'bob')];
    await owner.must('init', gun);
    await owner.sign(`${gun}:v1`, 'a');
    await owner.must('signer', 'add', 'bob', gun, ...keys);
    await bob.must('trust', 'sign', `${gun}:v1`);
    const [both] = await signersOf(gun);
    const [lost = '', left = ''] = both?.keys ?? [];
    await owner.must('key', 'purge', lost.slice(0, 12), gun);
    expect(await signersOf(gun)).toMatchObject([{ name: 'bob', keys: [left] }]);
    using notary = new NotaryClient(stack.server);
    const delegations = await notary.must('delegation', 'list', gun);
    expect(delegations).toContain(left);
    expect(delegations).not.toContain(lost);
    expect(await notary.must('list', gun, '-r', 'targets/releases')).toContain('a'.repeat(64));
    expect((await bob.run('trust', 'sign', `${gun}:v1`)).status).not.toBe(0);
    const refused = await owner.run('key', 'purge', left, gun);
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining('no key is left')]);
  });
});

describe('a signer held to paths', () => {
  it('signs names below them, for ours and for notary, and nothing else', async () => {
    const gun = 'localhost:5000/several/paths';
    using docker = new DockerClient({ server: stack.server });
    using notary = new NotaryClient(stack.server);
    await owner.must('init', gun);
    const said = await owner.run(
      'signer',
      'add',
      'docs',
      gun,
      '--path',
      'docs/',
      '--key',
      await dockerKey(docker, 'docs'),
    );
    expect([said.status, said.stderr]).toEqual([0, expect.stringContaining('releases nothing')]);
    expect(await notary.must('delegation', 'list', gun)).toMatch(/targets\/docs\s+docs\//);
    notary.takeKeysOf(docker);
    const hash = ['423', '--sha256', 'a'.repeat(64), '-r', 'targets/docs', '-p'];
    await notary.must('addhash', gun, 'docs/guide', ...hash);
    await owner.sign(`${gun}:v1`, 'a', '--role', 'targets');
    const ours = await owner.run(
      'sign',
      `${gun}:v1`,
      '--as',
      'docs',
      '--digest',
      digestOf('a'),
      '--size',
      '423',
    );
    expect([ours.status, ours.stderr]).toEqual([
      1,
      expect.stringContaining('only names that begin with docs/'),
    ]);
    // Theirs say no more than this, as the warning tells.
    const notarys = await notary.run('addhash', gun, 'v1', ...hash);
    expect([notarys.status, notarys.stderr]).toEqual([
      1,
      expect.stringContaining('Could not add all targets'),
    ]);
    const dockers = await docker.run('trust', 'sign', `${gun}:v1`);
    expect([dockers.status, dockers.stderr]).toEqual([1, expect.stringContaining('no valid signing keys')]);
    using reader = new NotaryClient(stack.server);
    const listed = await owner.must('list', gun, '--role', 'targets/docs');
    expect(listed).toContain('docs/guide');
    expect(listed).not.toContain('v1');
    expect(await reader.must('list', gun, '-r', 'targets/docs')).toMatch(/docs\/guide[^v]*$/);
  });
});
