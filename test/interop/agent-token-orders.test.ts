/** Orders for keys on a token, whose signatures come later: what they were admitted under may have ended when they do. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Result } from '../../src/protocol/methods.js';
import { connectTo, fileStatement, isSignatureOf } from '../support/agent-client.js';
import type { DemoAgent } from '../support/demo-agent.js';
import { agentOver } from '../support/own-token-agent.js';
import { processTree } from '../support/process-tree.js';
import { outcomeOf, RawConnection } from '../support/raw-connection.js';
import { SoftHsmStore } from '../support/softhsm-store.js';

const KEY = 'touchstone/hardware#ssh';
const REVOKED = 'touchstone/revoked#ssh';

function signParams(
  key: string,
  content: string,
): { requests: [{ key: string; kind: string; payload: string }] } {
  const { kind, payload } = fileStatement(key, content);
  return { requests: [{ key, kind, payload: Buffer.from(payload).toString('base64') }] };
}

describe('an order for a key on a token', () => {
  const release = new SoftHsmStore('release');
  const buildhost = new SoftHsmStore('buildhost');
  let agent: DemoAgent;
  let keeperPid = 0;

  beforeAll(async () => {
    agent = await agentOver({ name: 'release', store: release }, { name: 'buildhost', store: buildhost });
    keeperPid = await agent.start();
    await agent.must(['token', 'setup', '--token', 'release', '--pin-file', agent.pinFile]);
    for (const key of [KEY, REVOKED]) {
      await agent.derive(key);
      await agent.must(['key', 'install', key, '--token', 'buildhost', '--pin-file', agent.pinFile]);
    }
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    for (const store of [release, buildhost]) store[Symbol.dispose]();
  });

  /** Unlocks the token alone; answers its host. The audit leaf comes with the other token. */
  async function unlockToken(options: readonly string[] = []): Promise<number> {
    await agent.must(['lock']);
    await agent.must(['unlock', '--token', 'buildhost', '--pin-file', agent.pinFile, ...options]);
    return theProcess('tokenhost.js');
  }

  function theProcess(name: string): number {
    const [found, ...others] = processTree(keeperPid).filter((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(name),
    );
    if (found === undefined || others.length > 0) throw new Error(`${name}: ${others.length} others`);
    return found;
  }

  it('is signed also when it is the last use of its lease', async () => {
    await unlockToken(['--uses', '3']);
    using client = await RawConnection.open(agent.socket);
    const calls = Array.from({ length: 5 }, (_, n) => client.call('sign', signParams(KEY, `use ${n}`)));
    const outcomes = (await Promise.all(calls)).map(outcomeOf);
    expect(outcomes.slice(0, 3)).toEqual(['ok', 'ok', 'ok']);
    for (const late of outcomes.slice(3)) expect(['lease.uses', 'key.locked']).toContain(late);
    await expect
      .poll(async () => outcomeOf(await client.call('sign', signParams(KEY, 'x'))))
      .toBe('key.locked');
  });

  it('is not signed when its key was revoked while it waited', async () => {
    const host = await unlockToken();
    await agent.must(['unlock', '--token', 'release', '--key', KEY, '--pin-file', agent.pinFile]);
    // One lease on each token: the second one is there to sign the revocation.
    const hosts = processTree(keeperPid).filter((pid) => pid === host);
    expect(hosts).toEqual([host]);
    using client = await RawConnection.open(agent.socket);
    process.kill(host, 'SIGSTOP');
    const calls = Array.from({ length: 20 }, (_, n) =>
      client.call('sign', signParams(REVOKED, `waits ${n}`)),
    );
    await client.call('status', {});
    await agent.must(['key', 'revoke', REVOKED, '--reason', 'test']);
    process.kill(host, 'SIGCONT');
    const outcomes = (await Promise.all(calls)).map(outcomeOf);
    // What was with the driver already was asked for before the revocation; nothing after it is given to the driver.
    expect(outcomes.slice(8).every((outcome) => outcome === 'key.revoked')).toBe(true);
    await agent.must(['audit', 'verify']);
  });

  it('is paid by a newer lease when the one that paid first ends while it waits', async () => {
    await unlockToken(['--for', '8s']);
    await agent.must(['unlock', '--token', 'buildhost', '--uses', '10', '--pin-file', agent.pinFile]);
    const host = theProcess('tokenhost.js');
    using client = await RawConnection.open(agent.socket);
    process.kill(host, 'SIGSTOP');
    const calls = Array.from({ length: 3 }, (_, n) => client.call('sign', signParams(KEY, `waits ${n}`)));
    const left = async (): Promise<readonly (number | null)[]> =>
      ((await client.call('status', {})).result as Result<'status'>).leases.map(({ usesLeft }) => usesLeft);
    await expect.poll(left, { timeout: 30_000 }).toEqual([10]);
    process.kill(host, 'SIGCONT');
    expect((await Promise.all(calls)).map(outcomeOf)).toEqual(['ok', 'ok', 'ok']);
    await expect.poll(left, { timeout: 10_000 }).toEqual([7]);
  });

  it('answers nobody but the front that gave it', async () => {
    const host = await unlockToken();
    const statement = (n: string): ReturnType<typeof fileStatement> => fileStatement(KEY, n);
    using before = await RawConnection.open(agent.socket);
    process.kill(host, 'SIGSTOP');
    for (let n = 0; n < 20; n += 1) {
      before.send({ jsonrpc: '2.0', id: n, method: 'sign', params: signParams(KEY, `before ${n}`) });
    }
    await before.call('status', {});
    process.kill(theProcess('front.js'), 'SIGKILL');
    await before.closed;
    const client = await connectAgain();
    const calls = Array.from({ length: 20 }, (_, n) => client.call('sign', signParams(KEY, `after ${n}`)));
    await client.call('status', {});
    process.kill(host, 'SIGCONT');
    const replies = await Promise.all(calls);
    client[Symbol.dispose]();
    const publicKey = await publicKeyOf(KEY);
    for (const [n, reply] of replies.entries()) {
      expect(outcomeOf(reply)).toBe('ok');
      const [signed] = (reply.result as Result<'sign'>).signatures;
      const signature = Buffer.from(signed?.signature ?? '', 'base64');
      const shown = { signature, keyId: '', auditId: 0 };
      expect(isSignatureOf(publicKey, statement(`after ${n}`), shown)).toBe(true);
    }
    await agent.must(['audit', 'verify']);
  });

  async function connectAgain(): Promise<RawConnection> {
    for (let round = 0; ; round += 1) {
      try {
        return await RawConnection.open(agent.socket);
      } catch (error) {
        if (round > 50) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  async function publicKeyOf(key: string): Promise<string | undefined> {
    const client = await connectTo(agent);
    const { key: shown } = await client.call('keys.show', { key });
    client.close();
    return shown.publicKey;
  }
});
