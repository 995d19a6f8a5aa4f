/** Logins at a real sshd, which checks every signature itself and binds its sessions to the agent's connection. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { userInfo } from 'node:os';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runProgram, type CommandResult, type DemoAgent } from '../support/demo-agent.js';
import { freePort } from '../support/free-port.js';
import { sshEnvironment, startSshDoor } from '../support/ssh-door.js';

const SSHD = '/usr/sbin/sshd';

let agent: DemoAgent;
let server: ChildProcess;
let port = 0;

beforeAll(async () => {
  agent = await startSshDoor();
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

it.each(['ssh-ed25519', 'ecdsa-sha2-nistp256'])('logs in with %s', async (type) => {
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

it('offers a certificate that the configuration names, and logs in with it alone', async () => {
  const [, , , key = ''] = await only('ssh-ed25519');
  const { username } = userInfo();
  const made = await run('ssh-keygen', [
    '-q',
    '-s',
    file('ca'),
    '-I',
    'demo',
    '-n',
    username,
    '-V',
    '+1h',
    key,
  ]);
  expect(made.status).toBe(0);
  const certificate = key.replace(/\.pub$/, '-cert.pub');
  await agent.stop();
  agent.configure((toml) =>
    toml.replace('[ssh-agent]\n', `[ssh-agent]\ncertificates = ["${certificate}"]\n`),
  );
  await agent.start();
  await agent.unlock();
  const listed = await run('ssh-add', ['-L']);
  expect(listed.stdout).toContain('ssh-ed25519-cert-v01@openssh.com');
  expect(readFileSync(certificate, 'utf8').split(' ')[1]).toBe(listed.stdout.split(/[ \n]/)[1]);
  writeFileSync(file('authorized'), '');
  expect((await login([], 'echo certified')).stdout).toBe('certified\n');
});

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
