/**
 * `npm run quickstart -- trust [--keep]`: Docker Content Trust with the root on the token, on this machine alone and with the real components: Debian's
 * registry, notary-server, notary-signer, notary, docker and dockerd. Works in temporary folders and leaves nothing behind; with
 * --keep everything runs on until Ctrl-C.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { DemoAgent, TOUCHSTONE } from '../support/demo-agent.js';
import { DockerClient } from '../support/docker-client.js';
import { DockerEngine } from '../support/docker-engine.js';
import { DockerRegistry } from '../support/docker-registry.js';
import { NotaryClient } from '../support/notary-client.js';
import { NotaryServer } from '../support/notary-server.js';
import { NotarySigner } from '../support/notary-signer.js';
import { writeImageLayout } from '../support/oci-layout.js';
import { TestAuthority } from '../support/test-authority.js';
import { importTinyImage } from '../support/tiny-image.js';
import { KeptParts } from '../support/kept-parts.js';
import { step } from '../support/told-step.js';

/** Exit status of a verification that failed. */
const VERIFICATION_FAILED = 6;
const HOUR_MS = 3_600_000;

interface Stage {
  readonly agent: DemoAgent;
  readonly server: NotaryServer;
  /** Undefined where it cannot run. */
  readonly engine: DockerEngine | undefined;
  readonly docker: DockerClient;
  readonly notary: NotaryClient;
  readonly repository: string;
}

/** What runs; all of it ends, whatever happens. */
const parts = new KeptParts();

async function startStack(): Promise<NotaryServer> {
  const authority = parts.add(new TestAuthority());
  const signer = parts.add(await NotarySigner.start(authority));
  return parts.add(await NotaryServer.start({ authority, trustService: signer }));
}

async function startEngine(): Promise<DockerEngine | undefined> {
  try {
    return parts.add(await DockerEngine.start());
  } catch {
    return undefined;
  }
}

async function setUp(): Promise<Stage> {
  const agent = parts.add(new DemoAgent());
  await step(
    'made an agent with a private SoftHSM token; root and derivation key cannot leave it',
    async () => {
      await agent.init('quickstart.example');
      await agent.start();
      await agent.setUpToken();
    },
  );
  const { registry, server } = await step(
    'started a registry and a notary-server with its signer',
    async () => ({ registry: parts.add(await DockerRegistry.start()), server: await startStack() }),
    (made) => `${made.registry.host}, ${made.server.url}`,
  );
  const engine = await step('started a Docker Engine of its own', startEngine, (made) =>
    made === undefined
      ? 'it cannot run on this machine (it needs root), so skopeo pushes and nothing is pulled'
      : made.host,
  );
  const docker = parts.add(new DockerClient({ server, engine: engine?.host }));
  const notary = parts.add(new NotaryClient(server));
  return { agent, server, engine, docker, notary, repository: `${registry.host}/acme/hello` };
}

/** Runs `touchstone trust ARGV`, whatever becomes of it. */
function trust({ agent, server }: Stage, ...argv: readonly string[]): ReturnType<DemoAgent['touchstone']> {
  return agent.touchstone(['trust', ...argv, '--server', server.url, '--ca', server.authority.certificate]);
}

async function mustTrust(stage: Stage, ...argv: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await trust(stage, ...argv);
  if (status === 0) return stdout;
  throw new Error(`touchstone trust ${argv.join(' ')}: exit ${status}\n${stderr}`);
}

function lineWith(text: string, word: string): string {
  const line = text.split('\n').find((one) => one.includes(word));
  if (line === undefined) throw new Error(`nothing says "${word}":\n${text}`);
  return line.trim().replaceAll(/\s+/g, ' ');
}

async function push(stage: Stage, tag: string): Promise<void> {
  const { engine, docker, repository } = stage;
  const image = `${repository}:${tag}`;
  if (engine === undefined) {
    const layout = path.join(stage.agent.folder, `layout-${tag}`);
    writeImageLayout(layout, tag);
    execFileSync('skopeo', ['copy', '--dest-tls-verify=false', `oci:${layout}:${tag}`, `docker://${image}`], {
      stdio: 'pipe',
    });
    return;
  }
  await importTinyImage(engine, image, `hello from ${tag}`);
  const { status, stderr } = await docker.untrusted('push', image);
  if (status !== 0) throw new Error(`docker push ${image}: ${stderr}`);
}

async function publish(stage: Stage): Promise<void> {
  const { docker, notary, repository } = stage;
  await step(`began ${repository}: root signed on the token, the key of its tags derived from it`, () =>
    mustTrust(stage, 'init', repository),
  );
  await step('pushed two images, v1 and unsigned', async () => {
    await push(stage, 'v1');
    await push(stage, 'unsigned');
  });
  await step('signed v1, whose digest the registry said', () => mustTrust(stage, 'sign', `${repository}:v1`));
  await step(
    'docker trust inspect shows it',
    () => docker.must('trust', 'inspect', '--pretty', repository),
    (said) => lineWith(said, 'v1'),
  );
  await step(
    'notary list shows it',
    () => notary.must('list', repository),
    (said) => lineWith(said, 'v1'),
  );
}

