/** The plugins of cosign and Notation when something is wrong: a host that hangs, no lease, no rule, garbage, very many at once. */
import { spawn } from 'node:child_process';
import { createPublicKey, verify } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildNotationPayload } from '../../src/formats/notation.js';
import { buildSimpleSigning } from '../../src/formats/simple-signing.js';
import { runProgram, startDemoAgent, type CommandResult, type DemoAgent } from '../support/demo-agent.js';
import { PROJECT_ROOT } from '../support/project-root.js';

const RESOURCE = 'docker.io/acme/app';
const DIGEST = `sha256:${'5a'.repeat(32)}`;
const PARALLEL = 200;
/** Two hundred processes that start at once on a small machine. */
const PARALLEL_MS = 120_000;
const SIMPLE = buildSimpleSigning({ reference: RESOURCE, digest: DIGEST });
const MEDIA_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const NOTATION = buildNotationPayload({ mediaType: MEDIA_TYPE, digest: DIGEST, size: 7 }, new Date());

interface Plugin {
  readonly name: string;
  readonly argv: readonly string[];
  readonly input: Buffer;
  /** What was signed, and the signature in the answer. */
  readonly message: Buffer;
  readonly signatureOf: (stdout: string) => Buffer;
  readonly encoding: 'der' | 'ieee-p1363';
  readonly role: string;
  readonly kind: string;
  /** Text that a refusal holds, where the host looks for it. */
  readonly refusal: (result: CommandResult) => string;
}

const COSIGN_REQUEST = {
  initOptions: { protocolVersion: 'v1', keyResourceID: RESOURCE, hashFunc: 5 },
  methodName: 'signMessage',
  signMessage: { signOptions: { messageOptions: { digest: null } } },
};
const NOTATION_REQUEST = {
  contractVersion: '1.0',
  keyId: RESOURCE,
  keySpec: 'EC-256',
  hashAlgorithm: 'SHA-256',
  payload: NOTATION.toString('base64'),
};

const PLUGINS: readonly Plugin[] = [
  {
    name: 'sigstore-kms-touchstone',
    argv: ['v1', JSON.stringify(COSIGN_REQUEST)],
    input: SIMPLE,
    message: SIMPLE,
    signatureOf: (stdout) => {
      const answer = JSON.parse(stdout) as { readonly signMessage: { readonly signature: string } };
      return Buffer.from(answer.signMessage.signature, 'base64');
    },
    encoding: 'der',
    role: 'cosign',
    kind: 'oci.simple-signing',
    refusal: ({ stdout }) => (JSON.parse(stdout) as { readonly errorMessage: string }).errorMessage,
  },
  {
    name: 'notation-touchstone',
    argv: ['generate-signature'],
    input: Buffer.from(JSON.stringify(NOTATION_REQUEST)),
    message: NOTATION,
    signatureOf: (stdout) =>
      Buffer.from((JSON.parse(stdout) as { readonly signature: string }).signature, 'base64'),
    encoding: 'ieee-p1363',
    role: 'notation',
    kind: 'notation.payload',
    refusal: ({ stderr }) => {
      const document = JSON.parse(stderr) as { readonly errorCode: string; readonly errorMessage: string };
      return `${document.errorCode} ${document.errorMessage}`;
    },
  },
];

let agent: DemoAgent;
const keys = new Map<string, string>();
/** Runs whose hosts hang, begun before all others: they take the time that the others need anyway. */
const held = new Map<Plugin, Promise<CommandResult>>();

beforeAll(async () => {
  agent = await startDemoAgent();
  for (const plugin of PLUGINS) held.set(plugin, runOpen(plugin, plugin.input));
  await agent.must(['key', 'create', 'touchstone/ca#x509-ca', '--token', 'release']);
  await agent.must(['cert', 'init', '--subject', 'C=DE,ST=Berlin,O=Acme']);
  for (const { role } of PLUGINS) {
    await agent.derive(`${RESOURCE}#${role}`);
    keys.set(role, await agent.must(['key', 'export', `${RESOURCE}#${role}`]));
  }
  await agent.must(['cert', 'issue', `${RESOURCE}#notation`]);
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
});

function program({ name }: Plugin): string {
  return path.join(PROJECT_ROOT, 'dist/bin', `${name}.js`);
}

function run(plugin: Plugin, input: Uint8Array = plugin.input): Promise<CommandResult> {
  const options = { environment: agent.environment, input, timeoutMs: PARALLEL_MS };
  return runProgram(process.execPath, [program(plugin), ...plugin.argv], options);
}

