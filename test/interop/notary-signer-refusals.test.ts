/** What the signer for notary-servers refuses, and what a person who publishes hears of it. */
import { Code } from '@connectrpc/connect';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HealthCheckResponse_ServingStatus as Serving } from '../../src/gateways/notary-signer/generated/health_pb.js';
import { startDemoAgent, type DemoAgent } from '../support/demo-agent.js';
import { NotaryClient } from '../support/notary-client.js';
import { NotaryGateway } from '../support/notary-gateway.js';
import { NotaryServer } from '../support/notary-server.js';
import { refusalOf, SignerClient } from '../support/signer-client.js';
import { TestAuthority } from '../support/test-authority.js';

const HASH = 'a'.repeat(64);
const HEALTH_PAGE = '/_notary_server/health';
const HEALTH = ['grpc.health.v1.Health.KeyManagement', 'grpc.health.v1.Health.Signer'];

let authority: TestAuthority;
let agent: DemoAgent;
let gateway: NotaryGateway;
let server: NotaryServer;
let direct: SignerClient;
beforeAll(async () => {
  authority = new TestAuthority();
  agent = await startDemoAgent();
  gateway = await NotaryGateway.start({ agent, authority });
  server = await NotaryServer.start({ authority, trustService: gateway });
  direct = new SignerClient(gateway.port, authority, authority.client('direct'));
});
afterAll(async () => {
  direct[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
  await gateway[Symbol.asyncDispose]();
  await agent[Symbol.asyncDispose]();
  authority[Symbol.dispose]();
});

async function keyNames(): Promise<readonly string[]> {
  const { keys } = JSON.parse(await agent.must(['key', 'list', '--json'])) as {
    readonly keys: readonly { readonly name: string }[];
  };
  return keys.map(({ name }) => name);
}

/** A repository whose snapshot and timestamp keys are the server's. */
async function managedRepository(client: NotaryClient, gun: string): Promise<void> {
  await client.must('init', gun, '-p');
  await client.must('key', 'rotate', gun, 'snapshot', '-r');
}

function publish(client: NotaryClient, gun: string, tag: string): ReturnType<NotaryClient['run']> {
  return client.run('addhash', gun, tag, '423', '--sha256', HASH, '-p');
}

/** Health as the real server sees it, once it is `status`; it asks every ten seconds. */
async function serverHealth(status: number): Promise<string> {
  await expect.poll(async () => (await server.get(HEALTH_PAGE)).status, { timeout: 45_000 }).toBe(status);
  return (await server.get(HEALTH_PAGE)).text.trim();
}

describe('the person who publishes hears', () => {
  it('that keys are never RSA', async () => {
    await using rsa = await NotaryServer.start({
      authority,
      trustService: { port: gateway.port, algorithm: 'rsa' },
    });
    using client = new NotaryClient(rsa);
    const refused = await client.run('init', 'registry.example/acme/rsa', '-p');
    expect(refused.status).not.toBe(0);
    expect(rsa.output).toContain('only ecdsa and ed25519 keys can be');
    expect(await keyNames()).not.toContain('registry.example/acme/rsa#timestamp');
  });

  it('which rule is missing', async () => {
    const gun = 'registry.example/acme/policy';
    using client = new NotaryClient(server);
    await managedRepository(client, gun);
    const before = readFileSync(agent.policyFile, 'utf8');
    const rule = `[[rule]]\nid = "frozen"\nkinds = ["*"]\nkeys = ["${gun}#*"]\ndeny = true\n\n`;
    writeFileSync(agent.policyFile, before.replace('[[rule]]', `${rule}[[rule]]`));
    await expect
      .poll(() => agent.must(['policy', 'explain', '--key', `${gun}#snapshot`, '--kind', 'notary.snapshot']))
      .toContain('frozen');
    const refused = await publish(client, gun, 'v1');
    expect(refused.status).not.toBe(0);
    expect(refused.stderr + refused.stdout).toContain('PermissionDenied');
    expect(refused.stderr + refused.stdout).toContain('rule "frozen" denies it');
    writeFileSync(agent.policyFile, before);
    await expect
      .poll(() => agent.must(['policy', 'explain', '--key', `${gun}#snapshot`, '--kind', 'notary.snapshot']))
      .toContain('owner-content-trust');
    await client.must('publish', gun);
    expect(await client.must('list', gun)).toContain('v1');
  });

  it('that the agent is locked, and no key is made meanwhile', async () => {
    const gun = 'registry.example/acme/locked';
    using client = new NotaryClient(server);
    await managedRepository(client, gun);
    const names = await keyNames();
    expect(await serverHealth(200)).toBe('{}');
    await agent.must(['lock']);

    const refused = await publish(client, gun, 'v1');
    expect(refused.stderr + refused.stdout).toContain('Unavailable');
    expect(refused.stderr + refused.stdout).toContain('touchstone unlock');
    const rotated = await client.run('key', 'rotate', gun, 'timestamp', '-r');
    expect(rotated.status).not.toBe(0);
    for (const service of HEALTH) {
      expect((await direct.health.check({ service })).status).toBe(Serving.NOT_SERVING);
    }
    expect(await serverHealth(503)).toContain('NOT_SERVING, want SERVING');
    expect(await keyNames()).toEqual(names);

    await agent.unlock();
    for (const service of HEALTH)
      expect((await direct.health.check({ service })).status).toBe(Serving.SERVING);
    await client.must('publish', gun);
    expect(await client.must('list', gun)).toContain('v1');
  }, 90_000);
});

describe('keys', () => {
  it('that nobody has used are handed out again, others stay what they are', async () => {
    const wish = { algorithm: 'ecdsa', gun: 'registry.example/acme/flood', role: 'timestamp' };
    const ids = new Set<string | undefined>();
    for (let tries = 0; tries < 5; tries += 1)
      ids.add((await direct.keys.createKey(wish)).keyInfo?.keyID?.ID);
    expect(ids.size).toBe(1);
    const edwards = await direct.keys.createKey({ ...wish, algorithm: 'ed25519' });
    expect(edwards.publicKey.length).toBe(32);
    const own = (await keyNames()).filter((name) => name.startsWith(`${wish.gun}#`));
    expect(own).toEqual([`${wish.gun}#timestamp`, `${wish.gun}#timestamp~ed25519`]);
  });

  it('are known to a gateway that has just started, which hands out the same ones', async () => {
    const gun = 'registry.example/acme/restarted';
    using client = new NotaryClient(server);
    await managedRepository(client, gun);
    const wish = { algorithm: 'ecdsa', gun, role: 'timestamp' };
    const unused = await direct.keys.createKey(wish);
    await using fresh = await NotaryGateway.start({ agent, authority });
    using other = new SignerClient(fresh.port, authority, authority.client('other'));
    const id = unused.keyInfo?.keyID?.ID ?? '';
    expect(await other.keys.getKeyInfo({ ID: id })).toMatchObject({ publicKey: unused.publicKey });
    expect((await other.keys.createKey(wish)).keyInfo).toEqual(unused.keyInfo);
    expect((await keyNames()).filter((name) => name.startsWith(`${gun}#timestamp`))).toHaveLength(2);
  });

  it('answer to their id after a rotation, until they are revoked', async () => {
    const gun = 'registry.example/acme/rotated';
    using client = new NotaryClient(server);
    await managedRepository(client, gun);
    const wish = { algorithm: 'ecdsa', gun, role: 'timestamp' };
    const next = await direct.keys.createKey(wish);
    const again = await direct.keys.createKey(wish);
    expect(again.keyInfo).toEqual(next.keyInfo);
    await client.must('key', 'rotate', gun, 'timestamp', '-r');
    const later = await direct.keys.createKey(wish);
    expect(later.keyInfo).not.toEqual(next.keyInfo);
    const id = next.keyInfo?.keyID?.ID ?? '';
    expect(await direct.keys.getKeyInfo({ ID: id })).toMatchObject({
      role: 'timestamp',
      publicKey: next.publicKey,
    });
    await agent.must(['key', 'revoke', `${gun}#timestamp:1`, '--reason', 'test']);
    const refused = await refusalOf(direct.keys.getKeyInfo({ ID: id }));
    expect(refused.code).toBe(Code.FailedPrecondition);
    expect(refused.rawMessage).toContain('is revoked');
  });

  it('are NotFound only when the agent has none of that id', async () => {
    for (const id of ['', 'a'.repeat(64), 'registry.example/acme/rotated#timestamp', '../../etc'])
      expect((await refusalOf(direct.keys.getKeyInfo({ ID: id }))).code).toBe(Code.NotFound);
    expect((await refusalOf(direct.signer.sign({ content: Buffer.from('{}') }))).code).toBe(Code.NotFound);
  });

  it('are not made for names and roles that are none', async () => {
    const names = await keyNames();
    for (const wish of [
      { algorithm: 'ecdsa', gun: 'Upper/Case', role: 'timestamp' },
      { algorithm: 'ecdsa', gun: 'acme/app#root', role: 'timestamp' },
      { algorithm: 'ecdsa', gun: '', role: 'timestamp' },
      { algorithm: 'ecdsa', gun: 'acme/app', role: 'root' },
      { algorithm: 'ecdsa', gun: 'acme/app', role: 'targets' },
      { algorithm: '', gun: 'acme/app', role: 'snapshot' },
    ])
      expect((await refusalOf(direct.keys.createKey(wish))).code).toBe(Code.InvalidArgument);
    expect((await refusalOf(direct.keys.deleteKey({ ID: 'a' }))).code).toBe(Code.PermissionDenied);
    expect(await keyNames()).toEqual(names);
  });

  it('sign documents of their role and nothing else', async () => {
    const gun = 'registry.example/acme/typed';
    const key = await direct.keys.createKey({ algorithm: 'ecdsa', gun, role: 'timestamp' });
    const keyID = key.keyInfo?.keyID;
    for (const text of [
      '',
      '{}',
      'a'.repeat(32),
      '{"_type":"Snapshot","expires":"2030-01-01T00:00:00Z","meta":{},"version":1}',
    ])
      expect((await refusalOf(direct.signer.sign({ keyID, content: Buffer.from(text) }))).code).toBe(
        Code.InvalidArgument,
      );
    const tooLarge = await refusalOf(direct.signer.sign({ keyID, content: Buffer.alloc(5 * 1024 * 1024) }));
    expect(tooLarge.code).toBe(Code.ResourceExhausted);
  });
});

describe('the connection', () => {
  it('is refused without a certificate, or with one of another authority', async () => {
    using stranger = new TestAuthority('somebody else');
    using nobody = new SignerClient(gateway.port, authority);
    using foreign = new SignerClient(gateway.port, authority, stranger.client('foreign'));
    for (const client of [nobody, foreign]) await refusalOf(client.health.check({}));
    const reasons = (): readonly string[] =>
      gateway.log().flatMap((line) => (line['msg'] === 'connection refused' ? [String(line['reason'])] : []));
    await expect
      .poll(reasons)
      .toEqual([
        expect.stringContaining('peer did not return a certificate'),
        'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      ]);
    expect((await direct.health.check({})).status).toBe(Serving.SERVING);
  });

  it('survives garbage', async () => {
    const identity = authority.client('garbage');
    const session = connectHttp2(`https://localhost:${gateway.port}`, {
      ca: readFileSync(authority.certificate),
      cert: readFileSync(identity.certificate),
      key: readFileSync(identity.key),
    });
    const bodies = [
      Buffer.alloc(0),
      Buffer.alloc(3),
      Buffer.from([0, 0, 0, 0, 9, 1, 2]),
      Buffer.from([1, 0, 0, 0, 1, 7]),
      Buffer.alloc(64, 0xff),
    ];
    const paths = ['/proto.Signer/Sign', '/proto.KeyManagement/CreateKey', '/proto.Signer/Unknown', '/'];
    for (const path of paths) {
      for (const body of bodies) {
        const stream = session.request({
          ':method': 'POST',
          ':path': path,
          'content-type': 'application/grpc',
          te: 'trailers',
        });
        stream.end(body);
        stream.resume();
        await new Promise((resolve) => stream.on('close', resolve));
      }
    }
    session.destroy();
    expect((await direct.health.check({})).status).toBe(Serving.SERVING);
    expect((await refusalOf(direct.health.check({ service: 'other' }))).code).toBe(Code.NotFound);
  });
});

describe('the program', () => {
  it('is a process that nobody looks into, and keeps no environment it does not need', async () => {
    const about = (name: string): string => readFileSync(`/proc/${gateway.pid}/${name}`, 'utf8');
    expect(about('status')).toMatch(/^NoNewPrivs:\s+1$/m);
    expect(about('limits')).toMatch(/^Max core file size\s+0\s+0/m);
    const names = about('environ')
      .split('\0')
      .map((line) => line.split('=')[0]);
    expect(names).toContain('TOUCHSTONE_SOCK');
    expect(names).not.toContain('SOFTHSM2_CONF');
    process.kill(gateway.pid, 'SIGUSR1');
    expect((await direct.health.check({})).status).toBe(Serving.SERVING);
    expect(gateway.tail()).not.toContain('Debugger listening');
  });

  it('does not start with a key that others can read, or with files that are none', async () => {
    const files = authority.server('careless');
    const argv = [
      'gateway',
      'notary-signer',
      '--listen',
      '127.0.0.1:0',
      '--client-ca',
      authority.certificate,
    ];
    chmodSync(files.key, 0o644);
    const readable = await agent.touchstone([
      ...argv,
      '--tls-cert',
      files.certificate,
      '--tls-key',
      files.key,
    ]);
    expect(readable.status).not.toBe(0);
    expect(readable.stderr).toContain('group or others may read it');
    chmodSync(files.key, 0o600);
    const swapped = await agent.touchstone([...argv, '--tls-cert', files.key, '--tls-key', files.key]);
    expect(swapped.status).toBe(2);
    expect(swapped.stderr).toContain('reading certificate, key and authority');
    const taken = [
      '--listen',
      `127.0.0.1:${gateway.port}`,
      '--tls-cert',
      files.certificate,
      '--tls-key',
      files.key,
    ];
    const second = await agent.touchstone([...argv, ...taken]);
    expect(second.stderr).toContain('EADDRINUSE');
    const odd = await agent.touchstone([
      ...argv,
      '--tls-cert',
      files.certificate,
      '--tls-key',
      files.key,
      '--listen',
      'here',
    ]);
    expect(odd.stderr).toContain('write HOST:PORT');
  });
});
