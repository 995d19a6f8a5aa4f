/** Logins at a real sshd, which checks every signature itself and binds its sessions to the agent's connection. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { userInfo } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildSignedData } from '../../src/formats/sshsig.js';
import { runProgram, type CommandResult, type DemoAgent } from '../support/demo-agent.js';
import { freePort } from '../support/free-port.js';
import {
  signBody,
  SSH,
  SshDoorClient,
  sshEnvironment,
  sshSocketOf,
  startSshDoor,
} from '../support/ssh-door.js';

const SSHD = '/usr/sbin/sshd';
/** Flag of a sign request. */
const RSA_SHA256 = 2;
const ON_TOKEN = ['acme/app#ssh~ecdsa-p384', 'acme/app#ssh~rsa-3072'] as const;
/** Two derived keys, two that live on the token. */
const TYPES = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ssh-rsa'] as const;

let agent: DemoAgent;
let server: ChildProcess;
let port = 0;

beforeAll(async () => {
  agent = await startSshDoor();
  for (const key of ON_TOKEN) await agent.must(['key', 'create', key, '--token', 'release']);
  port = await freePort();
  await startServer();
});
afterAll(async () => {
  server.kill('SIGKILL');
  await agent[Symbol.asyncDispose]();
});

function file(name: string): string {
  return path.join(agent.folder, name);
}

function run(program: string, argv: readonly string[]): Promise<CommandResult> {
  return runProgram(program, argv, { environment: sshEnvironment(agent), cwd: agent.folder });
}

/** A server of our own: its keys, its authorized keys, this user, one loopback port. */
async function startServer(): Promise<void> {
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  for (const type of ['ed25519', 'ecdsa', 'rsa']) {
    await run('ssh-keygen', ['-q', '-t', type, '-N', '', '-f', file(`host-${type}`)]);
  }
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file('ca')]);
  writeFileSync(file('authorized'), (await run('ssh-add', ['-L'])).stdout);
  writeFileSync(
    file('sshd_config'),
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      ...['ed25519', 'ecdsa', 'rsa'].map((type) => `HostKey ${file(`host-${type}`)}`),
      `AuthorizedKeysFile ${file('authorized')}`,
      `TrustedUserCAKeys ${file('ca.pub')}`,
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PermitRootLogin yes',
      'StrictModes no',
      'UsePAM no',
      'AllowAgentForwarding yes',
      `PidFile ${file('sshd.pid')}`,
      '',
    ].join('\n'),
  );
  server = spawn(SSHD, ['-D', '-e', '-f', file('sshd_config')], { stdio: ['ignore', 'ignore', 'ignore'] });
  for (let tries = 0; tries < 200; tries += 1) {
    if (await accepts()) return;
    await delay(25);
  }
  throw new Error('sshd did not start within 5 s');
}

function accepts(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}

function login(options: readonly string[], command: string): Promise<CommandResult> {
  const { username } = userInfo();
  const fixed = ['-F', 'none', '-p', String(port), '-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=no'];
  const known = ['-o', `UserKnownHostsFile=${file('known_hosts')}`];
  return run('ssh', [...fixed, ...known, ...options, `${username}@127.0.0.1`, command]);
}

async function only(type: string): Promise<readonly string[]> {
  const line = (await run('ssh-add', ['-L'])).stdout.split('\n').find((key) => key.startsWith(type));
  writeFileSync(file(`${type}.pub`), `${line ?? ''}\n`);
  return ['-o', 'IdentitiesOnly=yes', '-i', file(`${type}.pub`)];
}

it.each(TYPES)('logs in with %s', async (type) => {
  const result = await login(await only(type), 'echo welcome');
  expect(result.stdout).toBe('welcome\n');
});

it.each(['ssh-ed25519', 'ecdsa-sha2-nistp256', 'rsa-sha2-512'])(
  'takes the session that a server with a host key of %s signed',
  async (type) => {
    const result = await login(
      ['-o', `HostKeyAlgorithms=${type}`, '-o', `UserKnownHostsFile=${file(`known-${type}`)}`, '-v'],
      'echo welcome',
    );
    expect(result.stdout).toBe('welcome\n');
    expect(result.stderr).not.toContain('ssh_agent_bind_hostkey');
  },
);

