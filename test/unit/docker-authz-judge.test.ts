/** What the authorization plugin lets through: a judge of images that knows one digest, and everything people try around it. */
import { describe, expect, it } from 'vitest';
import { parseDockerAuthzConfig } from '../../src/gateways/docker-authz/config.js';
import { parseEngineReference } from '../../src/gateways/docker-authz/engine-reference.js';
import type { Entrance } from '../../src/gateways/docker-authz/entrance.js';
import type { ImageJudge, LocalDigests } from '../../src/gateways/docker-authz/image-judge.js';
import type { EngineState } from '../../src/gateways/docker-authz/existing-container.js';
import { readEngineRequest } from '../../src/gateways/docker-authz/request.js';
import { RequestJudge, type RequestVerdict } from '../../src/gateways/docker-authz/request-judge.js';
import { thrownBy } from '../support/error-code.js';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const OTHER = `sha256:${'b'.repeat(64)}`;
const REPOSITORY = 'registry.example/acme/app';
const IMAGE = `${REPOSITORY}@${DIGEST}`;

const images: ImageJudge = {
  judge: ({ repository, digest = DIGEST }) =>
    Promise.resolve(
      repository === REPOSITORY && digest === DIGEST
        ? { allowed: true, digest: DIGEST, reason: 'signed by all' }
        : { allowed: false, reason: 'nobody signed it' },
    ),
};

const ID = '4f'.repeat(32);

/** An engine with one container, `web`. */
function engineWith(digests: readonly string[] | undefined = [IMAGE], host: unknown = {}): EngineState {
  return {
    containers: (reference) =>
      Promise.resolve(
        reference === 'web' || reference === 'beef' || ID.startsWith(reference)
          ? { id: ID, image: `sha256:${'c'.repeat(64)}`, host }
          : undefined,
      ),
    digests: (reference) => Promise.resolve(reference === `sha256:${'c'.repeat(64)}` ? digests : [IMAGE]),
  };
}

interface Asked {
  readonly method?: string;
  readonly body?: unknown;
  readonly type?: string;
}

function ask(
  uri: string,
  { method = 'POST', body, type = 'application/json' }: Asked = {},
  options: {
    readonly open?: readonly Entrance[];
    readonly localDigests?: LocalDigests;
    readonly existing?: EngineState | undefined;
  } = {},
): Promise<RequestVerdict> {
  const { open = ['pull'], localDigests, existing = engineWith() } = options;
  const text = typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body);
  const request = readEngineRequest(
    Buffer.from(
      JSON.stringify({
        RequestMethod: method,
        RequestUri: uri,
        RequestHeaders: { 'Content-Type': type },
        ...(text === '' ? {} : { RequestBody: Buffer.from(text).toString('base64') }),
      }),
    ),
  );
  return new RequestJudge({ images, open: new Set(open), localDigests, existing }).judge(request);
}

async function isAllowed(...asked: Parameters<typeof ask>): Promise<boolean> {
  return (await ask(...asked)).allowed;
}

describe('a container that exists', () => {
  const calls = ['start', 'restart?t=1', 'rename?name=other'];

  it.each(calls)('may %s when any digest of its image is verified, by name and by id', async (call) => {
    const existing = engineWith([`${REPOSITORY}@${OTHER}`, IMAGE]);
    for (const name of ['web', ID, ID.slice(0, 12)])
      expect(await isAllowed(`/v1.41/containers/${name}/${call}`, {}, { existing })).toBe(true);
  });

  it.each(calls)('may not %s otherwise', async (call) => {
    const mounts = { Mounts: [{ Type: 'image', Source: `${REPOSITORY}@${OTHER}` }] };
    const ask1 = (existing: EngineState, name = 'web'): Promise<RequestVerdict> =>
      ask(`/containers/${name}/${call}`, {}, { existing });
    for (const [existing, words] of [
      [engineWith([`${REPOSITORY}@${OTHER}`]), 'nobody signed it'],
      [engineWith([]), 'came from no registry'],
      [engineWith([IMAGE], mounts), 'nobody signed it'],
      [engineWith([IMAGE], { mounts: [] }), 'where the API has'],
      [{ ...engineWith(), digests: () => Promise.resolve(undefined) }, 'no longer has its image'],
      [{ ...engineWith(), containers: () => Promise.reject(new Error('gone')) }, 'cannot be judged'],
    ] as const) {
      const verdict = await ask1(existing);
      expect(verdict.allowed).toBe(false);
      expect(verdict.reason).toContain(words);
    }
    expect((await ask1(engineWith(), 'other')).reason).toContain('has no container other');
    // A name that is written like an id can come to mean another container.
    expect((await ask1(engineWith(), 'beef')).reason).toContain(`use ${ID}`);
  });

  it('is not judged where nobody can ask the engine, and then only starts by rule', async () => {
    const options = { existing: { ...engineWith(), containers: () => Promise.reject(new Error('gone')) } };
    expect(await isAllowed('/containers/web/start', {}, options)).toBe(false);
    expect(await isAllowed('/containers/web/start', {}, { ...options, open: ['start'] })).toBe(true);
  });
});

