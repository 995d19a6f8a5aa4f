/** What is found in the memory of a whole running agent, before and after it forgets: PINs, PRF values, private keys. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DemoAgent } from '../support/demo-agent.js';
import { KnownToken } from '../support/known-token.js';
import { countInMemory } from '../support/process-memory.js';
import { processTree } from '../support/process-tree.js';

const DOMAIN = 'memory.example';
const ALGORITHMS = ['ecdsa-p256', 'ed25519'] as const;
const INDEXES = [0, 1, 2];

describe('the memory of an agent', () => {
  const agent = new DemoAgent();
  const pin = readFileSync(agent.pinFile, 'utf8').trim();
  const token = new KnownToken(pin);
  const leaves = ALGORITHMS.flatMap((algorithm) =>
    INDEXES.map((index) => ({
      algorithm,
      index,
      repository: 'memory/test',
      role: 'ssh',
      epoch: 1,
      domain: DOMAIN,
    })),
  );
  const values = leaves.map((fields) => token.leaf(fields));
  // OpenSSL keeps numbers as little-endian words: both byte orders count.
  const secrets = values.flatMap(({ secret }) => [secret, Buffer.from(secret).reverse()]);
  const prfs = values.map(({ prf }) => prf);
  const pins = [Buffer.from(pin, 'utf8'), Buffer.from(pin, 'utf16le')];

  /** Occurrences of any needle in each process of the agent. */
  async function found(needles: readonly Buffer[]): Promise<readonly number[]> {
    return processTree(await agent.pid()).map((pid) =>
      countInMemory(pid, needles).reduce((sum, count) => sum + count, 0),
    );
  }

  beforeAll(async () => {
    await agent.must(['init', ...token.initArguments, '--domain', DOMAIN]);
    agent.configure((toml) => toml.replace(/^uri = .*$/m, (line) => `${line}\n${token.environmentLine}`));
    await agent.start();
    await agent.must(['token', 'setup', '--adopt', '--backend', 'hmac', '--pin-file', agent.pinFile]);
    for (const { algorithm, index } of leaves) await agent.derive(`memory/test#ssh~${algorithm}:${index}`);
    for (const { algorithm, index } of leaves) {
      const key = `memory/test#ssh~${algorithm}:${index}`;
      await agent.must(['sign', 'file', '--key', key, '-o', '-', '-'], { input: 'message' });
    }
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    token[Symbol.dispose]();
  });

  it('holds each private key once, in the keeper, while it is unlocked', async () => {
    const [keeper, ...others] = await found(secrets);
    // The control for everything below: the scan does find what is there.
    expect(keeper).toBeGreaterThanOrEqual(leaves.length);
    expect(others.every((count) => count === 0)).toBe(true);
  });

  it('holds no PIN and no PRF value once unlocking is over', async () => {
    const [keeper, ...others] = await found([...pins, ...prfs]);
    expect([keeper, ...others].every((count) => count === 0)).toBe(true);
  });

  it('holds no private key after lock', async () => {
    await agent.must(['lock']);
    expect((await found([...secrets, ...prfs, ...pins])).every((count) => count === 0)).toBe(true);
  });

  it('holds them again after unlock, and none after SIGHUP', async () => {
    await agent.unlock();
    expect((await found(secrets))[0]).toBeGreaterThanOrEqual(leaves.length);
    process.kill(await agent.pid(), 'SIGHUP');
    const leases = async (): Promise<readonly unknown[]> =>
      (JSON.parse(await agent.must(['agent', 'status', '--json'])) as { readonly leases: readonly unknown[] })
        .leases;
    await expect.poll(leases, { timeout: 5000 }).toEqual([]);
    expect((await found([...secrets, ...prfs, ...pins])).every((count) => count === 0)).toBe(true);
  });
});
