/** The guard in a running agent: one content for each version, whatever is killed, asked twice or asked at once. */
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentClient } from '../../src/client/client.js';
import { signStatements, type StatementToSign } from '../../src/client/signer.js';
import { asAgentError } from '../../src/errors/agent-error.js';
import type { Result } from '../../src/protocol/methods.js';
import { connectTo, isSignatureOf, outcomeOf, signOne } from '../support/agent-client.js';
import { actsNamed, auditLines } from '../support/audit-acts.js';
import type { DemoAgent } from '../support/demo-agent.js';
import { agentOver } from '../support/own-token-agent.js';
import { processTree, waitForExit } from '../support/process-tree.js';
import {
  hashOf,
  rootBytes,
  rootCertificate,
  rootTbs,
  snapshotBytes,
  targetsBytes,
} from '../support/repository-metadata.js';
import { SoftHsmStore } from '../support/softhsm-store.js';

const APP = 'registry.example/acme/app';
const TIMEOUT_MS = 20_000;

interface DocumentLine {
  readonly type: string;
  readonly key?: string;
  readonly hash?: string;
  readonly document?: {
    readonly version: number;
    readonly sha256: string;
    readonly notStored?: string;
    readonly changed?: number;
    readonly changes?: readonly string[];
  };
}

describe('the guard', () => {
  const release = new SoftHsmStore('release');
  let agent: DemoAgent;
  let client: AgentClient;
  let publicRoot = '';

  beforeAll(async () => {
    agent = await agentOver({ name: 'release', store: release });
    await agent.start();
    await agent.must(['token', 'setup', '--pin-file', agent.pinFile]);
    client = await connectTo(agent);
    publicRoot = (await client.call('keys.show', { key: `${APP}#root` })).key.publicKey ?? '';
  });
  afterAll(async () => {
    client.close();
    await agent[Symbol.asyncDispose]();
    release[Symbol.dispose]();
  });

  /** A repository of its own for a test, with these roles; answers its name. */
  async function repository(name: string, ...roles: readonly string[]): Promise<string> {
    for (const role of roles) await agent.derive(`registry.example/${name}#${role}`);
    return `registry.example/${name}`;
  }

  function targets(
    key: string,
    version: number,
    tags: Readonly<Record<string, string>> = {},
  ): StatementToSign {
    const kind = key.includes('#targets/') ? 'notary.delegation' : 'notary.targets';
    return { key, kind, payload: targetsBytes(version, tags) };
  }

  function snapshot(key: string, version: number, content: string, notStored?: string): StatementToSign {
    return { key, kind: 'notary.snapshot', payload: snapshotBytes(version, content), notStored };
  }

  function sign(statement: StatementToSign): Promise<string> {
    return outcomeOf(client, statement);
  }

  function publish(key: string, version: number, payload: Uint8Array): Promise<Result<'guard.published'>> {
    const [name = '', role = ''] = key.split('#');
    return client.call('guard.published', { repository: name, role, version, sha256: hashOf(payload) });
  }

  async function shown(name: string): Promise<Result<'guard.show'>['entries']> {
    return (await client.call('guard.show', { repository: name })).entries;
  }

  function lastLine(key: string): DocumentLine | undefined {
    const lines = auditLines(agent.stateDir) as readonly DocumentLine[];
    return lines.filter((line) => line.type === 'sign' && line.key === key).at(-1);
  }

  async function restartAgent(): Promise<void> {
    client.close();
    await agent.stop();
    await agent.start();
    await agent.unlock();
    client = await connectTo(agent);
  }

  it('signs each version once, the same content as often as it is asked for', async () => {
    const key = `${await repository('acme/once', 'targets')}#targets`;
    const one = targets(key, 1, { v1: 'a' });
    expect(await sign(one)).toBe('signed');
    expect(await sign(one)).toBe('signed');
    expect(await sign(targets(key, 1, { v1: 'b' }))).toBe('guard.conflict');
    expect(await sign(targets(key, 3, { v1: 'b' }))).toBe('signed');
    expect(await sign(targets(key, 2, { v1: 'c' }))).toBe('guard.version');
    expect(await sign(one)).toBe('guard.version');
    const last = auditLines(agent.stateDir).at(-1);
    expect(last).toMatchObject({ type: 'refuse', key, code: 'guard.version' });
  });

  it('knows each role of each repository by itself', async () => {
    const first = await repository('acme/roles', 'targets', 'targets/releases');
    const second = await repository('acme/roles2', 'targets');
    for (const key of [`${first}#targets`, `${first}#targets/releases`, `${second}#targets`])
      expect(await sign(targets(key, 4, { v1: key }))).toBe('signed');
    // The bytes are those of either role: the key's record tells them apart.
    const { payload } = targets(`${first}#targets`, 5);
    const swapped = { key: `${first}#targets`, kind: 'notary.delegation', payload };
    expect(await sign(swapped)).toBe('statement.kind');
    const roles = (await shown(first)).map(({ role, signed }) => [role, signed?.version]);
    expect(roles).toEqual([
      ['targets', 4],
      ['targets/releases', 4],
    ]);
  });

  it('never gives a published version another content, and believes only what it signed', async () => {
    const name = await repository('acme/published', 'snapshot');
    const key = `${name}#snapshot`;
    const one = snapshot(key, 1, 'a');
    expect(await sign(one)).toBe('signed');
    expect(await publish(key, 1, snapshotBytes(1, 'b'))).toEqual({ matched: false });
    expect(await publish(key, 1, one.payload)).toEqual({ matched: true });
    expect(await publish(key, 1, one.payload)).toEqual({ matched: true });
    expect(await sign(one)).toBe('signed');
    expect(await sign(snapshot(key, 1, 'b', hashOf(one.payload)))).toBe('guard.version');
    expect(await shown(name)).toEqual([
      {
        repository: name,
        role: 'snapshot',
        published: { version: 1, sha256: hashOf(one.payload) },
        signed: null,
      },
    ]);
  });

  it('gives a snapshot that was not stored another content, eight in all', async () => {
    const key = `${await repository('acme/online', 'snapshot')}#snapshot`;
    let last: string | undefined;
    for (let attempt = 1; attempt <= 8; attempt += 1) {
      const next = snapshot(key, 7, `attempt ${attempt}`, last);
      expect(await sign({ ...next, notStored: undefined })).toBe(attempt === 1 ? 'signed' : 'guard.conflict');
      expect(await sign(next)).toBe('signed');
      if (attempt > 1) {
        expect(lastLine(key)?.document).toMatchObject({
          version: 7,
          sha256: hashOf(next.payload),
          notStored: last,
        });
      }
      last = hashOf(next.payload);
    }
    expect(await sign(snapshot(key, 7, 'attempt 9', last))).toBe('guard.conflict');
    expect(await sign(snapshot(key, 8, 'attempt 9'))).toBe('signed');
    await agent.must(['audit', 'verify']);
  });

  it('gives no other role a second content by word of a client', async () => {
    const key = `${await repository('acme/offline', 'targets')}#targets`;
    const one = targets(key, 1, { v1: 'a' });
    expect(await sign(one)).toBe('signed');
    const other = { ...targets(key, 1, { v1: 'b' }), notStored: hashOf(one.payload) };
    expect(await sign(other)).toBe('usage.invalid');
  });

  it('lets the owner abandon what nobody stored, on the record', async () => {
    const name = await repository('acme/abandoned', 'targets');
    const key = `${name}#targets`;
    const one = targets(key, 1, { v1: 'a' });
    expect(await sign(one)).toBe('signed');
    const content = { repository: name, role: 'targets', version: 1 };
    const wrong = client.call('guard.abandon', { ...content, sha256: '0'.repeat(64) });
    expect(asAgentError(await wrong.catch((error: unknown) => error)).code).toBe('guard.version');
    await client.call('guard.abandon', { ...content, sha256: hashOf(one.payload) });
    expect(actsNamed(agent.stateDir, 'guard-abandon')).toEqual([{ ...content, sha256: hashOf(one.payload) }]);
    expect(await sign(targets(key, 1, { v1: 'b' }))).toBe('signed');
  });

  it('lets the owner forget a repository, on the record, and is whole after a restart', async () => {
    const name = await repository('acme/gone', 'targets', 'snapshot');
    const key = `${name}#targets`;
    const forget = (): Promise<unknown> =>
      client.call('guard.forget', { repository: name }).catch((error: unknown) => asAgentError(error).code);
    expect(await forget()).toBe('guard.version');
    const one = targets(key, 7, { v1: 'a' });
    expect([await sign(one), await sign(snapshot(`${name}#snapshot`, 2, 'a'))]).toEqual(['signed', 'signed']);
    await publish(key, 7, one.payload);
    expect(await sign(targets(key, 1, { v1: 'b' }))).toBe('guard.version');
    expect(await forget()).toEqual({ roles: ['targets', 'snapshot'] });
    const facts = { repository: name, versions: 'targets 7, snapshot 2' };
    expect(actsNamed(agent.stateDir, 'guard-forget')).toEqual([facts]);
    await agent.stop();
    await restartAgent();
    expect((await shown(name)).map(({ role, published, signed }) => [role, published, signed])).toEqual(
      expect.arrayContaining([
        ['targets', null, null],
        ['snapshot', null, null],
      ]),
    );
    expect(await forget()).toBe('guard.version');
    expect(await sign(targets(key, 1, { v1: 'b' }))).toBe('signed');
    expect(await sign(targets(key, 1, { v1: 'c' }))).toBe('guard.conflict');
  });

  it('takes a batch of one content for each role, or nothing of it', async () => {
    const name = await repository('acme/batch', 'targets', 'snapshot');
    const key = `${name}#targets`;
    await agent.derive(`${key}:1`);
    const batch = (...statements: readonly StatementToSign[]): Promise<string> =>
      signStatements(client, statements, TIMEOUT_MS).then(
        (signed) => signed.map(({ keyId }) => keyId.slice(0, 1)).length.toString(),
        (error: unknown) => asAgentError(error).code,
      );
    expect(await batch(targets(key, 1, { v1: 'a' }), targets(`${key}:1`, 1, { v1: 'b' }))).toBe(
      'guard.conflict',
    );
    expect(await shown(name)).toEqual([]);
    expect(
      await batch(
        targets(key, 1, { v1: 'a' }),
        targets(`${key}:1`, 1, { v1: 'a' }),
        snapshot(`${name}#snapshot`, 1, 'a'),
      ),
    ).toBe('3');
    expect((await shown(name)).map(({ role }) => role)).toEqual(['targets', 'snapshot']);
  });

  it('says in the log what a document changes', async () => {
    const key = `${await repository('acme/changes', 'targets')}#targets`;
    expect(await sign(targets(key, 1, { v0: 'a', v1: 'b' }))).toBe('signed');
    expect(lastLine(key)?.document).toMatchObject({
      changed: 2,
      changes: [expect.stringMatching(/^\+v0 /), expect.stringMatching(/^\+v1 /)],
    });
    expect(await sign(targets(key, 2, { v1: 'c', v2: 'd' }))).toBe('signed');
    const { document, hash } = lastLine(key) ?? {};
    expect(document).toMatchObject({ version: 2, changed: 3 });
    expect(document?.sha256).toBe(hash);
    expect(document?.changes).toEqual([
      '-v0',
      `v1 moved to sha256:${hashOf(Buffer.from('c'))}`,
      `+v2 sha256:${hashOf(Buffer.from('d'))}`,
    ]);
    // Nothing is known of what another agent signed.
    const other = `${await repository('acme/changes2', 'targets')}#targets`;
    expect(await sign(targets(other, 5, { v1: 'a' }))).toBe('signed');
    expect(lastLine(other)?.document?.changes).toEqual(['no base']);
    expect(await agent.must(['audit', 'show', '--limit', '20'])).toContain(
      'version 2: -v0, v1 moved to sha256:',
    );
  });

  it('signs a document of 3 MB, and compares the next one with it', async () => {
    const key = `${await repository('acme/large', 'targets')}#targets`;
    const tags: Record<string, string> = {};
    for (let at = 0; at < 29_000; at += 1) tags[`v${String(at).padStart(20, '0')}`] = String(at);
    const large = targets(key, 1, tags);
    expect(large.payload.length).toBeGreaterThan(2_990_000);
    const signed = await signOne(client, large);
    const { key: info } = await client.call('keys.show', { key });
    expect(isSignatureOf(info.publicKey, large, signed)).toBe(true);
    expect(lastLine(key)?.document).toMatchObject({ changed: 29_000 });
    expect(await sign(targets(key, 2, { ...tags, extra: 'x' }))).toBe('signed');
    expect(lastLine(key)?.document?.changes).toEqual([`+extra sha256:${hashOf(Buffer.from('x'))}`]);
    // What is no metadata stays small.
    const file = { key: 'acme/tool#ssh', kind: 'sshsig:file', payload: large.payload };
    expect(await sign(file)).toBe('limits.frame-too-large');
  });

  it('forgets an admission after which the keeper signed nothing', async () => {
    const name = await repository('acme/locked', 'targets');
    const key = `${name}#targets`;
    await agent.must(['lock']);
    expect(await sign(targets(key, 1, { v1: 'a' }))).toBe('key.locked');
    expect(await shown(name)).toEqual([{ repository: name, role: 'targets', published: null, signed: null }]);
    await agent.unlock();
    expect(await sign(targets(key, 1, { v1: 'b' }))).toBe('signed');
  });

  it('survives kill -9 of the front and of the keeper', async () => {
    const key = `${await repository('acme/killed', 'targets')}#targets`;
    const one = targets(key, 1, { v1: 'a' });
    expect(await sign(one)).toBe('signed');
    const { frontPid } = await client.call('status', {});
    process.kill(frontPid, 'SIGKILL');
    client = await connectTo(agent);
    expect(await sign(targets(key, 1, { v1: 'b' }))).toBe('guard.conflict');
    expect(await sign(one)).toBe('signed');
    const { pid } = await client.call('status', {});
    const all = processTree(pid);
    process.kill(pid, 'SIGKILL');
    expect(await waitForExit(all, 5000)).toEqual([]);
    client.close();
    await agent.start();
    await agent.unlock();
    client = await connectTo(agent);
    expect(await sign(targets(key, 1, { v1: 'b' }))).toBe('guard.conflict');
    expect(await sign(one)).toBe('signed');
    expect(await sign(targets(key, 2, { v1: 'b' }))).toBe('signed');
    expect(lastLine(key)?.document?.changed).toBe(1);
  });

  describe('while an order waits for the token', () => {
    function document(version: number): StatementToSign {
      const certificate = rootCertificate(rootTbs(APP, publicRoot));
      return { key: `${APP}#root`, kind: 'notary.root', payload: rootBytes(version, [certificate]) };
    }

    function theHost(pid: number): number {
      const found = processTree(pid).find((each) =>
        readFileSync(`/proc/${each}/cmdline`, 'latin1').includes('tokenhost.js'),
      );
      if (found === undefined) throw new Error('no token host');
      return found;
    }

    it('has written it down already: a front that is killed forgets nothing', async () => {
      const { pid, frontPid } = await client.call('status', {});
      const host = theHost(pid);
      const one = document(1);
      process.kill(host, 'SIGSTOP');
      const lost = sign(one);
      await expect.poll(async () => (await shown(APP)).at(0)?.signed?.version).toBe(1);
      process.kill(frontPid, 'SIGKILL');
      expect(await lost).toBe('agent.unreachable');
      process.kill(host, 'SIGCONT');
      client = await connectTo(agent);
      expect(await sign(document(1))).toBe('guard.conflict');
      expect(await sign(one)).toBe('signed');
    });

    it('keeps it after a deadline: the token may have signed', async () => {
      const host = theHost((await client.call('status', {})).pid);
      const [two, other] = [document(2), document(2)];
      process.kill(host, 'SIGSTOP');
      const late = signStatements(client, [two], 300).catch((error: unknown) => asAgentError(error).code);
      expect(await late).toBe('limits.deadline');
      process.kill(host, 'SIGCONT');
      await expect.poll(() => sign(two), { timeout: TIMEOUT_MS }).toBe('signed');
      expect(await sign(other)).toBe('guard.conflict');
    });
  });

  it('signs no metadata while its folder is older than it was, and everything else', async () => {
    const key = `${await repository('acme/older', 'targets')}#targets`;
    await agent.derive('acme/tool#ssh');
    expect(await sign(targets(key, 1))).toBe('signed');
    await agent.stop();
    const guard = `${agent.stateDir}/guard`;
    cpSync(guard, `${agent.folder}/kept`, { recursive: true });
    rmSync(guard, { recursive: true });
    await restartAgent();
    expect(await sign(targets(key, 1))).toBe('guard.older');
    const listed = client.call('guard.show', {}).catch((error: unknown) => asAgentError(error).code);
    expect(await listed).toBe('guard.older');
    const doctor = await agent.touchstone(['doctor']);
    expect(doctor.stdout).toMatch(
      /^fail +guard: no repository metadata is signed: .*guard: it holds 0 changes/m,
    );
    expect(doctor.status).toBe(1);
    const file = Buffer.from('x');
    await agent.must(['sign', 'file', '--key', 'acme/tool#ssh', '--output', '-', '-'], { input: file });
    await agent.stop();
    rmSync(guard, { recursive: true });
    cpSync(`${agent.folder}/kept`, guard, { recursive: true });
    await restartAgent();
    expect(await sign(targets(key, 1, { v1: 'other' }))).toBe('guard.conflict');
    expect(await sign(targets(key, 1))).toBe('signed');
  });
});
