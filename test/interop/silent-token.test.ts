/**
 * A token that never answers, as one that nobody touches, asked through each door: every request ends with a reason its client
 * understands, keys in memory go on signing meanwhile, and the token signs again after the next unlock.
 */
import { createPublicKey, verify } from 'node:crypto';
import { appendFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildSignedData } from '../../src/formats/sshsig.js';
import { buildNotationPayload } from '../../src/formats/notation.js';
import { buildSimpleSigning } from '../../src/formats/simple-signing.js';
import { runProgram, startDemoAgent, type CommandResult, type DemoAgent } from '../support/demo-agent.js';
import { Pkcs11RpcClient, ReturnValue } from '../support/pkcs11-rpc-client.js';
import { processTree } from '../support/process-tree.js';
import { PROJECT_ROOT } from '../support/project-root.js';
import { signBody, SSH, SshDoorClient, sshSocketOf } from '../support/ssh-door.js';

/** What a driver may take, and time for everything around it. */
const SILENCE_MS = 60_000;
const CKM_ECDSA = 0x1041;
const DIGEST = Buffer.alloc(32, 7);
const IMAGE = `sha256:${'5a'.repeat(32)}`;
const MEDIA_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const FILE = buildSignedData({ namespace: 'file', hashAlgorithm: 'sha512', hash: Buffer.alloc(64, 1) });
/** Keys of these live on the token; those of `memory/app` do not. */
const TOKEN = 'token/app';
const MEMORY = 'memory/app';
const RULE = `\n[[rule]]\nid = "pkcs11"\nkinds = ["digest"]\nkeys = ["*#cosign"]\nallow = true\nblind = true\n`;

let agent: DemoAgent;
let keeper = 0;

beforeAll(async () => {
  agent = await startDemoAgent({
    configure: (toml) => toml.replaceAll(/^\[(ssh-agent|pkcs11)\]$/gm, '[$1]\nenabled = true'),
  });
  appendFileSync(agent.policyFile, RULE);
  process.kill(await agent.pid(), 'SIGHUP');
  await agent.unlock(['--blind']);
  keeper = await agent.pid();
  await agent.must(['key', 'create', 'touchstone/ca#x509-ca', '--token', 'release']);
  await agent.must(['cert', 'init', '--subject', 'C=DE,ST=Berlin,O=Acme']);
  for (const role of ['ssh', 'cosign', 'notation']) {
    await agent.must(['key', 'create', `${TOKEN}#${role}`, '--token', 'release']);
    await agent.derive(`${MEMORY}#${role}`);
  }
  for (const repository of [TOKEN, MEMORY]) await agent.must(['cert', 'issue', `${repository}#notation`]);
});
afterAll(async () => {
  await agent[Symbol.asyncDispose]();
});

