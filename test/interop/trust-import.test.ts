/** Taking over repositories that the real notary and docker made, keys and all. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runProgram, TOUCHSTONE } from '../support/demo-agent.js';
import { DockerClient } from '../support/docker-client.js';
import { NotaryClient } from '../support/notary-client.js';
import { SoftwareSigner } from '../support/software-signer.js';
import { TrustStack, type TrustPublisher } from '../support/trust-stack.js';

let stack: TrustStack;
let alice: TrustPublisher;
let passphrase: string;
beforeAll(async () => {
  stack = await TrustStack.start();
  alice = await stack.publisher();
  passphrase = `${alice.agent.folder}/passphrase`;
});
afterAll(async () => {
  await alice[Symbol.asyncDispose]();
  await stack[Symbol.asyncDispose]();
});

function writePassphrase(text: string): void {
  writeFileSync(passphrase, `${text}\n`, { mode: 0o600 });
}

it('of notary, with a snapshot key and a delegation of its own', async () => {
  const gun = 'localhost:5000/import/notary';
  using old = new NotaryClient(stack.server);
  await old.must('init', gun);
  await old.must('addhash', gun, 'v1', '423', '--sha256', 'a'.repeat(64), '-p');
  const carol = SoftwareSigner.make();
  writeFileSync(old.folder.join('carol-key.pem'), carol.privatePem, { mode: 0o600 });
  writeFileSync(old.folder.join('carol.pem'), carol.publicPem);
  await old.must('key', 'import', old.folder.join('carol-key.pem'), '--role', 'carol');
  for (const role of ['targets/carol', 'targets/releases']) {
    await old.must('delegation', 'add', gun, role, old.folder.join('carol.pem'), '--all-paths', '-p');
  }
  await old.must('addhash', gun, 'v2', '423', '--sha256', 'b'.repeat(64), '-r', 'targets/releases', '-p');
  writePassphrase(old.passphrase);
  await alice.must('import', gun, '--from', old.trustDir, '--passphrase-file', passphrase);
  await alice.sign(`${gun}:v3`, 'c', '--as', 'carol');
  for (const reader of [old, new NotaryClient(stack.server)]) {
    const listed = await reader.must('list', gun);
    for (const [tag, digit] of [
      ['v1', 'a'],
      ['v2', 'b'],
      ['v3', 'c'],
    ] as const) {
      expect(listed).toMatch(new RegExp(`${tag} +${digit}{64}`));
    }
    if (reader !== old) reader[Symbol.dispose]();
  }
  // The keys in the files sign nothing any more.
  expect((await old.run('addhash', gun, 'v4', '1', '--sha256', 'd'.repeat(64), '-p')).status).not.toBe(0);
});

it('of docker, with its signer', async () => {
  const gun = 'localhost:5000/import/docker';
  using docker = new DockerClient({ server: stack.server });
  mkdirSync(docker.trustDir, { recursive: true, mode: 0o700 });
  await docker.must('trust', 'key', 'generate', 'dave');
  await docker.must('trust', 'signer', 'add', '--key', docker.folder.join('dave.pub'), 'dave', gun);
  writePassphrase(docker.passphrase);
  await alice.must('import', gun, '--from', docker.trustDir, '--passphrase-file', passphrase);
  await alice.sign(`${gun}:v1`, 'a', '--as', 'dave');
  const [inspected] = JSON.parse(await docker.must('trust', 'inspect', gun)) as readonly object[];
  expect(inspected).toMatchObject({
    SignedTags: [{ SignedTag: 'v1', Digest: 'a'.repeat(64), Signers: ['dave'] }],
    Signers: [{ Name: 'dave' }],
  });
});

it('not with another passphrase, and not without the root key', async () => {
  const gun = 'localhost:5000/import/refused';
  using old = new NotaryClient(stack.server);
  await old.must('init', gun, '-p');
  writePassphrase('something else');
  const wrong = await alice.run('import', gun, '--from', old.trustDir, '--passphrase-file', passphrase);
  expect(wrong.status).toBe(1);
  expect(wrong.stderr).toContain('the passphrase does not open it');
  const words = ['trust', 'import', gun, '--from', old.trustDir, ...alice.options];
  const { environment } = alice.agent;
  // A session of its own has no terminal.
  const asked = await runProgram('setsid', ['--wait', process.execPath, TOUCHSTONE, ...words], {
    environment,
  });
  expect(asked.status).toBe(2);
  expect(asked.stderr).toContain('asking for the passphrase: there is no terminal');
  expect(asked.stderr).toContain('--passphrase-file FILE');
  using stranger = new NotaryClient(stack.server);
  await stranger.must('init', 'localhost:5000/import/other');
  const without = await alice.run(
    'import',
    gun,
    '--from',
    stranger.trustDir,
    '--passphrase-file',
    passphrase,
  );
  expect(without.status).toBe(1);
  expect(without.stderr).toContain('the root key is not among the keys of this folder');
  expect(await old.must('list', gun)).toContain('No targets present');
});
