/** The authorization plugin beside a real engine, a real registry and a real notary-server: what starts, what does not, and what people are told. */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseDockerAuthzConfig } from '../../src/gateways/docker-authz/config.js';
import { TrustJudge } from '../../src/gateways/docker-authz/trust-judge.js';
import { DockerAuthzPlugin } from '../support/docker-authz-plugin.js';
import { DockerEngine } from '../support/docker-engine.js';
import { DockerRegistry } from '../support/docker-registry.js';
import { TempFolder } from '../support/temp-folder.js';
import { importTinyImage } from '../support/tiny-image.js';
import { TrustStack, type TrustPublisher } from '../support/trust-stack.js';

let stack: TrustStack;
let owner: TrustPublisher;
let registry: DockerRegistry;
let plugin: DockerAuthzPlugin;
let engine: DockerEngine;
let repository: string;
let signed: string;
let unsigned: string;
let policy: string;

beforeAll(async () => {
  stack = await TrustStack.start();
  registry = await DockerRegistry.start();
  repository = `${registry.host}/acme/app`;
  [signed, unsigned] = await pushed('v1', 'unsigned');
  owner = await stack.publisher();
  await owner.must('init', repository);
  await owner.must('signer', 'add', repository, 'alice');
  await owner.must('signer', 'add', repository, 'quentin');
  await owner.must('sign', `${repository}:v1`, '--as', 'alice');
  policy = await teamRule();
  plugin = await DockerAuthzPlugin.start({ policy, trust: trustLines() });
  engine = await DockerEngine.start({ authorizationSocket: plugin.socket, socket: plugin.engineSocket });
  await must('pull', `${repository}:v1`);
  await must('pull', `${repository}:unsigned`);
}, 120_000);

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await plugin[Symbol.asyncDispose]();
  await owner[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
  await stack[Symbol.asyncDispose]();
});

/** Images made and pushed by an engine without the plugin; their digests. */
async function pushed(...tags: readonly string[]): Promise<[string, string]> {
  await using open = await DockerEngine.start();
  const digests: string[] = [];
  for (const tag of tags) {
    await importTinyImage(open, `${repository}:${tag}`, `hello from ${tag}`);
    const { stdout, stderr } = await open.docker(['push', `${repository}:${tag}`]);
    const digest = /digest: (sha256:[0-9a-f]{64})/.exec(stdout)?.[1];
    if (digest === undefined) throw new Error(`docker push: ${stderr}`);
    digests.push(digest);
  }
  return digests as [string, string];
}

async function teamRule(): Promise<string> {
  const keyOf = async (name: string): Promise<string> => {
    const pem = await owner.agent.must(['key', 'export', `${repository}#targets/${name}`, '--format', 'pem']);
    const file = owner.agent.folder + `/${name}.pem`;
    writeFileSync(file, pem);
    return file;
  };
  return [
    'version = 1',
    `[people.alice]\nkey_files = ["${await keyOf('alice')}"]`,
    `[people.quentin]\nkey_files = ["${await keyOf('quentin')}"]`,
    '[teams]\ndev = ["alice"]\nqa = ["quentin"]',
    `[[rule]]\nid = "production"\nenvironments = ["production"]\nrepositories = ["${registry.host}/*"]\nteams = ["dev"]`,
  ].join('\n');
}

function trustLines(): readonly string[] {
  const { url, authority } = stack.server;
  return [`server = "${url}"`, `ca = "${authority.certificate}"`, 'first-use = true', 'cache-seconds = 0'];
}

async function must(...argv: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await engine.docker(argv);
  if (status === 0) return stdout;
  throw new Error(`docker ${argv.join(' ')}: exit ${status}\n${stderr}\n${plugin.tail()}`);
}

/** What docker says when it may not. */
async function refusal(...argv: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await engine.docker(argv);
  expect(status, stdout).not.toBe(0);
  return stderr;
}

interface Reply {
  readonly status: number;
  readonly text: string;
}

/** A request as no docker CLI would send it. */
function post(path: string, body: string, headers: Readonly<Record<string, string>> = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      socketPath: plugin.engineSocket,
      path,
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
    });
    outgoing.on('response', (reply) => {
      let text = '';
      reply.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      reply.on('end', () => {
        resolve({ status: reply.statusCode ?? 0, text });
      });
    });
    outgoing.on('error', reject);
    if (headers['transfer-encoding'] === 'chunked') outgoing.write(body.slice(0, 5));
    outgoing.end(headers['transfer-encoding'] === 'chunked' ? body.slice(5) : body);
  });
}

