/** The sigstore KMS plugin as cosign drives it: one process per method, arguments and answers byte for byte as its protocol v1 has them. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pae } from '../../src/encoding/dsse-pae.js';
import { buildInToto } from '../../src/formats/in-toto-statement.js';
import { buildSimpleSigning } from '../../src/formats/simple-signing.js';
import { runProgram, startDemoAgent, type CommandResult, type DemoAgent } from '../support/demo-agent.js';
import { PROJECT_ROOT } from '../support/project-root.js';

const PLUGIN = path.join(PROJECT_ROOT, 'dist/bin/sigstore-kms-touchstone.js');
const RESOURCE = 'docker.io/acme/app';
const KEY = `${RESOURCE}#cosign`;
const DIGEST = `sha256:${'5a'.repeat(32)}`;
const IN_TOTO = 'application/vnd.in-toto+json';

let agent: DemoAgent;
beforeAll(async () => {
  agent = await startDemoAgent();
  await agent.derive(KEY);
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
});

interface Call {
  readonly resource?: string;
  readonly fields?: object;
  readonly stdin?: Buffer;
  readonly init?: object;
  readonly environment?: NodeJS.ProcessEnv;
}

/** As sigstore's Go client writes it: every field of the options is there. */
async function kms(methodName: string, call: Call = {}): Promise<CommandResult> {
  const request = {
    initOptions: {
      protocolVersion: 'v1',
      keyResourceID: call.resource ?? RESOURCE,
      hashFunc: 5,
      rpcOptions: { keyVersion: '', remoteVerification: false },
      ...call.init,
    },
    methodName,
    [methodName]: call.fields ?? {},
  };
  return runProgram(process.execPath, [PLUGIN, 'v1', JSON.stringify(request)], {
    environment: call.environment ?? agent.environment,
    input: call.stdin,
  });
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function messageOptions(digest: Buffer | null): object {
  return {
    rpcOptions: { keyVersion: '', remoteVerification: false },
    messageOptions: { digest: digest?.toString('base64') ?? null },
  };
}

function payload(): Buffer {
  return buildSimpleSigning({ reference: RESOURCE, digest: DIGEST });
}

async function signatureOf(stdin: Buffer, digest: Buffer | null): Promise<Buffer> {
  const result = await kms('signMessage', { fields: { signOptions: messageOptions(digest) }, stdin });
  expect([result.status, result.stdout]).toEqual([
    0,
    expect.stringMatching(/^\{"signMessage":\{"signature":"[^"]+"\}\}$/),
  ]);
  const answer = JSON.parse(result.stdout) as { readonly signMessage: { readonly signature: string } };
  return Buffer.from(answer.signMessage.signature, 'base64');
}

async function opensslAccepts(message: Buffer, signature: Buffer): Promise<boolean> {
  const file = (name: string, content: string | Buffer): string => {
    writeFileSync(path.join(agent.folder, name), content);
    return path.join(agent.folder, name);
  };
  const pem = file('kms.pem', await agent.must(['key', 'export', KEY]));
  const argv = [
    'dgst',
    '-sha256',
    '-verify',
    pem,
    '-signature',
    file('kms.sig', signature),
    file('kms.msg', message),
  ];
  return execFileSync('openssl', argv).toString().includes('Verified OK');
}

describe('the methods', () => {
  it('name algorithms without knowing the key', async () => {
    expect((await kms('defaultAlgorithm', { resource: 'any' })).stdout).toBe(
      '{"defaultAlgorithm":{"defaultAlgorithm":"ecdsa-p256"}}',
    );
    expect(JSON.parse((await kms('supportedAlgorithms')).stdout)).toEqual({
      supportedAlgorithms: { supportedAlgorithms: expect.arrayContaining(['ecdsa-p256']) as unknown },
    });
  });

  it('create a key and answer its public half, PEM inside base64', async () => {
    const made = await kms('createKey', {
      resource: 'docker.io/acme/new',
      fields: { algorithm: 'ecdsa-p256' },
    });
    const answer = JSON.parse(made.stdout) as { readonly createKey: { readonly publicKeyPEM: string } };
    const pem = Buffer.from(answer.createKey.publicKeyPEM, 'base64').toString('utf8');
    expect(pem).toBe(await agent.must(['key', 'export', 'docker.io/acme/new#cosign']));
    const shown = await kms('publicKey', {
      resource: 'docker.io/acme/new%23cosign',
      fields: { publicKeyOptions: { rpcOptions: { keyVersion: '', remoteVerification: false } } },
    });
    expect(shown.stdout).toBe(`{"publicKey":${JSON.stringify(answer.createKey)}}`);
    const other = await kms('createKey', {
      resource: 'docker.io/acme/new',
      fields: { algorithm: 'rsa-2048' },
    });
    expect(JSON.parse(other.stdout)).toEqual({
      errorMessage: expect.stringContaining('algorithm: one of') as unknown,
    });
  });

  it('sign as cosign 2.4 asks: a message and no digest', async () => {
    const message = payload();
    expect(await opensslAccepts(message, await signatureOf(message, null))).toBe(true);
  });

  it('sign as cosign 3 asks: a message and its digest; what is signed is shown', async () => {
    const statement = buildInToto({ digest: DIGEST, predicateType: 'https://example.org/p', predicate: {} });
    const message = pae(IN_TOTO, statement);
    const signature = await signatureOf(message, sha256(message));
    expect(await opensslAccepts(message, signature)).toBe(true);
    const fields = { signOptions: messageOptions(sha256(message)) };
    const said = await kms('signMessage', { fields, stdin: message });
    expect(said.stderr).toContain(`touchstone: about ${DIGEST}`);
  });

  it('refuse a digest that is not the one of the message', async () => {
    const fields = { signOptions: messageOptions(sha256(Buffer.from('another'))) };
    const result = await kms('signMessage', { fields, stdin: payload() });
    expect(JSON.parse(result.stdout)).toEqual({
      errorMessage: expect.stringContaining('not the SHA-256') as unknown,
    });
  });

  it('verify what they signed and nothing else, also with hash function 0', async () => {
    const message = payload();
    const signature = (await signatureOf(message, null)).toString('base64');
    const fields = { signature, verifyOptions: messageOptions(null) };
    const good = await kms('verifySignature', { fields, stdin: message, init: { hashFunc: 0 } });
    expect(good.stdout).toBe('{"verifySignature":{}}');
    const bad = await kms('verifySignature', { fields, stdin: Buffer.from('another') });
    expect(JSON.parse(bad.stdout)).toEqual({
      errorMessage: expect.stringContaining('does not verify') as unknown,
    });
    const byDigest = { signature, verifyOptions: messageOptions(sha256(message)) };
    expect((await kms('verifySignature', { fields: byDigest })).stdout).toBe('{"verifySignature":{}}');
  });
});

describe('blobs and bare digests', () => {
  it('are refused without a rule, and signed where one allows them', async () => {
    const blob = Buffer.from('a blob of no format\n');
    const fields = { signOptions: messageOptions(null) };
    const refused = await kms('signMessage', { fields, stdin: blob });
    expect([refused.status, JSON.parse(refused.stdout)]).toEqual([
      3,
      { errorMessage: expect.stringMatching(/^touchstone: .+ \(.+\)$/) as unknown },
    ]);
    const rule = `\n[[rule]]\nid = "blobs"\nkinds = ["digest"]\nkeys = ["${KEY}"]\nallow = true\nblind = true\n`;
    appendFileSync(agent.policyFile, rule);
    await agent.stop();
    await agent.start();
    await agent.unlock(['--blind']);
    expect(await opensslAccepts(blob, await signatureOf(blob, null))).toBe(true);
    expect(await opensslAccepts(blob, await signatureOf(Buffer.alloc(0), sha256(blob)))).toBe(true);
  });
});

describe('trouble', () => {
  it('always ends with one JSON document that says why', async () => {
    const sign = { signOptions: messageOptions(null) };
    const elsewhere = { ...agent.environment, TOUCHSTONE_SOCK: path.join(agent.folder, 'nobody.sock') };
    const cases: readonly (readonly [Promise<CommandResult>, number, string])[] = [
      [kms('publicKey', { environment: elsewhere }), 5, 'no agent answers'],
      [kms('publicKey', { resource: 'docker.io/acme/unknown' }), 2, 'key list'],
      [
        kms('signMessage', { fields: sign, resource: 'docker.io/acme/new', stdin: payload() }),
        3,
        'names docker.io/acme/app',
      ],
      [kms('signMessage', { fields: sign }), 2, 'neither a message'],
      [kms('inventedMethod'), 5, 'no such method'],
      [runProgram(process.execPath, [PLUGIN, 'v2', '{}']), 5, 'speaks protocol v1'],
      [runProgram(process.execPath, [PLUGIN]), 5, 'cosign sign --key'],
      [runProgram(process.execPath, [PLUGIN, 'v1', '{"initOptions":']), 2, 'not JSON'],
    ];
    for (const [running, status, words] of cases) {
      const result = await running;
      const answer = JSON.parse(result.stdout) as { readonly errorMessage: string };
      expect([result.status, Object.keys(answer), answer.errorMessage]).toEqual([
        status,
        ['errorMessage'],
        expect.stringContaining(words),
      ]);
    }
  });

  it('a deadline that has passed ends the request, not the agent', async () => {
    const rpcOptions = { ctxDeadline: new Date(Date.now() - 1000).toISOString(), keyVersion: '' };
    const fields = { signOptions: { rpcOptions, messageOptions: { digest: null } } };
    const late = await kms('signMessage', { fields, stdin: payload() });
    expect([late.status, late.stdout]).toEqual([7, expect.stringContaining('by its deadline')]);
    expect((await signatureOf(payload(), null)).length).toBeGreaterThan(60);
  });

  it('a locked agent says so', async () => {
    await agent.must(['lock']);
    const result = await kms('signMessage', {
      fields: { signOptions: messageOptions(null) },
      stdin: payload(),
    });
    expect([result.status, result.stdout]).toEqual([4, expect.stringContaining('touchstone unlock')]);
    await agent.unlock(['--blind']);
  });
});

describe('touchstone integrate cosign', () => {
  it('writes a plugin that runs, shows it first, and takes it away again', async () => {
    const folder = path.join(agent.folder, "bin of o'brien");
    const integrate = (...argv: readonly string[]): Promise<CommandResult> =>
      agent.touchstone(['integrate', 'cosign', '--dir', folder, ...argv]);
    const plugin = path.join(folder, 'sigstore-kms-touchstone');
    expect((await integrate('--dry-run')).stdout).toContain(plugin);
    expect(existsSync(plugin)).toBe(false);
    const written = await integrate();
    expect([written.status, written.stderr]).toEqual([0, expect.stringContaining(`add ${folder} to PATH`)]);
    const request = { initOptions: { protocolVersion: 'v1' }, methodName: 'defaultAlgorithm' };
    const asked = await runProgram(plugin, ['v1', JSON.stringify(request)], {
      environment: { PATH: '/usr/bin' },
    });
    expect(JSON.parse(asked.stdout)).toHaveProperty('defaultAlgorithm');
    expect((await integrate('--undo')).stdout).toBe(`removed: ${plugin}\n`);
    writeFileSync(plugin, '#!/bin/sh\nexit 0\n');
    expect((await integrate()).stderr).toContain('was not written by this program');
  });
});