/** The process that has loaded the driver. */
function tokenHost(): number {
  const hosts = processTree(keeper).filter((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('tokenhost.js'),
  );
  return hosts[0] ?? 0;
}

interface Doors {
  readonly ssh: string;
  readonly pkcs11: string;
  readonly cosign: string;
  readonly notation: string;
}

const SIGNED: Doors = { ssh: 'signed', pkcs11: 'signed', cosign: 'signed', notation: 'signed' };

/** What each door makes of a request for a key of the repository; all at once. */
async function askAll(repository: string): Promise<Doors> {
  const [ssh, pkcs11, cosign, notation] = await Promise.all([
    askSsh(repository),
    askPkcs11(repository),
    askCosign(repository),
    askNotation(repository),
  ]);
  return { ssh, pkcs11, cosign, notation };
}

async function askSsh(repository: string): Promise<string> {
  using client = new SshDoorClient(sshSocketOf(agent));
  const blob = (await client.identities()).get(`${repository}#ssh`) ?? Buffer.alloc(0);
  const reply = await client.ask(signBody(blob, FILE));
  return reply?.[0] === SSH.signature ? 'signed' : `message ${String(reply?.[0])}`;
}

async function askPkcs11(repository: string): Promise<string> {
  const client = await Pkcs11RpcClient.open(path.join(path.dirname(agent.socket), 'pkcs11.sock'));
  try {
    const session = await client.openSession(1);
    const key = await client.findKey(session, `${repository}#cosign`);
    return (await client.sign(session, CKM_ECDSA, key, DIGEST)).length === 64 ? 'signed' : 'short';
  } catch (thrown) {
    if (thrown instanceof ReturnValue) return `0x${thrown.rv.toString(16)}`;
    throw thrown;
  } finally {
    client.close();
  }
}

function plugin(name: string, argv: readonly string[], input: Uint8Array): Promise<CommandResult> {
  const program = path.join(PROJECT_ROOT, 'dist/bin', `${name}.js`);
  const options = { environment: agent.environment, input, timeoutMs: SILENCE_MS };
  return runProgram(process.execPath, [program, ...argv], options);
}

async function askCosign(repository: string): Promise<string> {
  const request = {
    initOptions: { protocolVersion: 'v1', keyResourceID: repository, hashFunc: 5 },
    methodName: 'signMessage',
    signMessage: { signOptions: { messageOptions: { digest: null } } },
  };
  const message = buildSimpleSigning({ reference: repository, digest: IMAGE });
  const result = await plugin('sigstore-kms-touchstone', ['v1', JSON.stringify(request)], message);
  const answer = JSON.parse(result.stdout) as { readonly errorMessage?: string };
  return answer.errorMessage ?? 'signed';
}

async function askNotation(repository: string): Promise<string> {
  const payload = buildNotationPayload({ mediaType: MEDIA_TYPE, digest: IMAGE, size: 7 }, new Date());
  const request = {
    contractVersion: '1.0',
    keyId: repository,
    keySpec: 'EC-256',
    hashAlgorithm: 'SHA-256',
    payload: payload.toString('base64'),
  };
  const input = Buffer.from(JSON.stringify(request));
  const result = await plugin('notation-touchstone', ['generate-signature'], input);
  if (result.status !== 0) return (JSON.parse(result.stderr) as { readonly errorCode: string }).errorCode;
  const answer = JSON.parse(result.stdout) as { readonly signature: string };
  const pem = await agent.must(['key', 'export', `${repository}#notation`]);
  const key = { key: createPublicKey(pem), dsaEncoding: 'ieee-p1363' } as const;
  return verify('sha256', payload, key, Buffer.from(answer.signature, 'base64')) ? 'signed' : 'wrong';
}

describe('a token that never answers', () => {
  it('signs through every door as long as it does', async () => {
    expect(await askAll(TOKEN)).toEqual(SIGNED);
  });

  it(
    'ends every request in the words of its door, and holds up no key in memory',
    { timeout: SILENCE_MS },
    async () => {
      // A client that hangs in the middle of a message has as long as the driver.
      using half = new SshDoorClient(sshSocketOf(agent));
      half.socket.write(Buffer.of(0, 0, 1, 0, SSH.sign));
      process.kill(tokenHost(), 'SIGSTOP');
      const silent = askAll(TOKEN);
      expect(await askAll(MEMORY)).toEqual(SIGNED);
      expect(await half.next()).toBeUndefined();
      // Whoever still waited in the queue when the driver was ended finds the token locked.
      expect(await silent).toEqual({
        ssh: `message ${SSH.failure}`,
        pkcs11: expect.stringMatching(/^0x(50|101)$/) as unknown,
        cosign: expect.stringMatching(/^touchstone: .*(within 30000 ms|touchstone unlock)/) as unknown,
        notation: expect.stringMatching(/^(TIMEOUT|ACCESS_DENIED)$/) as unknown,
      });
      const shown = await agent.must(['audit', 'show', '--json', '--limit', '1000']);
      const { records } = JSON.parse(shown) as {
        readonly records: readonly { readonly key?: string; readonly code?: string; readonly type: string }[];
      };
      const ended = records.filter(({ type, key }) => type === 'refuse' && key?.startsWith(TOKEN) === true);
      const names = ['cosign', 'cosign', 'notation', 'ssh'].map((role) => `${TOKEN}#${role}`);
      expect(ended.map(({ key }) => key).sort()).toEqual(names);
      const codes = ended.map(({ code }) => code ?? '');
      expect(codes).toContain('token.timeout');
      for (const code of codes) expect(code).toMatch(/^(token\.timeout|limits\.deadline|key\.locked)$/);
    },
  );

  it('signs again through every door after the next unlock', async () => {
    await agent.unlock(['--blind']);
    expect(await askAll(TOKEN)).toEqual(SIGNED);
    expect(await askAll(MEMORY)).toEqual(SIGNED);
  });
});
