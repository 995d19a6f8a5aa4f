/** git itself, set up by `touchstone integrate git`: commits, tags, a long rebase, and verification. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram, type CommandResult, type DemoAgent } from '../support/demo-agent.js';
import { startSshDoor } from '../support/ssh-door.js';

const COMMITS = 200;

let agent: DemoAgent;
beforeAll(async () => {
  agent = await startSshDoor();
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
});

/** No SSH_AUTH_SOCK: the integration has to bring it along. */
function environment(): NodeJS.ProcessEnv {
  const { SSH_AUTH_SOCK: _, ...rest } = agent.environment;
  return { ...rest, HOME: agent.folder, GIT_CONFIG_NOSYSTEM: '1' };
}

function git(folder: string, argv: readonly string[], input?: string): Promise<CommandResult> {
  return runProgram('git', ['-C', folder, ...argv], { environment: environment(), input, timeoutMs: 90_000 });
}

async function mustGit(folder: string, argv: readonly string[], input?: string): Promise<string> {
  const result = await git(folder, argv, input);
  if (result.status !== 0) throw new Error(`git ${argv.join(' ')}: ${result.stderr}`);
  return result.stdout;
}

function touchstone(argv: readonly string[]): Promise<CommandResult> {
  return agent.touchstone(argv, { environment: environment() });
}

async function repository(): Promise<string> {
  const folder = mkdtempSync(path.join(agent.folder, 'repository-'));
  await mustGit(folder, ['init', '-q', '-b', 'main']);
  await mustGit(folder, ['config', 'user.email', 'release@acme.example']);
  await mustGit(folder, ['config', 'user.name', 'Release']);
  return folder;
}

function integrate(folder: string, ...more: readonly string[]): Promise<CommandResult> {
  return touchstone(['integrate', 'git', '--local', folder, '--key', 'acme/app#ssh', ...more]);
}