async function pull({ engine, docker, repository }: Stage): Promise<void> {
  if (engine === undefined) return;
  await engine.docker(['rmi', `${repository}:v1`, `${repository}:unsigned`]);
  await step(
    'pulled v1 with DOCKER_CONTENT_TRUST=1, and ran it',
    async () => {
      await docker.must('pull', `${repository}:v1`);
      return docker.must('run', '--rm', '--network', 'none', `${repository}:v1`);
    },
    (said) => said.trim(),
  );
  await step(
    'the unsigned one is refused',
    async () => {
      const { status, stderr } = await docker.run('pull', `${repository}:unsigned`);
      if (status === 0) throw new Error('docker pulled an unsigned image');
      return stderr;
    },
    (said) => lineWith(said, 'trust data'),
  );
}

/** Alice has a leaf of the agent, Bob a key that docker made. */
async function addSigners(stage: Stage): Promise<string> {
  const { agent, docker, repository } = stage;
  await mustTrust(stage, 'signer', 'add', repository, 'alice');
  mkdirSync(docker.trustDir, { recursive: true, mode: 0o700 });
  await docker.must('trust', 'key', 'generate', 'bob');
  const bob = docker.folder.join('bob.pub');
  await mustTrust(stage, 'signer', 'add', repository, 'bob', '--key', bob);
  const alice = path.join(agent.folder, 'alice.pem');
  writeFileSync(alice, await agent.must(['key', 'export', `${repository}#targets/alice`, '--format', 'pem']));
  const file = path.join(agent.folder, 'teams.toml');
  const rule = `[[rule]]\nid = "production"\nenvironments = ["production"]\nrepositories = ["${repository}"]`;
  writeFileSync(
    file,
    [
      'version = 1',
      `[people.alice]\nkey_files = ["${alice}"]`,
      `[people.bob]\nkey_files = ["${bob}"]`,
      '[teams]\ndev = ["alice"]\nqa = ["bob"]',
      `${rule}\nteams = ["dev", "qa"]`,
    ].join('\n'),
  );
  return file;
}

async function approve(stage: Stage): Promise<void> {
  const { docker, repository } = stage;
  const policy = await step(
    'added two signers: alice with a derived key, bob with one that docker made',
    () => addSigners(stage),
  );
  const verify = ['verify', `${repository}:v1`, '--policy', policy, '--env', 'production'];
  await step('alice approved v1', () => mustTrust(stage, 'sign', `${repository}:v1`, '--as', 'alice'));
  await step(
    'the team rule, dev and qa, does not pass yet',
    async () => {
      const { status, stderr } = await trust(stage, ...verify);
      if (status !== VERIFICATION_FAILED) throw new Error(`trust verify: exit ${status}\n${stderr}`);
      return stderr;
    },
    (said) => lineWith(said, 'missing qa').replace(/^.*?: rule/, 'rule'),
  );
  await step('bob approved it with docker trust sign', () =>
    docker.must('trust', 'sign', `${repository}:v1`),
  );
  await step(
    'the team rule passes, and names what to run',
    () => mustTrust(stage, ...verify),
    (said) => lineWith(said, '@sha256:'),
  );
}

async function finish({ agent }: Stage): Promise<void> {
  const left = await step(
    'stopped the agent',
    () => agent.stop(),
    (pids) => `${pids.length} processes left`,
  );
  if (left.length > 0) throw new Error(`still running: ${left.join(', ')}`);
  await step(
    'verified the audit log, from its files and the public audit key alone',
    async () => {
      const verdict = await agent.must(['audit', 'verify', '--json']);
      return JSON.parse(verdict) as { readonly lines: number; readonly signed: number };
    },
    ({ lines, signed }) => `${lines} lines, ${signed} signatures`,
  );
}

/** What a person needs to play with it; all of it is gone once the program was told to stop. */
async function keep({ agent, server, engine, docker, repository }: Stage): Promise<void> {
  const variables = {
    TOUCHSTONE_CONFIG: agent.configFile,
    TOUCHSTONE_STATE: agent.stateDir,
    TOUCHSTONE_SOCK: agent.socket,
    TOUCHSTONE_TRUST_SERVER: server.url,
    DOCKER_CONTENT_TRUST_SERVER: server.url,
    DOCKER_CONFIG: path.dirname(docker.trustDir),
    ...(engine === undefined ? {} : { DOCKER_HOST: engine.host }),
  };
  process.stdout.write(
    [
      '\nEverything keeps running. In another terminal:\n',
      ...Object.entries(variables).map(([name, value]) => `export ${name}=${value}`),
      `alias touchstone="node ${TOUCHSTONE}"`,
      `touchstone trust inspect ${repository}`,
      `docker trust inspect --pretty ${repository}`,
      `\nThe PIN of the token is in ${agent.pinFile}.`,
      'To end it and leave nothing behind: Ctrl-C here\n\n',
    ].join('\n'),
  );
  // The handlers of main end the program.
  await new Promise<never>(() => {
    setInterval(() => undefined, HOUR_MS);
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { keep: { type: 'boolean', default: false } } });
  const begin = performance.now();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void parts[Symbol.asyncDispose]().then(() => process.exit(130)));
  }
  try {
    const stage = await setUp();
    await publish(stage);
    await pull(stage);
    await approve(stage);
    await (values.keep ? keep(stage) : finish(stage));
  } finally {
    await parts[Symbol.asyncDispose]();
  }
  process.stdout.write(`done in ${((performance.now() - begin) / 1000).toFixed(1)} s\n`);
}

try {
  await main();
} catch (failure) {
  process.stderr.write(`quickstart: ${failure instanceof Error ? failure.message : String(failure)}\n`);
  process.exitCode = 1;
}
