/** Keys of every algorithm that live on a token: made there, found again, used by OpenSSH and checked by it. */
import { createPublicKey } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram, type CommandResult, type DemoAgent } from '../support/demo-agent.js';
import { sshEnvironment, startSshDoor } from '../support/ssh-door.js';

const ALGORITHMS = ['ecdsa-p256', 'ecdsa-p384', 'ed25519', 'rsa-3072'] as const;
const SSH_TYPES = {
  'ecdsa-p256': 'ecdsa-sha2-nistp256',
  'ecdsa-p384': 'ecdsa-sha2-nistp384',
  ed25519: 'ssh-ed25519',
  'rsa-3072': 'ssh-rsa',
} as const;
const REPOSITORY = 'acme/token';

let agent: DemoAgent;
beforeAll(async () => {
  agent = await startSshDoor();
  for (const algorithm of ALGORITHMS) {
    await agent.must(['key', 'create', `${REPOSITORY}#ssh`, '--token', 'release', '--algorithm', algorithm]);
  }
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
});

function run(program: string, argv: readonly string[], input?: string): Promise<CommandResult> {
  return runProgram(program, argv, { environment: sshEnvironment(agent), cwd: agent.folder, input });
}

function nameOf(algorithm: string): string {
  return algorithm === 'ecdsa-p256' ? `${REPOSITORY}#ssh` : `${REPOSITORY}#ssh~${algorithm}`;
}

async function publicKeyFile(algorithm: (typeof ALGORITHMS)[number]): Promise<string> {
  const { stdout } = await run('ssh-add', ['-L']);
  const line = stdout.split('\n').find((each) => each.endsWith(` ${nameOf(algorithm)}`));
  expect(line).toContain(SSH_TYPES[algorithm]);
  const file = path.join(agent.folder, `${algorithm}.pub`);
  writeFileSync(file, `${line ?? ''}\n`);
  return file;
}

async function signsAndVerifies(algorithm: (typeof ALGORITHMS)[number]): Promise<void> {
  const file = await publicKeyFile(algorithm);
  const data = path.join(agent.folder, `data-${algorithm}`);
  writeFileSync(data, 'release 1.0\n');
  // ssh-keygen asks before it overwrites one.
  rmSync(`${data}.sig`, { force: true });
  const signed = await run('ssh-keygen', ['-Y', 'sign', '-n', 'file', '-f', file, data]);
  expect(signed.stderr).not.toContain('refused');
  const signers = path.join(agent.folder, `signers-${algorithm}`);
  writeFileSync(signers, `a@b.example ${readFileSync(file, 'utf8')}`);
  const argv = ['-Y', 'verify', '-n', 'file', '-f', signers, '-I', 'a@b.example', '-s', `${data}.sig`];
  expect((await run('ssh-keygen', argv, 'release 1.0\n')).stdout).toContain('Good "file" signature');
  const ours = ['verify', 'file', data, '--signature', `${data}.sig`, '--key', nameOf(algorithm)];
  expect((await agent.touchstone(ours)).stdout).toContain('good: ');
}

describe.each(ALGORITHMS)('an on-token key of %s', (algorithm) => {
  it('is recorded with the token as its only home', async () => {
    const { key } = JSON.parse(await agent.must(['key', 'show', nameOf(algorithm), '--json'])) as {
      readonly key: {
        readonly algorithm: string;
        readonly homes: readonly unknown[];
        readonly loaded: boolean;
      };
    };
    expect(key).toMatchObject({ algorithm, loaded: true });
    expect(key.homes).toHaveLength(1);
  });

  it('signs files for ssh-keygen, which verifies them, and so do we', async () => {
    await signsAndVerifies(algorithm);
  });

  it('signs for our own command, and OpenSSL agrees with its public key', async () => {
    const pem = await agent.must(['key', 'export', nameOf(algorithm)]);
    expect(createPublicKey(pem).asymmetricKeyType).toBeDefined();
    const data = path.join(agent.folder, `own-${algorithm}`);
    writeFileSync(data, 'own\n');
    await agent.must(['sign', 'file', data, '--key', nameOf(algorithm)]);
    await agent.must(['verify', 'file', data, '--key', nameOf(algorithm)]);
  });
});

describe('on-token keys', () => {
  it(
    'are found again after a lock, a new start of the agent and an unlock',
    { timeout: 60_000 },
    async () => {
      await agent.must(['lock']);
      const refused = await run('ssh-keygen', [
        '-Y',
        'sign',
        '-n',
        'file',
        '-f',
        await publicKeyFile('rsa-3072'),
        path.join(agent.folder, 'data-rsa-3072'),
      ]);
      expect(refused.stderr).toContain('agent refused operation');
      await agent.stop();
      await agent.start();
      await agent.unlock();
      for (const algorithm of ALGORITHMS) await signsAndVerifies(algorithm);
    },
  );

  it('never sign with SHA-1, which is what ssh-add -T asks of RSA', async () => {
    const file = await publicKeyFile('rsa-3072');
    expect((await run('ssh-add', ['-T', file])).stderr).toContain('agent refused operation');
  });

  it('are refused a second time under the same name', async () => {
    const again = await agent.touchstone(['key', 'create', nameOf('rsa-3072'), '--token', 'release']);
    expect(again.stderr).toContain('exists');
    expect(again.status).toBe(2);
  });

  it('have their successors on the same token', { timeout: 60_000 }, async () => {
    await agent.must(['key', 'rotate', nameOf('ecdsa-p384')]);
    await signsAndVerifies('ecdsa-p384');
    const { stdout } = await run('ssh-add', ['-L']);
    expect(stdout.match(/nistp384/g)).toHaveLength(1);
  });

  it('leave a log that verifies', async () => {
    expect(await agent.must(['audit', 'verify'])).toContain('good');
  });

  it('make the keyring of a version that older releases refuse', () => {
    const file = JSON.parse(readFileSync(path.join(agent.stateDir, 'keyring.json'), 'utf8')) as {
      readonly records: { readonly payload: string };
    };
    const records = JSON.parse(Buffer.from(file.records.payload, 'base64').toString('utf8')) as {
      readonly version: number;
    };
    expect(records.version).toBe(2);
  });
});
