/**
 * `npm run quickstart [-- --keep]`: the main job of Touchstone on a machine that has no token, from nothing to
 * signatures that OpenSSL and OpenSSH accept. Uses only what a user has: the `touchstone` command and those two.
 * Works in its own temporary folder and leaves nothing behind, unless --keep is given.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { DemoAgent, runProgram, TOUCHSTONE } from '../support/demo-agent.js';
import { writeImageLayout } from '../support/oci-layout.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { step } from '../support/told-step.js';

const REPOSITORY = 'docker.io/library/hello';
const IMAGE_KEY = `${REPOSITORY}#cosign`;
const FILE_KEY = 'touchstone/release#ssh';
const SIGNER = 'release@quickstart.example';

/** What is used of `touchstone audit verify --json`. */
interface AuditVerdict {
  readonly lines: number;
  readonly signed: number;
  readonly unsealed: number;
}

/** Runs another program, which has to succeed; answers its output. */
async function must(program: string, argv: readonly string[], input?: Uint8Array): Promise<string> {
  const done = await runProgram(program, argv, { cwd: PROJECT_ROOT, input });
  if (done.status !== 0)
    throw new Error(`${program} ${argv.join(' ')}: exit ${done.status}\n${done.stderr}${done.stdout}`);
  return done.stdout.trim();
}

/** The same check on changed bytes has to fail, or it would prove nothing. */
async function mustFail(program: string, argv: readonly string[], input?: Uint8Array): Promise<void> {
  const done = await runProgram(program, argv, { cwd: PROJECT_ROOT, input });
  if (done.status === 0) throw new Error(`${program} ${argv.join(' ')}: accepted changed bytes`);
}

function flipLastByte(bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes);
  changed.writeUInt8(changed.readUInt8(changed.length - 1) ^ 1, changed.length - 1);
  return changed;
}

async function setUp(agent: DemoAgent): Promise<void> {
  await step(
    'wrote a configuration for a private SoftHSM token, and a policy that allows what follows and nothing else',
    () => agent.init('quickstart.example'),
    () => agent.folder,
  );
  await step(
    'started the agent',
    () => agent.start(),
    (pid) => `pid ${pid}, socket ${agent.socket}`,
  );
  await step('made a root key and a derivation key on the token; neither can leave it', () =>
    agent.setUpToken(),
  );
  for (const key of [IMAGE_KEY, FILE_KEY])
    await step(`derived ${key} from the token`, () => agent.derive(key));
}

async function signImage(agent: DemoAgent): Promise<void> {
  const layout = path.join(agent.folder, 'hello-image');
  const [payload, signature, publicKey] = ['payload.json', 'image.sig', 'cosign.pem'].map((name) =>
    path.join(agent.folder, name),
  ) as [string, string, string];
  const digest = await step(
    'built an OCI image layout',
    () => Promise.resolve(writeImageLayout(layout, 'latest')),
    (made) => made,
  );
  await step(`signed the image digest with ${IMAGE_KEY} (simple signing)`, () =>
    agent.must([
      ...['sign', 'image', '--key', IMAGE_KEY, '--digest', digest, '--reference', `${REPOSITORY}:latest`],
      ...['--payload-out', payload, '--signature-out', signature],
    ]),
  );
  if (!readFileSync(payload, 'utf8').includes(digest)) throw new Error('the payload does not name the image');
  writeFileSync(publicKey, await agent.must(['key', 'export', IMAGE_KEY, '--format', 'pem']));
  const check = ['dgst', '-sha256', '-verify', publicKey, '-signature', signature];
  await step(
    'OpenSSL checked the signature',
    () => must('openssl', [...check, payload]),
    (said) => said,
  );
  const changed = `${payload}.changed`;
  writeFileSync(changed, flipLastByte(readFileSync(payload)));
  await mustFail('openssl', [...check, changed]);
}

async function signTarball(agent: DemoAgent): Promise<void> {
  const folder = path.join(agent.folder, 'package');
  mkdirSync(folder);
  const packed = await step(
    'packed this project as npm would publish it',
    () => must('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder]),
    (name) => name,
  );
  const tarball = path.join(folder, packed);
  await step(`signed the tarball with ${FILE_KEY} (SSHSIG, namespace file)`, () =>
    agent.must(['sign', 'file', '--key', FILE_KEY, tarball]),
  );
  const allowed = path.join(agent.folder, 'allowed_signers');
  const publicKey = await agent.must(['key', 'export', FILE_KEY, '--format', 'ssh']);
  writeFileSync(allowed, `${SIGNER} namespaces="file" ${publicKey.trim()}\n`);
  const check = ['-Y', 'verify', '-f', allowed, '-I', SIGNER, '-n', 'file', '-s', `${tarball}.sig`];
  const bytes = readFileSync(tarball);
  await step(
    'ssh-keygen checked the signature',
    () => must('ssh-keygen', check, bytes),
    (said) => said,
  );
  await mustFail('ssh-keygen', check, flipLastByte(bytes));
}

async function verifyAudit(agent: DemoAgent): Promise<void> {
  await step(
    'verified the audit log, from its files and the public audit key alone',
    async () => JSON.parse(await agent.must(['audit', 'verify', '--json'])) as AuditVerdict,
    ({ lines, signed, unsealed }) => `${lines} lines, ${signed} signatures, ${unsealed} lines not sealed`,
  );
}

async function finish(agent: DemoAgent): Promise<void> {
  const left = await step(
    'stopped the agent',
    () => agent.stop(),
    (pids) => `${pids.length} processes left`,
  );
  if (left.length > 0) throw new Error(`still running: ${left.join(', ')}`);
  await verifyAudit(agent);
}

async function keep(agent: DemoAgent): Promise<void> {
  await verifyAudit(agent);
  const variables = { CONFIG: agent.configFile, STATE: agent.stateDir, SOCK: agent.socket };
  const exports = Object.entries(variables).map(([name, value]) => `export TOUCHSTONE_${name}=${value}`);
  process.stdout.write(
    [
      '\nThe agent keeps running. To talk to it:\n',
      ...exports,
      `alias touchstone="node ${TOUCHSTONE}"`,
      'touchstone agent status',
      `\nThe PIN of the token is in ${agent.pinFile}.`,
      `To end it: touchstone agent stop; rm -r ${agent.folder}\n\n`,
    ].join('\n'),
  );
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { keep: { type: 'boolean', default: false } } });
  const begin = performance.now();
  const agent = new DemoAgent();
  let kept = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void agent[Symbol.asyncDispose]().then(() => process.exit(130)));
  }
  try {
    await setUp(agent);
    await signImage(agent);
    await signTarball(agent);
    await (values.keep ? keep(agent) : finish(agent));
    kept = values.keep;
  } finally {
    if (!kept) await agent[Symbol.asyncDispose]();
  }
  process.stdout.write(`done in ${((performance.now() - begin) / 1000).toFixed(1)} s\n`);
}

try {
  await main();
} catch (failure) {
  process.stderr.write(`quickstart: ${failure instanceof Error ? failure.message : String(failure)}\n`);
  process.exitCode = 1;
}
