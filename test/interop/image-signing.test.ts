/** Images signed in registries: what OpenSSL and the sigstore project's verifier think of it, what ours refuses, many signers at once. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readBundles } from '../../src/images/bundle-referrers.js';
import { publishSimpleSignature, readEnvelopes, readSimpleSignatures } from '../../src/images/cosign-tags.js';
import { parseImageReference } from '../../src/registry/image-reference.js';
import { Repository } from '../../src/registry/repository.js';
import { startDemoAgent, type CommandResult, type DemoAgent } from '../support/demo-agent.js';
import { DockerRegistry } from '../support/docker-registry.js';
import { OciRegistry } from '../support/oci-registry.js';
import { pushImage } from '../support/pushed-image.js';
import { SigstoreClient } from '../support/sigstore-client.js';
import { sigstoreAccepts } from '../support/sigstore-verdict.js';

const SLSA = 'https://slsa.dev/provenance/v1';

let agent: DemoAgent;
let distribution: DockerRegistry;
let modern: OciRegistry;
let sigstore: SigstoreClient;
beforeAll(async () => {
  sigstore = new SigstoreClient();
  [agent, distribution, modern] = await Promise.all([
    startDemoAgent(),
    DockerRegistry.start(),
    OciRegistry.start(),
  ]);
  for (const { host } of [distribution, modern]) await agent.derive(`${host}/acme/app#cosign`);
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
  await distribution[Symbol.asyncDispose]();
  await modern[Symbol.asyncDispose]();
  sigstore[Symbol.dispose]();
});

/** What the project's verifier says, and what its package for users says. */
async function acceptedBySigstore(bundle: Buffer | undefined, pem: string): Promise<readonly boolean[]> {
  const bytes = bundle ?? Buffer.alloc(0);
  return [sigstoreAccepts(bytes, pem), await sigstore.accepts(bytes, pem)];
}

interface Place {
  readonly image: string;
  readonly key: string;
  readonly repository: Repository;
  readonly digest: string;
  /** PEM of the key, and the file that holds it. */
  readonly pem: string;
  readonly pemFile: string;
}

async function place(host: string, tag: string): Promise<Place> {
  const reference = parseImageReference(`${host}/acme/app:${tag}`);
  const options = { env: {}, home: agent.folder, deadline: Date.now() + 60_000 };
  const repository = new Repository(reference, options);
  const key = `${host}/acme/app#cosign`;
  const pem = await agent.must(['key', 'export', key]);
  const pemFile = path.join(agent.folder, `${tag}.pem`);
  writeFileSync(pemFile, pem);
  return {
    image: `${host}/acme/app:${tag}`,
    key,
    repository,
    digest: await pushImage(repository, tag, tag),
    pem,
    pemFile,
  };
}

function hosts(): readonly (readonly [string, string])[] {
  return [
    ['docker-registry', distribution.host],
    ['a registry with referrers', modern.host],
  ];
}

function fileOf(name: string, content: string | Buffer): string {
  const file = path.join(agent.folder, name);
  writeFileSync(file, content);
  return file;
}

describe('touchstone sign image', () => {
  it('stores both forms; OpenSSL and sigstore accept them, in either kind of registry', async () => {
    for (const [name, host] of hosts()) {
      const { image, key, repository, digest, pem, pemFile } = await place(host, 'both');
      await agent.must(['sign', 'image', '--key', key, '--annotation', 'build=7', image]);
      const [simple, ...more] = await readSimpleSignatures(repository, digest);
      expect([name, more.length]).toEqual([name, 0]);
      const payload = fileOf('payload', simple?.payload ?? '');
      const signature = fileOf('signature', simple?.signature ?? '');
      const argv = ['dgst', '-sha256', '-verify', pemFile, '-signature', signature, payload];
      expect(execFileSync('openssl', argv).toString()).toContain('Verified OK');
      expect(JSON.parse(simple?.payload.toString('utf8') ?? '')).toEqual({
        critical: {
          identity: { 'docker-reference': image.replace(':both', '') },
          image: { 'docker-manifest-digest': digest },
          type: 'cosign container image signature',
        },
        optional: { build: '7' },
      });
      const [bundle, ...others] = await readBundles(repository, digest);
      expect(others).toEqual([]);
      expect(await acceptedBySigstore(bundle, pem)).toEqual([true, true]);
      const verified = await agent.touchstone(['verify', 'image', '--key-file', pemFile, image]);
      expect(verified.stdout).toMatch(/^good: .*\(simple-signing, bundle\)\n$/);
    }
  });

  it('adds nothing twice to the tag when one key signs again', async () => {
    const { image, key, repository, digest } = await place(modern.host, 'again');
    for (let round = 0; round < 2; round += 1) await agent.must(['sign', 'image', '--key', key, image]);
    expect(await readSimpleSignatures(repository, digest)).toHaveLength(1);
  });

  it('asks once for both signatures', async () => {
    const { image, key } = await place(modern.host, 'once');
    const signed = JSON.parse(await agent.must(['sign', 'image', '--key', key, image, '--json'])) as {
      readonly auditIds: readonly number[];
    };
    const log = JSON.parse(await agent.must(['audit', 'show', '--limit', '20', '--json'])) as {
      readonly records: readonly { readonly seq: number; readonly group?: number; readonly kind?: string }[];
    };
    const lines = log.records.filter(({ seq }) => signed.auditIds.includes(seq));
    expect(lines.map(({ kind }) => kind)).toEqual([
      'oci.simple-signing',
      'dsse:application/vnd.in-toto+json',
    ]);
    expect(new Set(lines.map(({ group }) => group)).size).toBe(1);
  });

  it('says what is wrong: no image, no registry, another repository', async () => {
    const { image, key } = await place(modern.host, 'wrong');
    const sign = (...argv: readonly string[]): Promise<CommandResult> =>
      agent.touchstone(['sign', 'image', '--key', key, ...argv]);
    const missing = await sign(image.replace(':wrong', ':absent'));
    expect([missing.status, missing.stderr]).toEqual([
      1,
      expect.stringContaining('the registry has no absent'),
    ]);
    const down = await sign('localhost:1/acme/app:1.0');
    expect([down.status, down.stderr]).toEqual([1, expect.stringContaining('ECONNREFUSED')]);
    const foreign = await sign('--reference', 'docker.io/library/other', image);
    expect([foreign.status, foreign.stderr]).toEqual([
      3,
      expect.stringContaining('names docker.io/library/other'),
    ]);
  });

  it('loses no signature when many sign at once', async () => {
    const { image, key, repository, digest } = await place(distribution.host, 'many');
    const keys = Array.from({ length: 6 }, (_, index) => `${key}:${index}`).map((name) =>
      name.replace(/:0$/, ''),
    );
    for (const each of keys.slice(1)) await agent.derive(each);
    await Promise.all(keys.map((each) => agent.must(['sign', 'image', '--key', each, image])));
    expect(await readSimpleSignatures(repository, digest)).toHaveLength(keys.length);
    expect(await readBundles(repository, digest)).toHaveLength(keys.length);
    for (const each of keys) await agent.must(['verify', 'image', '--key', each, image]);
  });
});