describe('with the plugin an engine', () => {
  it('runs the verified digest', async () => {
    expect(await must('run', '--rm', '--network', 'none', `${repository}@${signed}`)).toBe('hello from v1\n');
  });

  it('runs it also when it has to be pulled first', async () => {
    await must('rmi', `${repository}:v1`);
    const said = await must('run', '--rm', '--network', 'none', `${repository}:v1@${signed}`);
    expect(said).toBe('hello from v1\n');
    await must('pull', `${repository}:v1`);
  });

  it('refuses the tag, and says which digest to run', async () => {
    expect(await refusal('create', `${repository}:v1`)).toContain(
      `authorization denied by plugin touchstone-authz: ${repository}:v1 is a tag, and tags move; run ${repository}@${signed}`,
    );
  });

  it('refuses what nobody signed, and images by their id', async () => {
    expect(await refusal('create', `${repository}:unsigned`)).toContain('nothing is signed as unsigned');
    expect(await refusal('create', `${repository}@${unsigned}`)).toContain(
      `nothing is signed as ${unsigned}`,
    );
    const id = (await must('images', '--no-trunc', '--quiet', `${repository}:v1`)).trim();
    expect(await refusal('create', id)).toContain('is not a repository with a digest');
    expect(await refusal('create', 'busybox')).toContain('no rule is for docker.io/library/busybox');
  });

  it.each([
    ['over 1 MiB', (image: string) => ({ Image: image, Labels: { filler: 'x'.repeat(1_153_434) } }), {}],
    ['with the image in lower case', (image: string) => ({ image }), {}],
    [
      'over 1 MiB in chunks',
      (image: string) => ({ Image: image, Labels: { filler: 'x'.repeat(1_153_434) } }),
      { 'transfer-encoding': 'chunked' },
    ],
    ['of another type', (image: string) => ({ Image: image }), { 'content-type': 'text/plain' }],
  ])('refuses a body %s, whatever image it names', async (_what, body, headers) => {
    for (const image of [`${repository}@${signed}`, `${repository}:unsigned`]) {
      const reply = await post('/v1.41/containers/create', JSON.stringify(body(image)), headers);
      expect(reply.status, reply.text).toBe(403);
      expect(reply.text).toContain('the request cannot be judged');
    }
    expect(await must('ps', '--all', '--quiet')).toBe('');
  });

  it('judges a small body in chunks like any other', async () => {
    const create = (Image: string) =>
      post('/v1.41/containers/create?name=chunked', JSON.stringify({ Image }), {
        'transfer-encoding': 'chunked',
      });
    expect((await create(`${repository}:unsigned`)).status).toBe(403);
    expect(await create(`${repository}@${signed}`)).toMatchObject({ status: 201 });
    await must('rm', 'chunked');
  });

  it('refuses a body with two images', async () => {
    const [good, bad] = [`${repository}@${signed}`, `${repository}:unsigned`];
    for (const body of [
      `{"Image":"${good}","Image":"${bad}"}`,
      `{"Image":"${good}","image":"${bad}"}`,
      `{"Image":"${good}","\\u0049MAGE":"${bad}"}`,
    ]) {
      expect((await post('/containers/create', body)).status).toBe(403);
    }
  });

  it.each([
    '//containers/create',
    '/v1.41//containers/create',
    '/containers%2Fcreate',
    '/containers/./create',
  ])('starts nothing by the path %s', async (path) => {
    // Some of them the engine itself turns away, before it asks.
    const { status } = await post(path, JSON.stringify({ Image: `${repository}:unsigned` }));
    expect([301, 403]).toContain(status);
    expect(await must('ps', '--all', '--quiet')).toBe('');
  });

  it('judges services', async () => {
    const spec = (Image: string) =>
      JSON.stringify({ Name: 'web', TaskTemplate: { ContainerSpec: { Image } } });
    const refused = await post('/v1.41/services/create', spec(`${repository}:v1`));
    expect(refused).toMatchObject({ status: 403 });
    expect(refused.text).toContain(`run ${repository}@${signed}`);
    expect((await post('/services/web/update?version=1', spec(`${repository}@${unsigned}`))).status).toBe(
      403,
    );
    // The engine itself answers, that it is in no swarm.
    expect((await post('/v1.41/services/create', spec(`${repository}@${signed}`))).status).toBe(503);
  });

  it('has no other way in for images', async () => {
    using folder = new TempFolder();
    writeFileSync(folder.join('Dockerfile'), `FROM ${repository}@${signed}\n`);
    const archive = folder.join('image.tar');
    await must('save', '--output', archive, `${repository}:v1`);
    const container = (await must('create', '--network', 'none', `${repository}@${signed}`)).trim();
    try {
      expect(await refusal('build', folder.path)).toContain('building images is not allowed');
      expect(await refusal('commit', container)).toContain('making images of containers is not allowed');
      expect(await refusal('import', archive)).toContain('importing images is not allowed');
      expect(await refusal('load', '--input', archive)).toContain('loading images is not allowed');
      expect(await refusal('swarm', 'init')).toContain('making or joining a swarm');
      const plugins = await post('/plugins/pull?remote=acme/plugin', '[]');
      expect(plugins.text).toContain('installing and changing plugins is not allowed');
    } finally {
      await must('rm', container);
    }
  });

  it('asks for the approval of a team, and learns of it at once', async () => {
    try {
      plugin.write({
        policy: policy.replace('teams = ["dev"]', 'teams = ["dev", "qa"]'),
        trust: trustLines(),
      });
      expect(await refusal('create', `${repository}@${signed}`)).toContain(
        'signed by dev (alice), missing qa',
      );
      await owner.must('sign', `${repository}:v1`, '--as', 'quentin');
      const container = await must('create', '--network', 'none', `${repository}@${signed}`);
      await must('rm', container.trim());
    } finally {
      plugin.write({ policy, trust: trustLines() });
    }
  });

  it('judges containers that exist when they are started, restarted and renamed', async () => {
    await must('create', '--name', 'kept', '--network', 'none', `${repository}@${signed}`);
    try {
      expect(await must('start', '--attach', 'kept')).toBe('hello from v1\n');
      await owner.must('revoke', `${repository}:v1`);
      for (const argv of [['start'], ['restart'], ['rename']]) {
        const words = argv[0] === 'rename' ? ['kept', 'other'] : ['kept'];
        expect(await refusal(...argv, ...words)).toContain(`nothing is signed as ${signed}`);
      }
      await owner.must('sign', `${repository}:v1`, '--as', 'alice');
      await must('restart', 'kept');
      await must('rename', 'kept', 'other');
      await must('rename', 'other', 'kept');
    } finally {
      await must('rm', '--force', 'kept');
    }
  });

  it('refuses everything while the plugin is down, and goes on when it is back', async () => {
    await plugin.stop();
    const body = JSON.stringify({ Image: `${repository}@${signed}` });
    const refused = await post('/v1.41/containers/create', body);
    expect(refused.status).not.toBe(201);
    expect(refused.text).toContain('touchstone-authz');
    await plugin.restart();
    await must('ps');
  }, 120_000);
});