describe('a container', () => {
  it.each([
    ['/v1.41/containers/create?name=web', { Image: IMAGE }],
    ['/containers/create', { Image: IMAGE, Labels: { a: '1', A: '2' } }],
    ['/v1.41/containers/create', { Image: `${REPOSITORY}:v1@${DIGEST}`, HostConfig: null }],
    [
      '/containers/create',
      { Image: IMAGE, HostConfig: { Mounts: [{ Type: 'bind', Source: '/tmp', Target: '/x' }] } },
    ],
    [
      '/containers/create',
      { Image: IMAGE, HostConfig: { Mounts: [{ Type: 'image', Source: IMAGE, Target: '/x' }] } },
    ],
  ])('starts from the verified digest: %s %j', async (uri, body) => {
    expect(await ask(uri, { body })).toMatchObject({ allowed: true });
  });

  it.each([
    ['a tag', { Image: `${REPOSITORY}:v1` }],
    ['no tag', { Image: REPOSITORY }],
    ['another digest', { Image: `${REPOSITORY}@${OTHER}` }],
    ['another repository', { Image: `registry.example/acme/other@${DIGEST}` }],
    ['an id', { Image: DIGEST }],
    ['an id without its algorithm', { Image: 'a'.repeat(64) }],
    ['another digest algorithm', { Image: `${REPOSITORY}@sha512:${'a'.repeat(128)}` }],
    ['two digests', { Image: `${IMAGE}@${OTHER}` }],
    ['an empty name', { Image: '' }],
    ['no name', { Cmd: ['sh'] }],
    ['null', { Image: null }],
    ['a list', { Image: [IMAGE] }],
    ['lower case', { image: IMAGE }],
    ['two spellings', { Image: IMAGE, image: `${REPOSITORY}@${OTHER}` }],
    ['a mounted image', { Image: IMAGE, HostConfig: { Mounts: [{ Type: 'image', Source: 'busybox' }] } }],
    ['a mount of no type', { Image: IMAGE, HostConfig: { Mounts: [{ Source: 'busybox' }] } }],
    ['mounts in lower case', { Image: IMAGE, HostConfig: { mounts: [] } }],
    ['a host configuration with a long s', { Image: IMAGE, HoſtConfig: {} }],
    ['mounts that are no list', { Image: IMAGE, HostConfig: { Mounts: {} } }],
  ])('does not start from %s', async (_what, body) => {
    expect(await isAllowed('/v1.41/containers/create', { body })).toBe(false);
  });

  it.each([
    ['nothing', ''],
    ['a duplicate key', `{"Image":"busybox","Image":"${IMAGE}"}`],
    ['a duplicate key behind an escape', `{"\\u0049mage":"busybox","Image":"${IMAGE}"}`],
    ['a second document', `{"Image":"${IMAGE}"}{"Image":"busybox"}`],
    ['a byte order mark', `\ufeff{"Image":"${IMAGE}"}`],
    ['half a document', `{"Image":"${IMAGE}"`],
    ['null', 'null'],
    ['a list', `[{"Image":"${IMAGE}"}]`],
  ])('does not start from a body that is %s', async (_what, body) => {
    expect(await isAllowed('/containers/create', { body })).toBe(false);
  });

  it('is told which digest to run instead of a tag', async () => {
    const { reason } = await ask('/containers/create', { body: { Image: `${REPOSITORY}:v1` } });
    expect(reason).toBe(`${REPOSITORY}:v1 is a tag, and tags move; run ${IMAGE}`);
  });

  it('is told why', async () => {
    const { reason } = await ask('/containers/create', { body: { Image: 'busybox' } });
    expect(reason).toBe('docker.io/library/busybox:latest may not run: nobody signed it');
    expect((await ask('/containers/create')).reason).toContain('no body that is over 1 MiB');
  });

  it.each([
    ['the verified digest', [IMAGE, `${REPOSITORY}@${OTHER}`], true],
    ['no such image', undefined, true],
    ['another digest', [`${REPOSITORY}@${OTHER}`], false],
    ['the digest of another repository', [`registry.example/acme/other@${DIGEST}`], false],
    ['no digest', [], false],
  ])('depends on what the engine has: %s', async (_what, held, allowed) => {
    const localDigests = () => Promise.resolve(held);
    expect(await isAllowed('/containers/create', { body: { Image: IMAGE } }, { localDigests })).toBe(allowed);
  });

  it('does not start when the engine does not say what it has', async () => {
    const localDigests = () => Promise.reject(new Error('gone'));
    expect(await isAllowed('/containers/create', { body: { Image: IMAGE } }, { localDigests })).toBe(false);
  });
});