describe('touchstone verify image', () => {
  it('refuses other keys, other images, and images nobody signed', async () => {
    const { image, key, repository, digest } = await place(modern.host, 'signed');
    const unsigned = await place(modern.host, 'unsigned');
    const other = `${distribution.host}/acme/app#cosign`;
    await agent.must(['sign', 'image', '--key', key, image]);
    const verify = (name: string, at: string): Promise<CommandResult> =>
      agent.touchstone(['verify', 'image', '--key', name, at]);
    const notOurs = await verify(other, image);
    expect([notOurs.status, notOurs.stderr]).toEqual([6, expect.stringContaining('not by the given key')]);
    const nobody = await verify(key, unsigned.image);
    expect([nobody.status, nobody.stderr]).toEqual([6, expect.stringContaining('there is no signature')]);
    // A good signature of one image, copied beside another.
    const [stolen] = await readSimpleSignatures(repository, digest);
    const copy = stolen ?? { payload: Buffer.alloc(0), signature: Buffer.alloc(0) };
    await publishSimpleSignature(repository, unsigned.digest, copy, () => false);
    const copied = await verify(key, unsigned.image);
    expect([copied.status, copied.stderr]).toEqual([6, expect.stringContaining('about another image')]);
    // A payload of ours with somebody else's bytes for a signature.
    const forged = { ...copy, signature: Buffer.from('3006020101020101', 'hex') };
    await publishSimpleSignature(repository, digest, forged, () => false);
    expect((await verify(key, image)).status).toBe(0);
  });
});

describe('touchstone attest', () => {
  it('stores an envelope and a bundle; sigstore accepts it and ours prints the statement', async () => {
    for (const [, host] of hosts()) {
      const { image, key, repository, digest, pem, pemFile } = await place(host, 'attested');
      const predicate = fileOf('predicate.json', '{"buildDefinition":{"buildType":"test"}}');
      const argv = ['--key', key, '--type', 'slsaprovenance1', '--predicate', predicate, image];
      await agent.must(['attest', ...argv]);
      const [bundle] = await readBundles(repository, digest);
      expect(await acceptedBySigstore(bundle, pem)).toEqual([true, true]);
      expect(await readEnvelopes(repository, digest)).toHaveLength(1);
      const check = ['verify', 'attestation', '--key-file', pemFile, image, '--type'];
      const statement = JSON.parse(await agent.must([...check, SLSA])) as object;
      expect(statement).toEqual({
        _type: 'https://in-toto.io/Statement/v1',
        subject: [
          { name: image.replace(':attested', ''), digest: { sha256: digest.slice('sha256:'.length) } },
        ],
        predicateType: SLSA,
        predicate: { buildDefinition: { buildType: 'test' } },
      });
      expect((await agent.touchstone([...check, 'spdxjson'])).status).toBe(6);
      // An attestation is no signature of the image.
      expect((await agent.touchstone(['verify', 'image', '--key-file', pemFile, image])).status).toBe(6);
    }
  });

  it('refuses a predicate that is not JSON, and a type that is none', async () => {
    const { image, key } = await place(modern.host, 'refused');
    const broken = fileOf('broken.json', '{"a":1,"a":2}');
    const argv = ['attest', '--key', key, '--predicate', broken, image, '--type'];
    expect((await agent.touchstone([...argv, SLSA])).stderr).toContain('a duplicate key');
    expect((await agent.touchstone([...argv, 'provenance'])).stderr).toContain('neither a URI nor one of');
  });
});

it('the sigstore verifier refuses what was changed: the second opinion can say no', async () => {
  const { image, key, repository, digest, pem } = await place(modern.host, 'changed');
  await agent.must(['sign', 'image', '--key', key, image]);
  const [bundle] = await readBundles(repository, digest);
  const text = bundle?.toString('utf8') ?? '';
  const payload = /"payload":"([^"]+)"/.exec(text)?.[1] ?? '';
  const other = Buffer.from(payload, 'base64')
    .toString('utf8')
    .replace(/[0-9a-f]{64}/, (hex) => createHash('sha256').update(hex).digest('hex'));
  const changed = text.replace(payload, Buffer.from(other).toString('base64'));
  expect(await acceptedBySigstore(Buffer.from(changed), pem)).toEqual([false, false]);
});
