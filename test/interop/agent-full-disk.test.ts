/** A state folder without room: nothing is signed that could not be recorded, and signing goes on by itself when there is room again. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Result } from '../../src/protocol/methods.js';
import { fileStatement } from '../support/agent-client.js';
import { TOUCHSTONE, runProgram, type DemoAgent } from '../support/demo-agent.js';
import { agentOver } from '../support/own-token-agent.js';
import { outcomeOf, RawConnection } from '../support/raw-connection.js';
import { targetsBytes } from '../support/repository-metadata.js';
import { SoftHsmStore } from '../support/softhsm-store.js';

const KEY = 'touchstone/release#ssh';
const METADATA_KEY = 'registry.example/acme/app#targets';
const { kind, payload } = fileStatement(KEY, 'x');
const REQUESTS = [{ key: KEY, kind, payload: Buffer.from(payload).toString('base64') }];

describe('a full disk', () => {
  const store = new SoftHsmStore('release');
  const released: number[] = [];
  let agent: DemoAgent;
  let keeper: ChildProcess;
  /** The state folder as the agent sees it. */
  let disk: string;

  beforeAll(async () => {
    agent = await agentOver({ name: 'release', store });
    mkdirSync(agent.stateDir, { recursive: true, mode: 0o700 });
    const script = 'mount -t tmpfs -o size=256k,mode=0700 tmpfs "$1" && shift && exec "$@"';
    const run = [process.execPath, TOUCHSTONE, 'agent', 'run', '--allow-root'];
    keeper = spawn('unshare', ['-m', 'sh', '-c', script, 'sh', agent.stateDir, ...run], {
      env: agent.environment,
      stdio: 'ignore',
    });
    while ((await agent.touchstone(['agent', 'status'])).status !== 0) await delay(100);
    disk = `/proc/${await agent.pid()}/root${agent.stateDir}`;
    await agent.must(['token', 'setup', '--pin-file', agent.pinFile]);
    await agent.derive(KEY);
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    keeper.kill('SIGKILL');
    store[Symbol.dispose]();
  });

  async function sign(client: RawConnection): Promise<string> {
    const reply = await client.call('sign', { requests: REQUESTS });
    const signatures = (reply.result as Result<'sign'> | undefined)?.signatures ?? [];
    released.push(...signatures.map(({ auditId }) => auditId));
    return outcomeOf(reply);
  }

  function fill(): void {
    for (let bytes = 65_536; bytes >= 1; bytes = Math.floor(bytes / 2)) {
      try {
        for (;;) writeFileSync(path.join(disk, 'filler'), Buffer.alloc(bytes), { flag: 'a' });
      } catch {
        // Full for this size; try a smaller one.
      }
    }
  }

  /** By a program in the agent's own view of the disk. */
  async function verifyLog(): Promise<{ readonly ok: boolean }> {
    const pid = String(await agent.pid());
    const argv = ['-t', pid, '-m', process.execPath, TOUCHSTONE, 'audit', 'verify', '--json'];
    const result = await runProgram('nsenter', argv, { environment: agent.environment });
    return JSON.parse(result.stdout) as { readonly ok: boolean };
  }

  it.each([1, 2, 3])(
    'refuses signatures, stays alive, and goes on when there is room (round %i)',
    async () => {
      using client = await RawConnection.open(agent.socket);
      expect(await sign(client)).toBe('ok');
      fill();
      // The last block of the log may still have room for a few lines.
      const outcomes: string[] = [];
      while (outcomes.at(-1) !== 'audit.write' && outcomes.length < 100) outcomes.push(await sign(client));
      expect(outcomes.at(-1)).toBe('audit.write');
      expect(outcomes.slice(0, -1).every((outcome) => outcome === 'ok')).toBe(true);
      for (let again = 0; again < 5; again += 1) expect(await sign(client)).toBe('audit.write');
      await delay(1200);
      expect(await sign(client)).toBe('audit.write');
      const status = (await client.call('status', {})).result as Result<'status'>;
      expect(status.audit.writable).toBe(false);
      expect(status.leases).toHaveLength(1);
      expect((await agent.touchstone(['doctor'])).stdout).toMatch(
        /^fail +audit writing: .*nothing is signed/m,
      );
      const refused = await agent.touchstone(['sign', 'file', '--key', KEY, '--output', '-', '-'], {
        input: 'x',
      });
      expect(refused).toMatchObject({ status: 1, stdout: '' });
      expect(refused.stderr).toContain('free some space; signing goes on by itself');
      rmSync(path.join(disk, 'filler'));
      await expect.poll(() => sign(client), { timeout: 5000 }).toBe('ok');
      expect(await verifyLog()).toMatchObject({ ok: true });
    },
  );

  it('refuses to add a key that it could not write down, and keeps the keyring', async () => {
    const before = readFileSync(path.join(disk, 'keyring.json'), 'utf8');
    fill();
    const result = await agent.touchstone(['key', 'derive', 'acme/app#ssh']);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/free some space/);
    expect(readFileSync(path.join(disk, 'keyring.json'), 'utf8')).toBe(before);
    expect(readdirSync(disk).filter((name) => name.includes('tmp'))).toEqual([]);
    rmSync(path.join(disk, 'filler'));
    using client = await RawConnection.open(agent.socket);
    await expect.poll(() => sign(client), { timeout: 5000 }).toBe('ok');
    await agent.derive('acme/app#ssh');
  });

  it('signs no metadata that the guard could not write down, and has not used up its version', async () => {
    await agent.derive(METADATA_KEY);
    using client = await RawConnection.open(agent.socket);
    const signed = async (tag: string): Promise<string> => {
      const document = targetsBytes(1, { [tag]: 'x' }).toString('base64');
      const request = { key: METADATA_KEY, kind: 'notary.targets', payload: document };
      return outcomeOf(await client.call('sign', { requests: [request] }));
    };
    const count = async (): Promise<number> =>
      ((await client.call('status', {})).result as Result<'status'>).orders.count;
    fill();
    const before = await count();
    for (let again = 0; again < 3; again += 1) {
      expect(await signed('first')).toMatch(/^(?:state|audit)\.write$/);
    }
    expect(await count()).toBe(before);
    expect(readdirSync(path.join(disk, 'guard'))).toEqual([]);
    rmSync(path.join(disk, 'filler'));
    await expect.poll(() => sign(client), { timeout: 5000 }).toBe('ok');
    expect(await signed('second')).toBe('ok');
    expect(await signed('first')).toBe('guard.conflict');
  });

  it('released nothing without a record', () => {
    const text = readdirSync(path.join(disk, 'audit'))
      .map((name) => readFileSync(path.join(disk, 'audit', name), 'utf8'))
      .join('');
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { seq: number; type: string; key?: string });
    const recorded = lines.filter(({ type, key }) => type === 'sign' && key === KEY).map(({ seq }) => seq);
    expect(released.length).toBeGreaterThan(6);
    expect(recorded).toEqual(released);
  });

  it('survives a front that is killed while the disk is full', async () => {
    using client = await RawConnection.open(agent.socket);
    fill();
    for (let i = 0; i < 20; i += 1) await sign(client);
    const { frontPid } = (await client.call('status', {})).result as Result<'status'>;
    process.kill(frontPid, 'SIGKILL');
    await client.closed;
    await delay(500);
    rmSync(path.join(disk, 'filler'));
    await expect
      .poll(
        () =>
          agent
            .touchstone(['sign', 'file', '--key', KEY, '--output', '-', '-'], { input: 'x' })
            .then(({ status }) => status),
        { timeout: 45_000 },
      )
      .toBe(0);
    expect(await verifyLog()).toMatchObject({ ok: true });
  });
});
