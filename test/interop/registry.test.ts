/** The registry client against the distribution's docker-registry and a registry of OCI 1.1: content, credentials, TLS, misbehaviour. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseImageReference } from '../../src/registry/image-reference.js';
import { EMPTY_DESCRIPTOR, EMPTY_JSON, MANIFEST_TYPE, readIndex } from '../../src/registry/manifest.js';
import { Repository } from '../../src/registry/repository.js';
import type { SessionOptions } from '../../src/registry/registry-session.js';
import { editTag } from '../../src/registry/tag-edit.js';
import { DockerRegistry } from '../support/docker-registry.js';
import { rejectionOf } from '../support/rejection.js';
import { OciRegistry } from '../support/oci-registry.js';
import { pushImage } from '../support/pushed-image.js';

const USER_PASSWORD = 'builder:open sesame:with colon';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'touchstone-docker-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function open(host: string, options: Partial<SessionOptions> = {}): Repository {
  const env = { PATH: `${folder}:${process.env['PATH'] ?? ''}` };
  return new Repository(parseImageReference(`${host}/acme/app`), {
    env,
    home: folder,
    deadline: Date.now() + 20_000,
    ...options,
  });
}

function dockerConfig(config: object): void {
  mkdirSync(path.join(folder, '.docker'), { recursive: true });
  writeFileSync(path.join(folder, '.docker', 'config.json'), JSON.stringify(config));
}

function authConfig(host: string): object {
  return { auths: { [host]: { auth: Buffer.from(USER_PASSWORD).toString('base64') } } };
}

async function attachOne(repository: Repository, digest: string, salt: string): Promise<string> {
  const { descriptor: subject } = await repository.manifest(digest);
  await repository.putBlob(EMPTY_DESCRIPTOR.mediaType, EMPTY_JSON);
  const stored = await repository.attach({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    artifactType: 'application/x-test',
    config: EMPTY_DESCRIPTOR,
    layers: [await repository.putBlob('text/plain', Buffer.from(salt))],
    subject,
  });
  return stored.digest;
}

describe('content', () => {
  it('goes into docker-registry and comes back, referrers by way of the fallback tag', async () => {
    await using registry = await DockerRegistry.start();
    const repository = open(registry.host);
    const digest = await pushImage(repository, '1.0');
    expect((await repository.manifest('1.0')).descriptor.digest).toBe(digest);
    expect(await repository.findManifest('2.0')).toBeUndefined();
    expect(await repository.referrers(digest)).toEqual([]);
    const artifact = await attachOne(repository, digest, 'one');
    const [listed] = await repository.referrers(digest);
    expect([listed?.digest, listed?.artifactType]).toEqual([artifact, 'application/x-test']);
    const fallback = await repository.manifest(digest.replace(':', '-'));
    expect(readIndex(fallback.content).map((one) => one.digest)).toEqual([artifact]);
  });

  it('uses the referrers API where there is one, and leaves no fallback tag', async () => {
    await using registry = await OciRegistry.start();
    const repository = open(registry.host);
    const digest = await pushImage(repository, '1.0');
    const artifact = await attachOne(repository, digest, 'one');
    expect((await repository.referrers(digest)).map((one) => one.digest)).toEqual([artifact]);
    expect(registry.manifest('acme/app', digest.replace(':', '-'))).toBeUndefined();
  });

  it('is refused when its digest is another', async () => {
    const wrong: { digest?: string } = {};
    await using registry = await OciRegistry.start({
      intercept: (method, where, response) => {
        if (method !== 'GET' || wrong.digest === undefined || !where.includes(wrong.digest)) return false;
        response.writeHead(200, { 'content-type': MANIFEST_TYPE }).end('{"layers":[]}');
        return true;
      },
    });
    const repository = open(registry.host);
    const digest = await pushImage(repository, '1.0');
    wrong.digest = digest;
    expect((await rejectionOf(repository.manifest(digest))).code).toBe('registry.reply');
    const blob = await repository.putBlob('text/plain', Buffer.from('blob'));
    wrong.digest = blob.digest;
    expect((await rejectionOf(repository.blob(blob))).code).toBe('registry.reply');
  });
});

describe('many writers of one tag', () => {
  it('lose nothing of each other in docker-registry', async () => {
    await using registry = await DockerRegistry.start();
    const digest = await pushImage(open(registry.host), '1.0');
    const artifacts = await Promise.all(
      Array.from({ length: 8 }, (_, writer) => attachOne(open(registry.host), digest, `writer ${writer}`)),
    );
    const listed = (await open(registry.host).referrers(digest)).map((one) => one.digest);
    expect(new Set(listed)).toEqual(new Set(artifacts));
    expect(listed).toHaveLength(8);
  });

  it('give up with a reason when others always win', async () => {
    await using registry = await OciRegistry.start();
    const repository = open(registry.host);
    let round = 0;
    const edit = editTag(repository, {
      tag: 'contended',
      mediaType: MANIFEST_TYPE,
      isDone: () => false,
      edit: async () => {
        round += 1;
        await pushImage(repository, 'contended', `other ${round}`);
        return Buffer.from('{}');
      },
    });
    expect((await rejectionOf(edit)).code).toBe('registry.busy');
  });

  it('are made again when the registry forgets a blob for an instant, as docker-registry does under load', async () => {
    let refusals = 0;
    await using registry = await OciRegistry.start({
      referrers: false,
      intercept: (method, where, response) => {
        if (method !== 'PUT' || !where.includes('/manifests/') || refusals === 0) return false;
        refusals -= 1;
        response.writeHead(400).end('{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}');
        return true;
      },
    });
    const repository = open(registry.host);
    const digest = await pushImage(repository, '1.0');
    refusals = 2;
    const artifact = await attachOne(repository, digest, 'one');
    refusals = 2;
    const other = await attachOne(repository, digest, 'two');
    expect((await repository.referrers(digest)).map((one) => one.digest)).toEqual([artifact, other]);
    const written = registry.log.filter((line) => /^PUT .*\/manifests\/sha256-/.test(line));
    expect([refusals, written.length]).toEqual([0, 2]);
    refusals = 1;
    const edit = editTag(repository, {
      tag: 'edited',
      mediaType: MANIFEST_TYPE,
      isDone: (current) => current !== undefined,
      edit: async () => (await repository.manifest(artifact)).content,
    });
    await edit;
    expect((await repository.manifest('edited')).descriptor.digest).toBe(artifact);
    expect(refusals).toBe(0);
  });
});

describe('credentials', () => {
  it.each(['basic', 'bearer'] as const)('%s: from config.json', async (kind) => {
    await using registry = await OciRegistry.start({ login: { kind, userPassword: USER_PASSWORD } });
    expect((await rejectionOf(open(registry.host).manifest('1.0'))).code).toBe('registry.denied');
    dockerConfig(authConfig(registry.host));
    const repository = open(registry.host);
    const digest = await pushImage(repository, '1.0');
    expect((await repository.manifest('1.0')).descriptor.digest).toBe(digest);
    if (kind === 'bearer') {
      const asked = registry.log.filter((line) => line.includes('/token'));
      // One token to pull, one to push, and the one that was refused.
      expect(asked).toHaveLength(3);
    }
  });

  it('from a credential helper, which gets the registry on standard input', async () => {
    await using registry = await OciRegistry.start({ login: { kind: 'basic', userPassword: USER_PASSWORD } });
    const [user, ...rest] = USER_PASSWORD.split(':');
    const helper = path.join(folder, 'docker-credential-demo');
    const answer = JSON.stringify({ Username: user, Secret: rest.join(':') });
    writeFileSync(
      helper,
      `#!/bin/sh\n[ "$1" = get ] && read server && [ "$server" = ${registry.host} ] && echo '${answer}'\n`,
    );
    chmodSync(helper, 0o755);
    dockerConfig({ credHelpers: { [registry.host]: 'demo' } });
    await pushImage(open(registry.host), '1.0');
    dockerConfig({ credHelpers: { [registry.host]: 'absent' } });
    expect((await rejectionOf(open(registry.host).manifest('1.0'))).code).toBe('registry.denied');
  });

  it('do not follow a redirect to another place', async () => {
    await using store = await OciRegistry.start();
    await using registry = await OciRegistry.start({
      login: { kind: 'basic', userPassword: USER_PASSWORD },
      blobOrigin: `http://${store.host}`,
    });
    dockerConfig(authConfig(registry.host));
    const repository = open(registry.host);
    const blob = await open(store.host).putBlob('text/plain', Buffer.from('elsewhere'));
    await repository.putBlob('text/plain', Buffer.from('elsewhere'));
    expect((await repository.blob(blob)).toString()).toBe('elsewhere');
    expect(store.log.at(-1)).toBe(`GET /v2/acme/app/blobs/${blob.digest} none`);
  });
});

describe('TLS', () => {
  it('trusts the authority it is given and no other', async () => {
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
        ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'],
        ...['-keyout', path.join(folder, 'key.pem'), '-out', path.join(folder, 'cert.pem')],
      ],
      { stdio: 'ignore' },
    );
    const [key, cert] = ['key.pem', 'cert.pem'].map((name) => readFileSync(path.join(folder, name), 'utf8'));
    await using registry = await OciRegistry.start({ tls: { key: key ?? '', cert: cert ?? '' } });
    await pushImage(open(registry.host, { ca: cert }), '1.0');
    const certs = path.join(folder, '.docker', 'certs.d', registry.host);
    mkdirSync(certs, { recursive: true });
    writeFileSync(path.join(certs, 'ca.crt'), cert ?? '');
    expect(await open(registry.host).findManifest('1.0')).toBeDefined();
    rmSync(certs, { recursive: true });
    const stranger = open(registry.host.replace('localhost', 'localhost.localdomain'), { ca: cert });
    expect((await rejectionOf(stranger.findManifest('1.0'))).code).toBe('registry.unreachable');
  });
});

describe('a registry that misbehaves', () => {
  it.each([
    ['nobody listens', 'registry.unreachable', undefined],
    ['errors of its own', 'registry.reply', 500],
    ['too many requests', 'registry.reply', 429],
    ['a redirect without end', 'registry.reply', 302],
  ] as const)('%s', async (_name, code, status) => {
    const place: { host?: string } = {};
    const registry = await OciRegistry.start({
      intercept: (_method, _where, response) => {
        response.writeHead(status ?? 200, { location: `http://${place.host ?? ''}/again` }).end();
        return true;
      },
    });
    place.host = registry.host;
    if (status === undefined) await registry[Symbol.asyncDispose]();
    expect((await rejectionOf(open(registry.host).manifest('1.0'))).code).toBe(code);
    await registry[Symbol.asyncDispose]();
  });

  it('recovers: what was asked is asked again, but no upload is sent twice', async () => {
    const troubles = [500, 429];
    await using registry = await OciRegistry.start({
      intercept: (method, where, response) => {
        const isUpload = method === 'PUT' && where.includes('/uploads/');
        const status = isUpload ? 500 : troubles.pop();
        if (status !== undefined) response.writeHead(status).end();
        return status !== undefined;
      },
    });
    const repository = open(registry.host);
    expect(await repository.findManifest('absent')).toBeUndefined();
    expect(registry.log).toHaveLength(3);
    const upload = repository.putBlob('text/plain', Buffer.from('once'));
    expect((await rejectionOf(upload)).code).toBe('registry.reply');
    expect(registry.log.filter((line) => line.startsWith('PUT '))).toHaveLength(1);
  });

  it('never answers: the deadline ends it', async () => {
    await using registry = await OciRegistry.start({ intercept: () => true });
    const slow = open(registry.host, { deadline: Date.now() + 300 });
    expect((await rejectionOf(slow.manifest('1.0'))).code).toBe('limits.deadline');
  });

  it('sends more than anybody reads', async () => {
    await using registry = await OciRegistry.start({
      intercept: (_method, _where, response) => {
        response.writeHead(200, { 'content-type': MANIFEST_TYPE }).end(Buffer.alloc(5 * 1024 * 1024));
        return true;
      },
    });
    expect((await rejectionOf(open(registry.host).manifest('1.0'))).code).toBe('registry.reply');
  });
});
