/** Where secrets could stay behind: memory after a lease ended by itself, environment, logs, core files. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Result } from '../../src/protocol/methods.js';
import { DemoAgent, TOUCHSTONE } from '../support/demo-agent.js';
import { KnownToken } from '../support/known-token.js';
import { countInMemory } from '../support/process-memory.js';
import { processTree, waitForExit } from '../support/process-tree.js';
import { listFiles } from '../support/source-tree.js';

const DOMAIN = 'secrets.example';
const KEY = 'secrets/test#cosign';
const MARK = `mark-${randomBytes(8).toString('hex')}`;
const TYPE = 'application/vnd.in-toto+json';

/** How a secret could be written down. */
function spellings(secret: Buffer): readonly string[] {
  return [
    secret.toString('latin1'),
    secret.toString('hex'),
    secret.toString('base64'),
    secret.toString('base64url'),
  ];
}

describe('an agent at its most talkative', () => {
  const agent = new DemoAgent();
  const crashes = path.join(agent.folder, 'crashes');
  const pin = readFileSync(agent.pinFile, 'utf8').trim();
  const token = new KnownToken(pin);
  const leaf = token.leaf({
    domain: DOMAIN,
    repository: 'secrets/test',
    role: 'cosign',
    algorithm: 'ecdsa-p256',
    epoch: 1,
    index: 0,
  });
  // OpenSSL keeps numbers as little-endian words.
  const needles = [leaf.secret, Buffer.from(leaf.secret).reverse(), leaf.prf, Buffer.from(pin)];
  const said: string[] = [];

  async function status(): Promise<Result<'status'>> {
    return JSON.parse(await agent.must(['agent', 'status', '--json'])) as Result<'status'>;
  }

  async function keepSaying(argv: readonly string[], input?: string): Promise<void> {
    const { stdout, stderr } = await agent.touchstone([...argv, '--debug', '--verbose'], { input });
    said.push(stdout, stderr);
  }

  /** Occurrences in all processes of the agent together. */
  async function inMemory(): Promise<number> {
    const { pid } = await status();
    return processTree(pid)
      .flatMap((each) => countInMemory(each, needles))
      .reduce((sum, count) => sum + count, 0);
  }

  beforeAll(async () => {
    mkdirSync(crashes);
    await agent.must(['init', ...token.initArguments, '--domain', DOMAIN]);
    agent.configure((toml) => toml.replace(/^uri = .*$/m, (line) => `${line}\n${token.environmentLine}`));
    // As somebody would start it who wants core files and set variables that no agent should inherit.
    const variables = ['TOUCHSTONE_PIN', 'PIN', 'LD_BIND_NOW', 'NODE_DEBUG', 'AWS_SECRET_ACCESS_KEY'];
    const run = [process.execPath, TOUCHSTONE, 'agent', 'run', '--allow-root', '--log-level', 'debug'];
    const log = path.join(agent.stateDir, 'agent.log');
    const keeper = spawn('sh', ['-c', `ulimit -c unlimited; exec "$@" >>'${log}' 2>&1`, 'sh', ...run], {
      cwd: crashes,
      detached: true,
      stdio: 'ignore',
      env: { ...agent.environment, ...Object.fromEntries(variables.map((name) => [name, MARK])) },
    });
    keeper.unref();
    await vi.waitFor(() => agent.must(['agent', 'status']), { timeout: 45_000 });
    await agent.must(['token', 'setup', '--adopt', '--backend', 'hmac', '--pin-file', agent.pinFile]);
    await agent.derive(KEY);
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    token[Symbol.dispose]();
  });

  it('hands down no variable that it does not know', async () => {
    const { pid } = await status();
    const processes = processTree(pid);
    expect(processes).toHaveLength(3);
    for (const each of processes) {
      const environment = readFileSync(`/proc/${each}/environ`, 'latin1');
      expect(environment).toContain('PATH=');
      expect(environment).not.toContain(MARK);
    }
  });

  it.each([
    { end: 'its time is over', lease: ['--for', '5s'] },
    { end: 'its uses are spent', lease: ['--uses', '1'] },
  ])('forgets every key of a lease when $end', async ({ lease }) => {
    await agent.must(['lock']);
    expect(await inMemory()).toBe(0);
    await agent.unlock(lease);
    // The control: while the lease lives, the scan finds the key.
    expect(await inMemory()).toBeGreaterThan(0);
    const statement = JSON.stringify({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ name: 'app', digest: { sha256: 'cd'.repeat(32) } }],
      predicateType: 'https://slsa.dev/provenance/v1',
      predicate: { content: MARK },
    });
    await keepSaying(
      ['sign', 'dsse', '--key', KEY, '--type', TYPE, '-o', path.join(agent.folder, 'out'), '-'],
      statement,
    );
    await expect.poll(async () => (await status()).leases, { timeout: 45_000 }).toEqual([]);
    await expect.poll(inMemory, { timeout: 5000 }).toBe(0);
  });

  it('forgets a PIN that was wrong', async () => {
    const wrong = randomBytes(16).toString('hex');
    await keepSaying(['unlock', '--pin-file', agent.writePin('wrong', wrong)]);
    const { pid } = await status();
    for (const each of processTree(pid)) expect(countInMemory(each, [Buffer.from(wrong)])).toEqual([0]);
    expect(said.join('\n')).toContain('token.pin-incorrect');
    expect(said.join('\n')).not.toContain(wrong);
  });

  it('says neither secrets nor what it signs, in no log and no error', async () => {
    await agent.unlock();
    await keepSaying(['sign', 'dsse', '--key', KEY, '--type', 'text/plain', '-'], MARK);
    await keepSaying(['sign', 'file', '--key', KEY, '-'], MARK);
    await keepSaying(['unlock', '--pin-file', agent.pinFile]);
    const files = listFiles(agent.stateDir, '').filter((file) => !file.startsWith('softhsm'));
    const written = files.map((file) => readFileSync(path.join(agent.stateDir, file), 'latin1'));
    const everything = [...written, ...said].join('\n');
    // The controls: the log is there, it is at level debug, and the signature was made.
    expect(files).toContain('agent.log');
    expect(everything).toContain('secrets/test#cosign');
    expect(existsSync(path.join(agent.folder, 'out'))).toBe(true);
    for (const secret of [...needles, Buffer.from(MARK)]) {
      for (const spelling of spellings(secret)) expect(everything.includes(spelling)).toBe(false);
    }
  });

  it('leaves no core file, whichever process is aborted', async () => {
    await agent.unlock();
    const ordinary = spawn(
      'sh',
      ['-c', 'ulimit -c unlimited; exec "$@"', 'sh', process.execPath, '-e', 'process.abort()'],
      {
        cwd: crashes,
        stdio: 'ignore',
      },
    );
    await waitForExit([ordinary.pid ?? 0], 10_000);
    // Where the kernel hands core files to a program, limit and dumpable flag are all that can be seen.
    const toFile = !readFileSync('/proc/sys/kernel/core_pattern', 'utf8').startsWith('|');
    const before = readdirSync(crashes);
    if (toFile) expect(before).toHaveLength(1);
    const { pid, frontPid } = await status();
    const [host] = processTree(pid).filter((each) => each !== pid && each !== frontPid);
    for (const each of [host ?? 0, frontPid, pid]) {
      expect(readFileSync(`/proc/${each}/limits`, 'utf8')).toMatch(/^Max core file size\s+0\s+0\s/m);
      expect(readlinkSync(`/proc/${each}/cwd`)).toBe(crashes);
      process.kill(each, 'SIGABRT');
      expect(await waitForExit([each], 5000)).toEqual([]);
    }
    expect(readdirSync(crashes)).toEqual(before);
  });
});