describe('a service', () => {
  const spec = (container: object, more: object = {}) => ({
    TaskTemplate: { ContainerSpec: container, ...more },
  });

  it.each(['/v1.41/services/create', '/services/web/update?version=7'])('%s is judged', async (uri) => {
    expect(await isAllowed(uri, { body: spec({ Image: `${REPOSITORY}:v1@${DIGEST}` }) })).toBe(true);
    expect(await isAllowed(uri, { body: spec({ Image: 'busybox' }) })).toBe(false);
    expect(await isAllowed(uri, { body: spec({ image: IMAGE }) })).toBe(false);
    expect(await isAllowed(uri, { body: { taskTemplate: { ContainerSpec: { Image: IMAGE } } } })).toBe(false);
    expect(await isAllowed(uri, { body: { TasKTemplate: { ContainerSpec: { Image: IMAGE } } } })).toBe(false);
    expect(await isAllowed(uri, { body: spec({ Image: IMAGE }, { Runtime: 'attachment' }) })).toBe(false);
    expect(await isAllowed(uri)).toBe(false);
  });

  it('is no way to install a plugin', async () => {
    const plugin = { TaskTemplate: { Runtime: 'plugin', PluginSpec: { Remote: 'acme/plugin' } } };
    expect((await ask('/services/create', { body: plugin })).reason).toContain(
      'installing and changing plugins',
    );
    expect(await isAllowed('/services/create', { body: spec({ Image: IMAGE }, { PluginSpec: {} }) })).toBe(
      false,
    );
  });

  it('goes back only where that is allowed', async () => {
    const body = spec({ Image: IMAGE });
    const uri = '/services/web/update?version=7&rollback=previous';
    expect(await isAllowed(uri, { body })).toBe(false);
    expect(await isAllowed(uri, { body }, { open: ['rollback'] })).toBe(true);
  });
});

describe('other ways for images', () => {
  const WAYS: readonly (readonly [Entrance, string])[] = [
    ['build', '/v1.41/build?t=a&t=b'],
    ['build', '/session'],
    ['build', '/grpc'],
    ['commit', '/commit?container=web'],
    ['import', '/images/create?fromSrc=-&repo=a'],
    ['import', '/images/create?fromImage=&fromSrc=-'],
    ['import', '/images/create?fromImage=a&fromSrc=-'],
    ['import', '/images/create'],
    ['load', '/images/load?quiet=1'],
    ['plugins', '/plugins/pull?remote=a'],
    ['plugins', '/plugins/create?name=a'],
    ['plugins', '/plugins/acme/plugin:latest/upgrade'],
    ['plugins', '/plugins/acme/plugin:latest/enable'],
    ['swarm', '/swarm/join'],
    ['swarm', '/swarm/init'],
    ['configs', '/configs/create'],
    ['checkpoint', '/containers/web/start?checkpoint=one'],
    ['pull', '/images/create?fromImage=busybox&tag=latest'],
  ];

  it.each(WAYS)('%s: %s is closed unless the rule opens it', async (entrance, uri) => {
    const refused = await ask(uri, {}, { open: [] });
    expect(refused).toMatchObject({ allowed: false });
    expect(refused.reason).toContain(`its rule is allow = ["${entrance}"]`);
    expect(await isAllowed(uri, {}, { open: [entrance] })).toBe(true);
  });

  it.each([
    ['in its body', '/images/create?fromImage=busybox', 'application/x-www-form-urlencoded'],
    ['twice', '/images/create?fromImage=&fromImage=busybox', 'text/plain'],
    ['in two spellings', '/images/create?fromimage=a&fromImage=busybox', 'text/plain'],
    ['with a semicolon', '/images/create?fromImage=busybox;fromSrc=-', 'text/plain'],
    ['with a broken escape', '/images/create?fromImage=busybox&%zz=1', 'text/plain'],
  ])('a pull cannot hide an import %s', async (_what, uri, type) => {
    expect(await isAllowed(uri, { type })).toBe(false);
  });
});

