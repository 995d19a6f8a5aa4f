/** Certificates from an on-token authority, the Notation plugin as notation drives it, and images signed for Notation; OpenSSL judges. */
import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  verify as cryptoVerify,
  X509Certificate,
} from 'node:crypto';
import { existsSync, lstatSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyIdOf } from '../../src/crypto/key-id.js';
import { buildNotationPayload } from '../../src/formats/notation.js';
import { publishNotation, readNotation } from '../../src/images/notation-referrers.js';
import { parseImageReference } from '../../src/registry/image-reference.js';
import { Repository } from '../../src/registry/repository.js';
import { connectTo, outcomeOf } from '../support/agent-client.js';
import { runProgram, startDemoAgent, type CommandResult, type DemoAgent } from '../support/demo-agent.js';
import { DockerRegistry } from '../support/docker-registry.js';
import { OciRegistry } from '../support/oci-registry.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { pushImage } from '../support/pushed-image.js';
import { tbsBytes } from '../support/signable-bytes.js';

const PLUGIN = path.join(PROJECT_ROOT, 'dist/bin/notation-touchstone.js');
const CA = 'touchstone/ca#x509-ca';
const SUBJECT = 'C=DE,ST=Berlin,O=Acme';
const TARGET = {
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  digest: `sha256:${'5a'.repeat(32)}`,
  size: 7,
};

let agent: DemoAgent;
let modern: OciRegistry;
let distribution: DockerRegistry;
let rootFile: string;
beforeAll(async () => {
  [agent, modern, distribution] = await Promise.all([
    startDemoAgent(),
    OciRegistry.start(),
    DockerRegistry.start(),
  ]);
  await agent.must(['key', 'create', CA, '--token', 'release']);
  await agent.must(['cert', 'init', '--subject', SUBJECT]);
  for (const { host } of [modern, distribution]) {
    for (const role of ['cosign', 'notation']) await agent.derive(`${host}/acme/app#${role}`);
    await agent.must(['cert', 'issue', `${host}/acme/app#notation`]);
  }
  rootFile = path.join(agent.folder, 'root.pem');
  writeFileSync(rootFile, await agent.must(['cert', 'show']));
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
  await modern[Symbol.asyncDispose]();
  await distribution[Symbol.asyncDispose]();
});

function fileOf(name: string, content: string | Buffer): string {
  const file = path.join(agent.folder, name);
  writeFileSync(file, content);
  return file;
}

async function openssl(...argv: readonly string[]): Promise<string> {
  const result = await runProgram('openssl', argv);
  return `${result.status} ${result.stdout}${result.stderr}`;
}

async function leafFile(host: string): Promise<string> {
  const [leaf = ''] = (await agent.must(['cert', 'show', `${host}/acme/app#notation`])).split(
    /(?<=END CERTIFICATE-----\n)/,
  );
  return fileOf('leaf.pem', leaf);
}