it('never signs with SHA-1, and the refusal is on record', async () => {
  using client = new SshDoorClient(sshSocketOf(agent));
  const blob = (await client.identities()).get('acme/app#ssh~rsa-3072') ?? Buffer.alloc(0);
  const data = buildSignedData({ namespace: 'file', hashAlgorithm: 'sha512', hash: Buffer.alloc(64, 1) });
  expect((await client.ask(signBody(blob, data, RSA_SHA256)))?.[0]).toBe(SSH.signature);
  expect(await client.ask(signBody(blob, data, 0))).toEqual(Buffer.of(SSH.failure));
  const { records } = JSON.parse(await agent.must(['audit', 'show', '--json'])) as {
    readonly records: readonly object[];
  };
  expect(records.at(-1)).toMatchObject({
    type: 'refuse',
    key: 'acme/app#ssh~rsa-3072',
    kind: 'sshsig:file',
    message: expect.stringContaining('SHA-1') as unknown,
  });
});

it('says in the log who logged in where', async () => {
  await login([], 'true');
  const log = await agent.must(['audit', 'show', '--json']);
  expect(log).toContain(`SSH login as ${userInfo().username}`);
  expect(log).toMatch(/server key SHA256:/);
});

it('serves a forwarded agent behind the first server', async () => {
  const inner = `ssh -F none -p ${port} -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=${file('known_hosts')}`;
  const result = await login(['-A'], `${inner} ${userInfo().username}@127.0.0.1 'echo inside'`);
  expect(result.stdout).toBe('inside\n');
});

describe('certificates', () => {
  const types = ['ssh-ed25519', 'ecdsa-sha2-nistp384', 'ssh-rsa'] as const;

  it('are offered for the keys that the configuration names them for, before the plain keys', async () => {
    const files: string[] = [];
    for (const type of types) files.push(await certify(type));
    await agent.stop();
    agent.configure((toml) =>
      toml.replace('[ssh-agent]\n', `[ssh-agent]\ncertificates = ${JSON.stringify(files)}\n`),
    );
    await agent.start();
    await agent.unlock();
    const listed = (await run('ssh-add', ['-L'])).stdout.split('\n');
    for (const [at, file] of files.entries()) {
      expect(listed[at]?.split(' ')[1]).toBe(readFileSync(file, 'utf8').split(' ')[1]);
    }
    writeFileSync(file('authorized'), '');
  });

  it.each(types)('log in alone, with %s', async (type) => {
    const key = file(`${type}.pub`);
    const chosen = ['-o', 'IdentitiesOnly=yes', '-i', key, '-o', `CertificateFile=${certificateOf(key)}`];
    expect((await login(chosen, 'echo certified')).stdout).toBe('certified\n');
  });
});

function certificateOf(key: string): string {
  return key.replace(/\.pub$/, '-cert.pub');
}

/** Signed by the authority that the server trusts, for an hour; answers the file. */
async function certify(type: string): Promise<string> {
  const [, , , key = ''] = await only(type);
  const { username } = userInfo();
  const made = await run('ssh-keygen', [
    ...['-q', '-s', file('ca'), '-I', 'demo', '-n', username, '-V', '+1h'],
    key,
  ]);
  expect(made.status).toBe(0);
  return certificateOf(key);
}

it('is refused when the agent is locked, and when the policy says no', async () => {
  await agent.must(['lock']);
  expect((await login([], 'true')).stderr).toContain('agent refused operation');
  await agent.unlock();
  const policy = readFileSync(agent.policyFile, 'utf8');
  writeFileSync(agent.policyFile, policy.replace('"ssh.userauth"', '"sshsig:none"'));
  process.kill(await agent.pid(), 'SIGHUP');
  await agent.unlock();
  expect((await login([], 'true')).stderr).toContain('agent refused operation');
});