function isGood(plugin: Plugin, { status, stdout }: CommandResult): boolean {
  if (status !== 0) return false;
  const key = createPublicKey(keys.get(plugin.role) ?? '');
  const signature = plugin.signatureOf(stdout);
  return verify('sha256', plugin.message, { key, dsaEncoding: plugin.encoding }, signature);
}

/** Runs a plugin whose host writes `input` and never closes the stream. */
function runOpen(plugin: Plugin, input: Uint8Array): Promise<CommandResult> {
  const child = spawn(process.execPath, [program(plugin), ...plugin.argv], { env: agent.environment });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output.stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (output.stderr += chunk));
  child.stdin.on('error', () => undefined);
  child.stdin.write(input);
  return new Promise((resolve) => {
    child.on('close', (status) => {
      resolve({ status: status ?? -1, ...output });
    });
  });
}

/** The agent looks at the file once a second: waits until it has looked. */
async function changePolicy(text: string, { role, kind }: Plugin, rule: string | null): Promise<void> {
  writeFileSync(agent.policyFile, text);
  const argv = ['policy', 'explain', '--key', `${RESOURCE}#${role}`, '--kind', kind, '--json'];
  for (let tries = 0; tries < 100; tries += 1) {
    const shown = JSON.parse(await agent.must(argv)) as { readonly rule: string | null };
    if (shown.rule === rule) return;
    await delay(50);
  }
  throw new Error('the policy was not taken up within 10 s');
}

async function lastRecord(): Promise<Readonly<Record<string, unknown>> | undefined> {
  const shown = await agent.must(['audit', 'show', '--json', '--limit', '1000']);
  const { records } = JSON.parse(shown) as {
    readonly records: readonly Readonly<Record<string, unknown>>[];
  };
  return records.at(-1);
}

describe.each(PLUGINS)('$name', (plugin) => {
  it('says that keys are locked, and signs after the next unlock', async () => {
    await agent.must(['lock']);
    const locked = await run(plugin);
    expect(locked.status).not.toBe(0);
    expect(plugin.refusal(locked)).toContain('touchstone unlock');
    expect(await lastRecord()).toMatchObject({ type: 'refuse', code: 'key.locked', kind: plugin.kind });
    await agent.unlock();
    expect(isGood(plugin, await run(plugin))).toBe(true);
  });

  it('says what the policy refuses, and the refusal is logged', async () => {
    const policy = readFileSync(agent.policyFile, 'utf8');
    const deny = `[[rule]]\nid = "never"\nkinds = ["${plugin.kind}"]\nkeys = ["*#${plugin.role}"]\ndeny = true\n\n`;
    const at = policy.indexOf('[[rule]]');
    await changePolicy(`${policy.slice(0, at)}${deny}${policy.slice(at)}`, plugin, 'never');
    const refused = await run(plugin);
    expect(refused.status).not.toBe(0);
    expect(plugin.refusal(refused)).toContain('touchstone policy explain');
    expect(await lastRecord()).toMatchObject({ type: 'refuse', rule: 'never', kind: plugin.kind });
    writeFileSync(agent.policyFile, policy);
    for (let tries = 0; tries < 100 && !isGood(plugin, await run(plugin)); tries += 1) await delay(50);
    expect(isGood(plugin, await run(plugin))).toBe(true);
  });

  it('answers garbage with one document, and nothing is signed', async () => {
    const cut = plugin.input.subarray(0, plugin.input.length - 3);
    for (const input of [Buffer.alloc(0), Buffer.from([0xff, 0xfe, 0]), cut, Buffer.alloc(70_000, 0x7b)]) {
      const result = await run(plugin, input);
      expect(result.status).not.toBe(0);
      expect(plugin.refusal(result)).toContain('touchstone: ');
    }
    expect(isGood(plugin, await run(plugin))).toBe(true);
  });

  it(`signs in ${PARALLEL} processes at once`, { timeout: PARALLEL_MS }, async () => {
    const results = await Promise.all(Array.from({ length: PARALLEL }, () => run(plugin)));
    const failed = results.filter((result) => !isGood(plugin, result));
    expect(failed).toEqual([]);
  });

  it('gave a host up that never closed standard input, with a reason', async () => {
    const ended = await held.get(plugin);
    expect(ended?.status).toBeGreaterThan(0);
    expect(ended === undefined ? '' : plugin.refusal(ended)).toContain(
      'neither bytes nor its end came for 30 s',
    );
  });
});