describe('touchstone cert', () => {
  it('makes a chain that OpenSSL accepts at its strictest, with the extensions that Notation demands', async () => {
    const leaf = await leafFile(modern.host);
    expect(await openssl('verify', '-x509_strict', '-CAfile', rootFile, leaf)).toMatch(/^0 .*: OK/);
    const shown = await openssl('x509', '-noout', '-text', '-in', leaf);
    expect(shown).toMatch(/X509v3 Key Usage: critical\s+Digital Signature\n/);
    expect(shown).toMatch(/X509v3 Basic Constraints: critical\s+CA:FALSE/);
    expect(shown).toMatch(/X509v3 Extended Key Usage:\s+Code Signing\n/);
    expect(shown).toContain(`Subject: C = DE, ST = Berlin, O = Acme, CN = ${modern.host}/acme/app`);
    const root = await openssl('x509', '-noout', '-text', '-in', rootFile);
    expect(root).toMatch(/X509v3 Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
    expect(root).toMatch(/X509v3 Key Usage: critical\s+Certificate Sign, CRL Sign\n/);
  });

  it('renews: another certificate for the same key', async () => {
    const name = `${modern.host}/acme/app#notation`;
    const serial = async (): Promise<X509Certificate> =>
      new X509Certificate(await agent.must(['cert', 'show', name]));
    const before = await serial();
    await agent.must(['cert', 'issue', name, '--days', '30']);
    const after = await serial();
    expect(after.serialNumber).not.toBe(before.serialNumber);
    expect(after.publicKey.equals(before.publicKey)).toBe(true);
    expect((await agent.touchstone(['cert', 'init', '--subject', SUBJECT])).status).toBe(2);
  });

  it('keeps the authority on the token, apart from the root, and for certificates only', async () => {
    const derived = await agent.touchstone(['key', 'derive', 'touchstone/other#x509-ca']);
    expect([derived.status, derived.stderr]).toEqual([3, expect.stringContaining('touchstone key create')]);
    const { keys } = JSON.parse(await agent.must(['key', 'list', '--json'])) as {
      readonly keys: readonly {
        readonly name: string;
        readonly keyId?: string;
        readonly homes: readonly object[];
      }[];
    };
    const ca = keys.find(({ name }) => name === CA);
    const spki = createPublicKey(readFileSync(rootFile)).export({ format: 'der', type: 'spki' });
    expect(ca).toMatchObject({ keyId: keyIdOf(spki), homes: [expect.anything()] });
    expect(keys.find(({ name }) => name.endsWith('#root'))?.keyId).not.toBe(ca?.keyId);
    using client = await connectTo(agent);
    // An authority that is not this key would be a way around it.
    const foreign = { key: CA, kind: 'x509.tbs', payload: tbsBytes('authority') };
    expect(await outcomeOf(client, foreign)).toBe('key.usage');
    const payload = buildNotationPayload(TARGET, new Date());
    expect(await outcomeOf(client, { key: CA, kind: 'notation.payload', payload })).toBe('statement.kind');
    const leafKey = { key: `${modern.host}/acme/app#notation`, kind: 'x509.tbs', payload: tbsBytes('leaf') };
    expect(await outcomeOf(client, leafKey)).toBe('statement.kind');
  });

  it('says what is missing', async () => {
    const cases: readonly (readonly [readonly string[], string])[] = [
      [['cert', 'init', '--subject', 'C=DE', '--renew'], 'C, ST and O are needed'],
      [['cert', 'issue', `${modern.host}/acme/app#cosign`], 'with the role notation'],
      [
        ['cert', 'show', 'docker.io/acme/none#notation'],
        'there is no certificate of docker.io/acme/none#notation',
      ],
      [['cert', 'issue', 'docker.io/acme/none#notation'], 'key list'],
    ];
    for (const [argv, words] of cases) {
      const result = await agent.touchstone(argv);
      expect([result.status, result.stderr]).toEqual([2, expect.stringContaining(words)]);
    }
  });
});

function plugin(
  command: string,
  request: object | string,
  environment = agent.environment,
): Promise<CommandResult> {
  const input = typeof request === 'string' ? request : JSON.stringify(request);
  return runProgram(process.execPath, [PLUGIN, command], { environment, input });
}

describe('the Notation plugin', () => {
  const keyId = (): string => `${modern.host}/acme/app`;
  const request = (payload: Buffer): object => ({
    contractVersion: '1.0',
    keyId: keyId(),
    keySpec: 'EC-256',
    hashAlgorithm: 'SHA-256',
    payload: payload.toString('base64'),
  });

  it('says what it is and what its keys are', async () => {
    const metadata = JSON.parse((await plugin('get-plugin-metadata', {})).stdout) as Readonly<
      Record<string, unknown>
    >;
    expect(Object.keys(metadata).sort()).toEqual(
      ['capabilities', 'description', 'name', 'supportedContractVersions', 'url', 'version'].sort(),
    );
    expect([metadata['name'], metadata['supportedContractVersions'], metadata['capabilities']]).toEqual([
      'touchstone',
      ['1.0'],
      ['SIGNATURE_GENERATOR.RAW'],
    ]);
    const described = await plugin('describe-key', { contractVersion: '1.0', keyId: keyId() });
    expect([described.stdout, described.stderr]).toEqual([`{"keyId":"${keyId()}","keySpec":"EC-256"}`, '']);
  });

  it('signs the payload as r||s and brings the whole chain', async () => {
    const payload = buildNotationPayload(TARGET, new Date());
    const result = await plugin('generate-signature', request(payload));
    expect([result.status, result.stderr]).toEqual([0, '']);
    const answer = JSON.parse(result.stdout) as {
      readonly keyId: string;
      readonly signature: string;
      readonly signingAlgorithm: string;
      readonly certificateChain: readonly string[];
    };
    expect([answer.keyId, answer.signingAlgorithm]).toEqual([keyId(), 'ECDSA-SHA-256']);
    const [leaf, root] = answer.certificateChain.map(
      (one) => new X509Certificate(Buffer.from(one, 'base64')),
    );
    expect(root?.raw.equals(new X509Certificate(readFileSync(rootFile)).raw)).toBe(true);
    const key = { key: leaf?.publicKey ?? createPublicKey(''), dsaEncoding: 'ieee-p1363' } as const;
    expect(cryptoVerify('sha256', payload, key, Buffer.from(answer.signature, 'base64'))).toBe(true);
  });

  it('answers every trouble with one error document on standard error, in the words of the contract', async () => {
    const payload = buildNotationPayload(TARGET, new Date());
    const good = request(payload);
    const elsewhere = { ...agent.environment, TOUCHSTONE_SOCK: path.join(agent.folder, 'nobody.sock') };
    await agent.derive('docker.io/acme/bare#notation');
    const cases: readonly (readonly [string, Promise<CommandResult>, string])[] = [
      [
        'UNSUPPORTED_CONTRACT_VERSION',
        plugin('describe-key', { contractVersion: '2.0', keyId: keyId() }),
        'contract 1.0',
      ],
      ['VALIDATION_ERROR', plugin('describe-key', { contractVersion: '1.0' }), 'keyId is missing'],
      ['VALIDATION_ERROR', plugin('describe-key', '{"a":1,"a":2}'), 'a duplicate key'],
      ['VALIDATION_ERROR', plugin('describe-key', { contractVersion: '1.0', keyId: 'unknown' }), 'key list'],
      ['VALIDATION_ERROR', plugin('generate-signature', { ...good, keySpec: 'EC-384' }), 'EC-256'],
      ['VALIDATION_ERROR', plugin('generate-signature', { ...good, payload: '!' }), 'payload'],
      [
        'VALIDATION_ERROR',
        plugin('generate-signature', request(Buffer.from('\u0084jSignature1 of COSE'))),
        'ES256',
      ],
      [
        'VALIDATION_ERROR',
        plugin('generate-signature', { ...good, keyId: 'docker.io/acme/bare' }),
        'cert issue',
      ],
      ['VALIDATION_ERROR', plugin('generate-envelope', good), 'generate-signature'],
      ['ERROR', plugin('generate-signature', good, elsewhere), 'no agent answers'],
    ];
    for (const [code, running, words] of cases) {
      const { status, stdout, stderr } = await running;
      const document = JSON.parse(stderr) as { readonly errorCode: string; readonly errorMessage: string };
      expect([status, stdout, document.errorCode, document.errorMessage]).toEqual([
        1,
        '',
        code,
        expect.stringContaining(words),
      ]);
    }
  });

  it('is installed as a real file where notation looks, and tried', async () => {
    const environment = { ...agent.environment, NOTATION_CONFIG: path.join(agent.folder, 'notation') };
    const integrate = (...argv: readonly string[]): Promise<CommandResult> =>
      agent.touchstone(['integrate', 'notation', ...argv], { environment });
    const file = path.join(agent.folder, 'notation/plugins/touchstone/notation-touchstone');
    expect((await integrate()).stdout).toBe(`written: ${file}\n`);
    expect([lstatSync(file).isFile(), lstatSync(file).mode & 0o111]).toEqual([true, 0o111]);
    const asked = await runProgram(file, ['get-plugin-metadata'], { input: '{}' });
    expect(asked.stdout).toContain('"name":"touchstone"');
    await integrate('--undo');
    expect(existsSync(file)).toBe(false);
  });
});

async function signedImage(
  host: string,
  tag: string,
): Promise<{ image: string; repository: Repository; digest: string }> {
  const image = `${host}/acme/app:${tag}`;
  const options = { env: {}, home: agent.folder, deadline: Date.now() + 60_000 };
  const repository = new Repository(parseImageReference(image), options);
  const digest = await pushImage(repository, tag, tag);
  const signed = await agent.must(['sign', 'image', '--key', `${host}/acme/app#cosign`, image, '--json']);
  expect(JSON.parse(signed)).toMatchObject({
    notation: true,
    auditIds: [expect.any(Number), expect.any(Number), expect.any(Number)],
  });
  return { image, repository, digest };
}

describe('touchstone sign image with a chain', () => {
  it('stores all three forms, in either kind of registry; each verifies', async () => {
    for (const { host } of [modern, distribution]) {
      const { image, repository, digest } = await signedImage(host, 'three');
      const all = await agent.touchstone(['verify', 'image', '--key', `${host}/acme/app#cosign`, image]);
      expect(all.stdout).toMatch(/\(simple-signing, bundle, notation\)\n$/);
      const stranger = {
        ...agent.environment,
        TOUCHSTONE_CONFIG: path.join(agent.folder, 'nothing/touchstone.toml'),
      };
      const only = await agent.touchstone(['verify', 'image', '--notation-ca', rootFile, image], {
        environment: stranger,
      });
      expect(only.stdout).toMatch(/signed with C=DE,ST=Berlin,O=Acme,CN=.*\(notation\)\n$/);
      const [envelope, ...more] = await readNotation(repository, digest);
      expect(more).toEqual([]);
      const jws = JSON.parse(envelope?.toString('utf8') ?? '') as Readonly<
        Record<'payload' | 'protected' | 'signature', string>
      >;
      const key = {
        key: createPublicKey(readFileSync(await leafFile(host))),
        dsaEncoding: 'ieee-p1363',
      } as const;
      const input = Buffer.from(`${jws.protected}.${jws.payload}`);
      expect(cryptoVerify('sha256', input, key, Buffer.from(jws.signature, 'base64url'))).toBe(true);
      expect(JSON.parse(Buffer.from(jws.payload, 'base64url').toString('utf8'))).toMatchObject({
        targetArtifact: { digest },
      });
    }
  });

  it('names the chain by thumbprints, and the artifact by the type that notation looks for', async () => {
    const { repository, digest } = await signedImage(modern.host, 'artifact');
    const listed = (await repository.referrers(digest)).find(
      (one) => one.artifactType?.includes('notary') === true,
    );
    const manifest = JSON.parse(
      (await repository.manifest(listed?.digest ?? '')).content.toString('utf8'),
    ) as {
      readonly artifactType: string;
      readonly config: { readonly mediaType: string };
      readonly layers: readonly { readonly mediaType: string }[];
      readonly annotations: Readonly<Record<string, string>>;
    };
    expect([manifest.artifactType, manifest.config.mediaType, manifest.layers[0]?.mediaType]).toEqual([
      'application/vnd.cncf.notary.signature',
      'application/vnd.cncf.notary.signature',
      'application/jose+json',
    ]);
    const root = createHash('sha256')
      .update(new X509Certificate(readFileSync(rootFile)).raw)
      .digest('hex');
    const thumbprints = JSON.parse(
      manifest.annotations['io.cncf.notary.x509chain.thumbprint#S256'] ?? '[]',
    ) as string[];
    expect([thumbprints.length, thumbprints[1]]).toEqual([2, root]);
  });

  it('counts nothing from another authority, about another image, or changed', async () => {
    const { image, repository, digest } = await signedImage(modern.host, 'judged');
    const verify = (ca: string, at: string): Promise<CommandResult> =>
      agent.touchstone(['verify', 'image', '--notation-ca', ca, at]);
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const keyFile = fileOf('other.key', privateKey.export({ format: 'pem', type: 'pkcs8' }));
    const otherRoot = path.join(agent.folder, 'other.pem');
    await openssl(
      'req',
      '-x509',
      '-new',
      '-key',
      keyFile,
      '-subj',
      '/C=DE/ST=Berlin/O=Acme/CN=Other',
      '-out',
      otherRoot,
    );
    const other = await verify(otherRoot, image);
    expect([other.status, other.stderr]).toEqual([6, expect.stringContaining('not of a trusted authority')]);
    const [envelope = Buffer.alloc(0)] = await readNotation(repository, digest);
    const bare = `${modern.host}/acme/app:bare`;
    const bareDigest = await pushImage(repository, 'bare', 'bare');
    const { descriptor } = await repository.manifest(bareDigest);
    await publishNotation(repository, descriptor, envelope, []);
    expect((await verify(rootFile, bare)).stderr).toContain('about another image');
    const jws = JSON.parse(envelope.toString('utf8')) as { payload: string };
    const payload = Buffer.from(jws.payload, 'base64url').toString('utf8').replace(digest, bareDigest);
    const changed = { ...jws, payload: Buffer.from(payload).toString('base64url') };
    await publishNotation(repository, descriptor, Buffer.from(JSON.stringify(changed)), []);
    expect((await verify(rootFile, bare)).stderr).toContain('the signature is wrong');
  });

  it('asks for a new certificate after the key moved on', async () => {
    const host = modern.host;
    const image = `${host}/acme/app:rotated`;
    await pushImage(
      new Repository(parseImageReference(image), {
        env: {},
        home: agent.folder,
        deadline: Date.now() + 60_000,
      }),
      'rotated',
    );
    await agent.must(['key', 'rotate', `${host}/acme/app#notation`]);
    const refused = await agent.touchstone(['sign', 'image', '--key', `${host}/acme/app#cosign`, image]);
    expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining('cert issue')]);
    await agent.must(['cert', 'issue', `${host}/acme/app#notation`]);
    await agent.must(['sign', 'image', '--key', `${host}/acme/app#cosign`, image]);
  });
});
