/** The SSH agent door with OpenSSH's own programs. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram, type CommandResult, type DemoAgent } from '../support/demo-agent.js';
import { sshEnvironment, startSshDoor } from '../support/ssh-door.js';

let agent: DemoAgent;
beforeAll(async () => {
  agent = await startSshDoor();
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
});

function run(program: string, argv: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<CommandResult> {
  return runProgram(program, argv, { environment: { ...sshEnvironment(agent), ...more }, cwd: agent.folder });
}

/** Writes the public key file of a key that the agent offers. */
async function publicKeyFile(type: string): Promise<string> {
  const { stdout } = await run('ssh-add', ['-L']);
  const line = stdout.split('\n').find((candidate) => candidate.startsWith(type));
  const file = path.join(agent.folder, `${type}.pub`);
  writeFileSync(file, `${line ?? ''}\n`);
  return file;
}

/** An askpass program that always answers `passphrase`. */
function askpass(passphrase: string): NodeJS.ProcessEnv {
  const file = path.join(agent.folder, `askpass-${passphrase}`);
  writeFileSync(file, `#!/bin/sh\necho ${passphrase}\n`);
  chmodSync(file, 0o700);
  return { SSH_ASKPASS: file, SSH_ASKPASS_REQUIRE: 'force', DISPLAY: ':0' };
}

describe('ssh-add', () => {
  it('lists the keys with their names', async () => {
    const { status, stdout } = await run('ssh-add', ['-l']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^256 SHA256:\S{43} acme\/app#ssh \(ECDSA\)$/m);
    expect(stdout).toMatch(/^256 SHA256:\S{43} acme\/app#ssh~ed25519 \(ED25519\)$/m);
  });

  it('prints the lines that key export prints', async () => {
    const exported = await agent.must(['key', 'export', 'acme/app#ssh', '--format', 'ssh']);
    const { stdout } = await run('ssh-add', ['-L']);
    expect(stdout).toContain(exported.trim().split(' ')[1]);
  });

  it('can neither test a key with random bytes, nor add or remove one', async () => {
    const file = await publicKeyFile('ssh-ed25519');
    expect((await run('ssh-add', ['-T', file])).stderr).toContain('agent refused operation');
    expect((await run('ssh-add', ['-d', file])).status).not.toBe(0);
    expect((await run('ssh-add', ['-D'])).status).not.toBe(0);
    const own = path.join(agent.folder, 'own');
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', own]);
    expect((await run('ssh-add', ['-q', own])).status).not.toBe(0);
    expect((await run('ssh-add', ['-l'])).stdout.trim().split('\n')).toHaveLength(2);
  });

  it('locks the door and opens it with the same passphrase only', async () => {
    const file = await publicKeyFile('ssh-ed25519');
    expect((await run('ssh-add', ['-x'], askpass('right'))).status).toBe(0);
    expect((await run('ssh-add', ['-l'])).stdout).toContain('no identities');
    const refused = await run('ssh-keygen', ['-Y', 'sign', '-n', 'file', '-f', file, file]);
    expect(refused.status).not.toBe(0);
    expect((await run('ssh-add', ['-X'], askpass('wrong'))).status).not.toBe(0);
    expect((await run('ssh-add', ['-l'])).stdout).toContain('no identities');
    expect((await run('ssh-add', ['-X'], askpass('right'))).status).toBe(0);
    expect((await run('ssh-add', ['-l'])).stdout).toContain('acme/app#ssh');
  });
});

describe('ssh-keygen', () => {
  it.each(['ecdsa-sha2-nistp256', 'ssh-ed25519'])('signs files with %s and verifies them', async (type) => {
    const file = await publicKeyFile(type);
    const data = path.join(agent.folder, `data-${type}`);
    writeFileSync(data, 'release 1.0\n');
    const signed = await run('ssh-keygen', ['-Y', 'sign', '-n', 'file', '-f', file, data]);
    expect(signed.stderr).toContain('Signing file');
    expect(signed.status).toBe(0);
    const signers = path.join(agent.folder, `signers-${type}`);
    writeFileSync(signers, `release@acme.example namespaces="file" ${readFileSync(file, 'utf8')}`);
    const verify = [
      '-Y',
      'verify',
      '-n',
      'file',
      '-f',
      signers,
      '-I',
      'release@acme.example',
      '-s',
      `${data}.sig`,
    ];
    const environment = sshEnvironment(agent);
    const good = await runProgram('ssh-keygen', verify, { environment, input: 'release 1.0\n' });
    expect(good.stdout).toContain('Good "file" signature');
    const bad = await runProgram('ssh-keygen', verify, { environment, input: 'release 1.1\n' });
    expect(bad.status).not.toBe(0);
  });

  it('is refused a namespace that the policy does not name, and the refusal is logged', async () => {
    const file = await publicKeyFile('ssh-ed25519');
    const data = path.join(agent.folder, 'mail');
    writeFileSync(data, 'hello\n');
    const refused = await run('ssh-keygen', ['-Y', 'sign', '-n', 'email', '-f', file, data]);
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain('agent refused operation');
    const log = await agent.must(['audit', 'show', '--json']);
    expect(log).toContain('sshsig:email');
    expect(log).toContain('policy.denied');
  });

  it('cannot make certificates: a key of this door is no CA', async () => {
    const file = await publicKeyFile('ssh-ed25519');
    const user = path.join(agent.folder, 'user');
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', user]);
    const refused = await run('ssh-keygen', [
      '-Us',
      file,
      '-I',
      'id',
      '-n',
      'alice',
      '-V',
      '+1h',
      `${user}.pub`,
    ]);
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain('agent refused operation');
  });
});

describe('a locked agent', () => {
  it('still lists its keys and refuses to sign until it is unlocked', async () => {
    const file = await publicKeyFile('ssh-ed25519');
    const data = path.join(agent.folder, 'later');
    writeFileSync(data, 'later\n');
    const sign = ['-Y', 'sign', '-n', 'file', '-f', file, data];
    await agent.must(['lock']);
    expect((await run('ssh-add', ['-l'])).stdout).toContain('acme/app#ssh');
    expect((await run('ssh-keygen', sign)).stderr).toContain('agent refused operation');
    await agent.unlock();
    expect((await run('ssh-keygen', sign)).status).toBe(0);
  });
});