describe('without an answer of the trust server', () => {
  const AWAY = 'https://127.0.0.1:1';

  function judge(folder: TempFolder, ...trust: readonly string[]): TrustJudge {
    const text = [
      'version = 1',
      `policy = "${folder.join('teams.toml')}"`,
      'environment = "production"',
      '[trust]',
      `folder = "${folder.join('trust')}"`,
      `ca = "${stack.authority.certificate}"`,
      ...trust,
    ].join('\n');
    writeFileSync(folder.join('teams.toml'), policy);
    return new TrustJudge(parseDockerAuthzConfig(text, 'docker-authz.toml'), process.getuid?.() ?? -1);
  }

  it('nothing is allowed, and the reason says so', async () => {
    using folder = new TempFolder();
    const verdict = await judge(folder, `server = "${AWAY}"`).judge({ repository, digest: signed });
    expect(verdict).toMatchObject({ allowed: false });
    expect(verdict.reason).toContain('127.0.0.1:1');
  });

  it('a saved copy decides while it is valid, and what was seen before still counts', async () => {
    using folder = new TempFolder();
    const saved = folder.join('saved');
    await owner.must('save', repository, saved);
    const settings = ['first-use = true', 'cache-seconds = 0', `saved-copies = ["${saved}"]`];
    const away = judge(folder, `server = "${AWAY}"`, ...settings);
    expect(await away.judge({ repository, digest: signed })).toMatchObject({ allowed: true, digest: signed });
    await owner.must('revoke', `${repository}:v1`);
    const live = judge(folder, `server = "${stack.server.url}"`, ...settings);
    expect(await live.judge({ repository, digest: signed })).toMatchObject({ allowed: false });
    // The copy is older than what this machine has seen.
    expect(await away.judge({ repository, digest: signed })).toMatchObject({ allowed: false });
  });

  it('a root that is not pinned is not believed unless that is allowed', async () => {
    using folder = new TempFolder();
    const verdict = await judge(folder, `server = "${stack.server.url}"`).judge({
      repository,
      digest: signed,
    });
    expect(verdict).toMatchObject({ allowed: false });
    expect(verdict.reason).toContain('pin');
  });

  it('a policy that others can write is none', async () => {
    using folder = new TempFolder();
    const open = judge(folder, `server = "${stack.server.url}"`);
    execFileSync('chmod', ['o+w', folder.join('teams.toml')]);
    expect((await open.judge({ repository, digest: signed })).reason).toContain('can be changed by others');
    expect(readFileSync(folder.join('teams.toml'), 'utf8')).toBe(policy);
    rmSync(folder.join('teams.toml'));
    expect((await open.judge({ repository, digest: signed })).reason).toContain('there is no such file');
  });
});