describe('touchstone git-key', () => {
  it('prints the line that git takes for a key', async () => {
    const { stdout } = await touchstone(['git-key', '--key', 'acme/app#ssh']);
    expect(stdout).toMatch(/^key::ecdsa-sha2-nistp256 \S+ acme\/app#ssh\n$/);
  });

  it('asks for a name when there are several', async () => {
    const { status, stderr } = await touchstone(['git-key']);
    expect(status).toBe(2);
    expect(stderr).toContain('acme/app#ssh, acme/app#ssh~ed25519');
  });

  it("is git's defaultKeyCommand", async () => {
    const folder = await repository();
    await integrate(folder);
    await mustGit(folder, ['config', '--unset', 'user.signingKey']);
    const command = `${process.execPath} dist/bin/touchstone.js git-key --key acme/app#ssh`;
    const script = path.join(agent.folder, 'key-command');
    writeFileSync(script, `#!/bin/sh\ncd ${process.cwd()} && exec ${command}\n`, { mode: 0o700 });
    await mustGit(folder, ['config', 'gpg.ssh.defaultKeyCommand', script]);
    await mustGit(folder, ['commit', '-q', '--allow-empty', '-m', 'one']);
    expect((await git(folder, ['verify-commit', 'HEAD'])).stderr).toContain('Good "git" signature');
  });
});

describe('touchstone integrate git', () => {
  it('shows with --dry-run what it would do, and does nothing', async () => {
    const folder = await repository();
    const before = readFileSync(path.join(folder, '.git/config'), 'utf8');
    const { stdout } = await integrate(folder, '--dry-run');
    expect(stdout).toContain('set gpg.format = ssh (was not set)');
    expect(stdout).toContain('set user.signingKey = key::ecdsa-sha2-nistp256');
    expect(readFileSync(path.join(folder, '.git/config'), 'utf8')).toBe(before);
  });

  it.each(['acme/app#ssh', 'acme/app#ssh~ed25519'])('signs commits and tags with %s', async (key) => {
    const folder = await repository();
    expect((await touchstone(['integrate', 'git', '--local', folder, '--key', key])).status).toBe(0);
    await mustGit(folder, ['commit', '-q', '--allow-empty', '-m', 'one']);
    await mustGit(folder, ['tag', '-m', 'version 1', 'v1']);
    const commit = await git(folder, ['verify-commit', '-v', 'HEAD']);
    expect(commit.stderr).toContain('Good "git" signature for release@acme.example');
    expect((await git(folder, ['verify-tag', 'v1'])).stderr).toContain('Good "git" signature');
    expect(await mustGit(folder, ['log', '-1', '--format=%G? %GS'])).toBe('G release@acme.example\n');
  });

  it('gives back exactly what was there, but not what somebody changed since', async () => {
    const folder = await repository();
    await mustGit(folder, ['config', 'gpg.format', 'openpgp']);
    await mustGit(folder, ['config', 'commit.gpgSign', 'false']);
    const before = await mustGit(folder, ['config', '--local', '--list']);
    await integrate(folder);
    await integrate(folder);
    expect(await mustGit(folder, ['config', 'gpg.format'])).toBe('ssh\n');
    expect((await integrate(folder, '--undo', '--dry-run')).stdout).toContain(
      'set gpg.format = openpgp (was ssh)',
    );
    expect((await integrate(folder, '--undo')).status).toBe(0);
    const lines = (text: string): readonly string[] => text.trim().split('\n').sort();
    expect(lines(await mustGit(folder, ['config', '--local', '--list']))).toEqual(lines(before));
    expect((await integrate(folder, '--undo')).stdout).toBe('nothing to undo\n');
    await integrate(folder);
    await mustGit(folder, ['config', 'user.signingKey', 'mine']);
    await integrate(folder, '--undo');
    expect(await mustGit(folder, ['config', 'user.signingKey'])).toBe('mine\n');
  });

  it('keeps the lines of others in a file of allowed signers that git has already', async () => {
    const folder = await repository();
    const signers = path.join(agent.folder, 'signers');
    writeFileSync(signers, 'other@acme.example ssh-ed25519 AAAA\n');
    await mustGit(folder, ['config', 'gpg.ssh.allowedSignersFile', signers]);
    await integrate(folder);
    expect(readFileSync(signers, 'utf8')).toMatch(
      /^other@acme.example .*\nrelease@acme.example namespaces="git" ecdsa/,
    );
    await integrate(folder, '--undo');
    expect(readFileSync(signers, 'utf8')).toBe('other@acme.example ssh-ed25519 AAAA\n');
    expect(await mustGit(folder, ['config', 'gpg.ssh.allowedSignersFile'])).toBe(`${signers}\n`);
  });

  it('sets the whole user up with --global', async () => {
    const folder = await repository();
    const made = await touchstone([
      'integrate',
      'git',
      '--global',
      '--key',
      'acme/app#ssh',
      '--principal',
      'a@b.example',
    ]);
    expect(made.status).toBe(0);
    expect(existsSync(path.join(agent.folder, '.gitconfig'))).toBe(true);
    await mustGit(folder, ['commit', '-q', '--allow-empty', '-m', 'one']);
    expect(await mustGit(folder, ['log', '-1', '--format=%G? %GS'])).toBe('G a@b.example\n');
    await touchstone(['integrate', 'git', '--global', '--undo']);
    await mustGit(folder, ['commit', '-q', '--allow-empty', '-m', 'two']);
    expect(await mustGit(folder, ['log', '-1', '--format=%G?'])).toBe('N\n');
  });

  it('says what is missing', async () => {
    const nowhere = path.join(agent.folder, 'nowhere');
    mkdirSync(nowhere);
    const outside = await touchstone(['integrate', 'git', '--local', nowhere, '--key', 'acme/app#ssh']);
    expect(outside.stderr).toContain('not a git repository');
    expect(outside.stderr).toContain('--global');
    const folder = await repository();
    await mustGit(folder, ['config', '--unset', 'user.email']);
    const nobody = await integrate(folder);
    expect(nobody.stderr).toContain('--principal');
    expect(nobody.status).toBe(2);
  });

  it('leaves git a clear failure when the agent is locked', async () => {
    const folder = await repository();
    await integrate(folder);
    await agent.must(['lock']);
    const refused = await git(folder, ['commit', '-q', '--allow-empty', '-m', 'one']);
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain('agent refused operation');
    await agent.unlock();
    await mustGit(folder, ['commit', '-q', '--allow-empty', '-m', 'one']);
  });
});

describe('one lease', () => {
  it(`signs a rebase of ${COMMITS} commits`, { timeout: 120_000 }, async () => {
    const folder = await repository();
    await mustGit(folder, ['commit', '-q', '--allow-empty', '-m', 'base']);
    await mustGit(folder, ['fast-import', '--quiet'], history(COMMITS));
    await mustGit(folder, ['reset', '-q', '--hard']);
    await integrate(folder);
    const before = await leases();
    await mustGit(folder, ['rebase', '-q', '--force-rebase', '--root', 'work']);
    const states = await mustGit(folder, ['log', '--format=%G?', 'work']);
    expect(states).toBe('G\n'.repeat(COMMITS));
    expect(await leases()).toEqual(before);
  });
});

async function leases(): Promise<readonly string[]> {
  const status = JSON.parse(await agent.must(['agent', 'status', '--json'])) as {
    readonly leases: readonly { readonly id: string }[];
  };
  return status.leases.map(({ id }) => id);
}

/** A branch `work` of unsigned commits, for fast-import. */
function history(commits: number): string {
  const who = 'Release <release@acme.example> 1700000000 +0000';
  const one = (at: number): string => {
    const from = at === 1 ? '' : `from :${at - 1}\n`;
    const message = `change ${at}`;
    return `commit refs/heads/work\nmark :${at}\nauthor ${who}\ncommitter ${who}\ndata ${message.length}\n${message}\n${from}M 644 inline file\ndata ${String(at).length}\n${at}\n`;
  };
  return Array.from({ length: commits }, (_, at) => one(at + 1)).join('');
}
