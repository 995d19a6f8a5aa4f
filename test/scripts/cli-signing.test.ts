/** Transcripts: a person signs and verifies, and the programs other people use agree. One real agent for all of them. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runProgram, startDemoAgent, type CommandResult, type DemoAgent } from '../support/demo-agent.js';
import { writeImageLayout } from '../support/oci-layout.js';

const SSH_KEY = 'touchstone/release#ssh';
const ED_KEY = 'touchstone/release#ssh~ed25519';
const IMAGE_KEY = 'docker.io/library/hello#cosign';
const IN_TOTO = 'application/vnd.in-toto+json';
const DIGEST = `sha256:${'ab'.repeat(32)}`;

let agent: DemoAgent;
beforeAll(async () => {
  agent = await startDemoAgent();
  for (const key of [SSH_KEY, ED_KEY, IMAGE_KEY]) await agent.derive(key);
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(agent.folder, 'work-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function file(name: string, content: string | Uint8Array = `${name}\n`): string {
  const full = path.join(folder, name);
  writeFileSync(full, content);
  return full;
}

function run(...argv: readonly string[]): Promise<CommandResult> {
  return agent.touchstone(argv, { cwd: folder });
}

async function json(...argv: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  return JSON.parse(await agent.must([...argv, '--json'], { cwd: folder })) as Readonly<
    Record<string, unknown>
  >;
}

function attestation(): string {
  return JSON.stringify({
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'hello', digest: { sha256: 'ab'.repeat(32) } }],
    predicateType: 'https://example.org/p',
    predicate: {},
  });
}

describe('touchstone sign file', () => {
  it.each([SSH_KEY, ED_KEY])('with %s: ssh-keygen and touchstone verify it', async (key) => {
    const signed = file('release.tar.gz', Buffer.alloc(3_000_000, 7));
    const result = await run('sign', 'file', '--key', key, 'release.tar.gz');
    expect([result.status, result.stdout]).toEqual([0, '']);
    expect(result.stderr).toContain(`signed release.tar.gz with ${key}: release.tar.gz.sig`);
    const line = await agent.must(['key', 'export', key, '--format', 'ssh']);
    const signers = file('signers', `release@example.org ${line}`);
    const keygen = [
      '-Y',
      'verify',
      '-f',
      signers,
      '-I',
      'release@example.org',
      '-n',
      'file',
      '-s',
      `${signed}.sig`,
    ];
    expect(execFileSync('ssh-keygen', keygen, { input: readFileSync(signed) }).toString()).toContain(
      'Good "file"',
    );
    expect((await run('verify', 'file', '--key', key, 'release.tar.gz')).stdout).toContain(
      `signed with ${key.replace('#ssh', '#ssh@1')}`,
    );
    expect((await run('verify', 'file', '--key-file', signers, 'release.tar.gz')).status).toBe(0);
  });

  it('signs several files in one decision, and standard input to standard output', async () => {
    for (const name of ['a', 'b', 'c']) file(name);
    const several = await json('sign', 'file', '--key', SSH_KEY, 'a', 'b', 'c');
    const signatures = several['signatures'] as readonly {
      readonly output: string;
      readonly auditId: number;
    }[];
    expect(signatures.map(({ output }) => output)).toEqual(['a.sig', 'b.sig', 'c.sig']);
    expect(new Set(signatures.map(({ auditId }) => auditId)).size).toBe(3);
    const piped = await agent.touchstone(['sign', 'file', '--key', SSH_KEY, '-'], { input: 'piped' });
    expect(piped.stdout).toMatch(/^-----BEGIN SSH SIGNATURE-----\n/);
    file('piped.sig', piped.stdout);
    const argv = ['verify', 'file', '--key', SSH_KEY, '--signature', path.join(folder, 'piped.sig'), '-'];
    expect((await agent.touchstone(argv, { input: 'piped' })).status).toBe(0);
    expect((await agent.touchstone(argv, { input: 'changed' })).status).toBe(6);
  });

  it('leaves nothing behind when it is refused', async () => {
    file('a');
    const denied = await run('sign', 'file', '--key', SSH_KEY, '--namespace', 'email', 'a');
    expect([denied.status, denied.stdout]).toEqual([3, '']);
    expect(denied.stderr).toMatch(/^touchstone: error: .+\nhint: .+\n$/);
    const missing = await run('sign', 'file', '--key', SSH_KEY, 'a', 'not-there');
    expect([missing.status, missing.stderr.split('\n')[0]]).toEqual([
      1,
      'touchstone: error: reading not-there: no such file',
    ]);
    expect(readdirSync(folder)).toEqual(['a']);
  });

  it('says what is wrong with its options', async () => {
    file('a');
    file('b');
    for (const argv of [
      ['--key', SSH_KEY],
      ['a'],
      ['--key', SSH_KEY, '--output', 'x', 'a', 'b'],
      ['--key', SSH_KEY, '--namespace', 'with space', 'a'],
      ['--key', 'no-role', 'a'],
      ['--key', 'touchstone/nothing#ssh', 'a'],
      ['--kee', SSH_KEY, 'a'],
    ]) {
      const result = await run('sign', 'file', ...argv);
      expect([argv, result.status, result.stderr.startsWith('touchstone: error: ')]).toEqual([argv, 2, true]);
    }
    expect(readdirSync(folder).sort()).toEqual(['a', 'b']);
  });
});

describe('touchstone verify file', () => {
  it('fails with status 6 for every way a signature can be wrong', async () => {
    file('a');
    await run('sign', 'file', '--key', SSH_KEY, 'a');
    const other = await agent.must(['key', 'export', ED_KEY, '--format', 'ssh']);
    file('other.pub', other);
    file('a-changed', 'something else\n');
    file('broken.sig', 'not a signature\n');
    for (const argv of [
      ['--key', SSH_KEY, '--signature', 'a.sig', 'a-changed'],
      ['--key', SSH_KEY, '--namespace', 'git', 'a'],
      ['--key-file', 'other.pub', 'a'],
      ['--key', SSH_KEY, '--signature', 'broken.sig', 'a'],
      ['--key-file', 'broken.sig', 'a'],
    ]) {
      expect([argv, (await run('verify', 'file', ...argv)).status]).toEqual([argv, 6]);
    }
    expect((await run('verify', 'file', 'a')).status).toBe(2);
    expect((await run('verify', 'file', '--key', SSH_KEY, '--key-file', 'other.pub', 'a')).status).toBe(2);
  });
});

describe('touchstone sign image', () => {
  it('signs a layout: OpenSSL and touchstone verify it', async () => {
    const digest = writeImageLayout(path.join(folder, 'layout'), 'latest');
    const outputs = ['--payload-out', 'p.json', '--signature-out', 'p.sig'];
    const result = await json(
      'sign',
      'image',
      '--key',
      IMAGE_KEY,
      'layout:latest',
      ...outputs,
      '--annotation',
      'build=7',
    );
    expect(result).toMatchObject({ digest, reference: 'docker.io/library/hello', key: IMAGE_KEY });
    const payload = readFileSync(path.join(folder, 'p.json'));
    expect(JSON.parse(payload.toString())).toMatchObject({ optional: { build: '7' } });
    await agent.must(['key', 'export', IMAGE_KEY, '-o', 'cosign.pub'], { cwd: folder });
    const openssl = ['dgst', '-sha256', '-verify', 'cosign.pub', '-signature', 'p.sig', 'p.json'];
    expect(execFileSync('openssl', openssl, { cwd: folder }).toString()).toBe('Verified OK\n');
    const check = ['verify', 'image', '--payload', 'p.json', '--signature', 'p.sig', '--key', IMAGE_KEY];
    expect((await run(...check, 'layout')).status).toBe(0);
    expect((await run(...check, '--digest', digest, '--reference', 'docker.io/library/hello')).status).toBe(
      0,
    );
    expect((await run(...check, '--digest', DIGEST)).status).toBe(6);
    expect((await run(...check, '--reference', 'docker.io/library/other')).status).toBe(6);
    file('p.json', `${payload.toString()} `);
    expect((await run(...check)).status).toBe(6);
  });

  it('prints base64 when no file is named, which verify reads too', async () => {
    const argv = ['sign', 'image', '--key', IMAGE_KEY, '--digest', DIGEST, '--payload-out', 'p.json'];
    file('p.sig', await agent.must(argv, { cwd: folder }));
    const check = ['verify', 'image', '--payload', 'p.json', '--signature', 'p.sig', '--key', IMAGE_KEY];
    expect((await run(...check)).status).toBe(0);
  });

  it('refuses another repository, a broken layout and half a question', async () => {
    writeImageLayout(path.join(folder, 'layout'), 'latest');
    const blobs = path.join(folder, 'layout', 'blobs', 'sha256');
    const sign = (...argv: readonly string[]): Promise<CommandResult> =>
      run('sign', 'image', '--key', IMAGE_KEY, ...argv);
    expect((await sign('--digest', DIGEST, '--reference', 'docker.io/library/other')).status).toBe(3);
    expect((await sign('--digest', 'sha256:short')).status).toBe(2);
    expect((await sign('layout:other')).stderr).toContain('write FOLDER:TAG with one of: latest');
    expect((await sign()).status).toBe(2);
    expect((await sign('layout', '--digest', DIGEST)).status).toBe(2);
    expect((await sign('nowhere')).status).toBe(1);
    for (const blob of readdirSync(blobs)) writeFileSync(path.join(blobs, blob), '{}');
    expect((await sign('layout')).stderr).toContain('its content has the digest');
  });
});

describe('touchstone sign dsse', () => {
  it('makes an envelope that OpenSSL verifies over the PAE bytes', async () => {
    file('statement.json', attestation());
    const envelope = JSON.parse(
      await agent.must(['sign', 'dsse', '--key', IMAGE_KEY, '--type', IN_TOTO, 'statement.json'], {
        cwd: folder,
      }),
    ) as {
      readonly payload: string;
      readonly signatures: readonly { readonly sig: string; readonly keyid: string }[];
    };
    expect(Buffer.from(envelope.payload, 'base64').toString()).toBe(attestation());
    const body = Buffer.from(envelope.payload, 'base64');
    file('pae', Buffer.concat([Buffer.from(`DSSEv1 ${IN_TOTO.length} ${IN_TOTO} ${body.length} `), body]));
    file('sig', Buffer.from(envelope.signatures[0]?.sig ?? '', 'base64'));
    await agent.must(['key', 'export', IMAGE_KEY, '-o', 'key.pem'], { cwd: folder });
    const openssl = ['dgst', '-sha256', '-verify', 'key.pem', '-signature', 'sig', 'pae'];
    expect(execFileSync('openssl', openssl, { cwd: folder }).toString()).toBe('Verified OK\n');
    const der = ['key', 'export', IMAGE_KEY, '--format', 'der', '-o', 'key.der'];
    await agent.must(der, { cwd: folder });
    const keyId = createHash('sha256')
      .update(readFileSync(path.join(folder, 'key.der')))
      .digest('hex');
    expect(envelope.signatures[0]?.keyid).toBe(keyId);
  });

  it('is verified with its type, and hands out the payload only then', async () => {
    file('statement.json', attestation());
    await run('sign', 'dsse', '--key', IMAGE_KEY, '--type', IN_TOTO, '-o', 'envelope.json', 'statement.json');
    const check = ['verify', 'dsse', '--key', IMAGE_KEY, 'envelope.json'];
    expect((await run(...check, '--type', IN_TOTO, '--payload-out', '-')).stdout).toBe(attestation());
    expect((await run(...check, '--type', 'text/plain', '--payload-out', 'out')).status).toBe(6);
    expect(
      (await run('verify', 'dsse', '--key', SSH_KEY, '--payload-out', 'out', 'envelope.json')).status,
    ).toBe(6);
    expect(existsSync(path.join(folder, 'out'))).toBe(false);
    file('envelope.json', '{"payloadType":"x"}');
    expect((await run(...check)).status).toBe(6);
  });

  it('refuses bytes that are not what the type says', async () => {
    file('statement.json', '{"not":"a statement"}');
    expect((await run('sign', 'dsse', '--key', IMAGE_KEY, '--type', IN_TOTO, 'statement.json')).status).toBe(
      2,
    );
  });
});

describe('verifying', () => {
  it('needs no agent, no socket and no configuration', async () => {
    file('a');
    await run('sign', 'file', '--key', SSH_KEY, 'a');
    const alone = {
      ...agent.environment,
      TOUCHSTONE_SOCK: '/nowhere/agent.sock',
      TOUCHSTONE_CONFIG: '/nowhere/touchstone.toml',
    };
    const argv = ['verify', 'file', '--key', SSH_KEY, 'a'];
    expect((await agent.touchstone(argv, { cwd: folder, environment: alone })).status).toBe(0);
    const elsewhere = { ...alone, TOUCHSTONE_STATE: path.join(folder, 'empty') };
    const result = await agent.touchstone(argv, { cwd: folder, environment: elsewhere });
    expect([result.status, result.stderr.includes('there is no keyring')]).toEqual([2, true]);
  });

  it('accepts what a retired key signed and nothing of a revoked one', async () => {
    const key = 'touchstone/rotating#ssh';
    await agent.derive(key);
    file('a');
    await run('sign', 'file', '--key', key, 'a');
    await agent.must(['key', 'rotate', key]);
    expect((await run('verify', 'file', '--key', key, 'a')).stdout).toContain(`signed with ${key}@1`);
    expect((await run('sign', 'file', '--key', `${key}@1`, 'a')).status).toBe(3);
    await agent.must(['key', 'revoke', `${key}@1`, '--reason', 'a test']);
    expect((await run('verify', 'file', '--key', key, 'a')).status).toBe(6);
    expect((await run('verify', 'file', '--key', `${key}@1`, 'a')).status).toBe(3);
    expect((await run('sign', 'file', '--key', `${key}@1`, 'a')).status).toBe(3);
  });
});

it('bytes are not written to a terminal', async () => {
  const command = `'${process.execPath}' dist/bin/touchstone.js key export '${IMAGE_KEY}' --format der`;
  const onTerminal = await runProgram('script', ['-qec', command, '/dev/null'], {
    environment: agent.environment,
  });
  expect(onTerminal.stdout).toContain('bytes do not belong on a terminal');
  expect(onTerminal.status).toBe(2);
});