describe('everything else', () => {
  it.each([
    ['GET', '/v1.41/containers/json?filters=%7B%22name%22%3A%7B%22web%22%3Atrue%7D%7D'],
    ['HEAD', '/_ping'],
    ['POST', '/v1.41/containers/web/start'],
    ['POST', '/containers/web/exec'],
    ['POST', '/exec/abc/start'],
    ['POST', '/auth'],
    ['POST', '/images/localhost:5000/acme/app/push?tag=v1'],
    ['POST', '/networks/my%20net/connect'],
    ['DELETE', '/images/localhost:5000/acme/app:v1?force=1'],
    ['DELETE', '/containers/web?v=1'],
    ['POST', '/plugins/acme/plugin:latest/disable'],
  ])('%s %s goes on', async (method, uri) => {
    expect(await isAllowed(uri, { method })).toBe(true);
  });

  it.each([
    ['POST', '/containers/Create'],
    ['POST', '//containers/create'],
    ['POST', '/containers//create'],
    ['POST', '/v1.41/../containers/create'],
    ['POST', '/containers/./create'],
    ['POST', '/containers%2fcreate'],
    ['POST', '/containers/%2e%2e/containers/create'],
    ['POST', '/containers/create/'],
    ['POST', '/v1.41/v1.41/containers/create'],
    ['POST', 'http://docker/containers/create'],
    ['POST', '/containers/create%00'],
    ['POST', '/moby.buildkit.v1.Control/Solve'],
    ['PATCH', '/containers/web'],
    ['post', '/containers/create'],
    ['', ''],
  ])('%s %s does not', async (method, uri) => {
    expect(await isAllowed(uri, { method, body: { Image: 'busybox' } })).toBe(false);
  });
});

describe('a reference', () => {
  it.each([
    ['app', 'docker.io/library/app'],
    ['acme/app', 'docker.io/acme/app'],
    ['docker.io/app', 'docker.io/library/app'],
    ['index.docker.io/acme/app', 'docker.io/acme/app'],
    ['localhost/app', 'localhost/app'],
    ['localhost:5000/acme/app:v1', 'localhost:5000/acme/app'],
    ['registry.example/app:v1', 'registry.example/app'],
  ])('%s is %s', (text, repository) => {
    expect(parseEngineReference(text)?.repository).toBe(repository);
  });

  it.each([
    '',
    'App',
    'REGISTRY/app',
    '/app',
    'app/',
    'a//b',
    'app:',
    'app@',
    `app@${DIGEST} `,
    'app:v1:v2',
    'ａpp',
  ])('%j is none', (text) => {
    expect(parseEngineReference(text)).toBeUndefined();
  });
});

describe('the settings', () => {
  const LEAST = 'version = 1\npolicy = "/etc/touchstone/teams.toml"\nenvironment = "production"\n';

  it('close every way but pulling, and believe pinned roots only', () => {
    const config = parseDockerAuthzConfig(LEAST, 'docker-authz.toml');
    expect([...config.open]).toEqual(['pull']);
    expect(config).toMatchObject({ firstUse: false, engine: '/run/docker.sock', timeoutMs: 10_000 });
  });

  it.each([
    ['version = 1\n', 'policy'],
    [`${LEAST}allow = ["everything"]\n`, 'allow[0]'],
    [`${LEAST}[trust]\nfolder = "relative"\n`, 'trust.folder'],
    [`${LEAST}[engine]\nsockets = "/run/docker.sock"\n`, 'engine.sockets'],
    [`${LEAST}[trust]\nserver = "ftp://trust.example"\n`, 'trust.server'],
  ])('with a mistake say where: %j', (text, field) => {
    const error = thrownBy(() => parseDockerAuthzConfig(text, 'docker-authz.toml'));
    expect([error.code, error.details?.['field']]).toEqual(['config.invalid', field]);
  });
});
