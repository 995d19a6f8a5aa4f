/** The root key on the token as the root of repositories: what it signs for whom, under which rule and which lease. */
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentClient } from '../../src/client/client.js';
import type { KeyInfo, Result } from '../../src/protocol/methods.js';
import { signedBytes } from '../../src/formats/tuf/writer.js';
import { connectTo, isSignatureOf, outcomeOf, signOne } from '../support/agent-client.js';
import { auditLines } from '../support/audit-acts.js';
import type { DemoAgent } from '../support/demo-agent.js';
import { agentOver } from '../support/own-token-agent.js';
import { rootBytes, rootCertificate, rootTbs } from '../support/repository-metadata.js';
import { tbsBytes } from '../support/signable-bytes.js';
import { SoftHsmStore } from '../support/softhsm-store.js';
import { rootOf, TufSigner } from '../support/tuf-signer.js';

const APP = 'registry.example/acme/app';
const OTHER = 'registry.example/acme/other';
const MADE = 'registry.example/acme/made';

describe('the root of a repository', () => {
  const release = new SoftHsmStore('release');
  const spare = new SoftHsmStore('spare');
  let agent: DemoAgent;
  let client: AgentClient;
  let root: KeyInfo;
  /** The guard takes each version once. */
  let version = 0;

  beforeAll(async () => {
    agent = await agentOver({ name: 'release', store: release }, { name: 'spare', store: spare });
    await agent.start();
    await agent.must(['token', 'setup', '--token', 'release', '--pin-file', agent.pinFile]);
    client = await connectTo(agent);
    root = await show(`${APP}#root`);
  });
  afterAll(async () => {
    client.close();
    await agent[Symbol.asyncDispose]();
    for (const store of [release, spare]) store[Symbol.dispose]();
  });

  async function show(key: string): Promise<KeyInfo> {
    return (await client.call('keys.show', { key })).key;
  }

  function certificate(commonName: string, key = root): string {
    return rootCertificate(rootTbs(commonName, key.publicKey ?? ''));
  }

  async function tryRoot(key: string, ...commonNames: readonly string[]): Promise<string> {
    version += 1;
    const payload = rootBytes(
      version,
      commonNames.map((name) => certificate(name)),
    );
    return outcomeOf(client, { key, kind: 'notary.root', payload });
  }

  async function unlock(...options: readonly string[]): Promise<void> {
    await agent.must(['lock']);
    await agent.must(['unlock', '--token', 'release', '--pin-file', agent.pinFile, ...options]);
  }

  it('is the root key of the keyring under the name of the repository', async () => {
    const { keys } = await client.call('keys.list', {});
    const own = keys.find(({ usage }) => usage === 'root');
    expect(own).toMatchObject({ name: 'touchstone/root#root', keyId: root.keyId, loaded: true });
    expect(root).toMatchObject({ name: `${APP}#root`, usage: 'root', state: 'active', loaded: true });
    expect(root.kinds).toEqual(expect.arrayContaining(['notary.root', 'tuf.root', 'x509.tbs']));
  });

  it('signs its certificate and the root document on the token', async () => {
    const tbs = { key: `${APP}#root`, kind: 'x509.tbs', payload: rootTbs(APP, root.publicKey ?? '') };
    const signedTbs = await signOne(client, tbs);
    const pem = rootCertificate(tbs.payload, signedTbs.signature);
    const parsed = new X509Certificate(pem);
    expect(parsed.verify(parsed.publicKey)).toBe(true);
    const document = { key: `${APP}#root`, kind: 'notary.root', payload: rootBytes((version += 1), [pem]) };
    const signed = await signOne(client, document);
    expect(signed.keyId).toBe(root.keyId);
    expect(isSignatureOf(root.publicKey, document, signed)).toBe(true);
    expect(
      auditLines(agent.stateDir)
        .filter(({ type }) => type === 'sign')
        .at(-1),
    ).toMatchObject({
      key: `${APP}#root`,
      keyId: root.keyId,
      kind: 'notary.root',
      rule: 'owner-content-trust',
    });
    await agent.must(['audit', 'verify']);
  });

  it.each([
    ['the root document of another repository', APP, [OTHER]],
    ['a root document for a prefix of other repositories', APP, ['quay.io/*']],
  ])('refuses %s', async (_what, repository, names) => {
    expect(await tryRoot(`${repository}#root`, ...names)).toBe('statement.repository');
  });

  it.each([
    ['the certificate of another repository', rootTbs, OTHER],
    ['an authority', () => tbsBytes('authority'), APP],
    ['a certificate for code signing', () => tbsBytes('leaf'), APP],
  ])('refuses %s', async (_what, build, name) => {
    const payload = build(name, root.publicKey ?? '');
    expect(await outcomeOf(client, { key: `${APP}#root`, kind: 'x509.tbs', payload })).toBe(
      'statement.repository',
    );
  });

  it('refuses everything that no root signs, and the root without a repository', async () => {
    const payload = rootBytes(1, [certificate(APP)]);
    const key = `${APP}#root`;
    expect(await outcomeOf(client, { key, kind: 'digest', payload: Buffer.alloc(32, 7) })).toBe(
      'statement.kind',
    );
    expect(await outcomeOf(client, { key, kind: 'notary.targets', payload })).toBe('statement.unrecognised');
    expect(await tryRoot('touchstone/root#root', APP)).toBe('key.usage');
    expect(await tryRoot(`${APP}#root:1`, APP)).toBe('key.unknown');
    const derived = await agent.touchstone(['key', 'derive', key]);
    expect(derived.stderr).toContain('they live on a token');
  });

  it('signs for a prefix only where a rule covers the whole prefix', async () => {
    const prefix = 'registry.example/acme/*';
    expect(await tryRoot(`${APP}#root`, prefix)).toBe('signed');
    await client.call('events.subscribe', {});
    const written = readFileSync(agent.policyFile, 'utf8');
    await policy(written.replaceAll('"*#root"', `"${APP}#root"`));
    expect(await tryRoot(`${APP}#root`, APP)).toBe('signed');
    expect(await tryRoot(`${APP}#root`, prefix)).toBe('policy.denied');
    expect(await tryRoot(`${OTHER}#root`, OTHER)).toBe('policy.denied');
    const explained = await client.call('policy.explain', { key: `${OTHER}#root`, kind: 'notary.root' });
    expect(explained.outcome).toBe('deny');
    await policy(written);
    expect(await tryRoot(`${OTHER}#root`, OTHER)).toBe('signed');
  });

  async function policy(text: string): Promise<void> {
    const read = new Promise<void>((resolve) => {
      const stop = client.onEvent(({ event }) => {
        if (event !== 'policy') return;
        stop();
        resolve();
      });
    });
    writeFileSync(agent.policyFile, text);
    await read;
  }

  it('signs under a lease that covers it, and under no other', async () => {
    await agent.derive('acme/tool#ssh');
    await unlock('--key', 'acme/tool#ssh');
    expect((await show(`${APP}#root`)).loaded).toBe(false);
    expect(await tryRoot(`${APP}#root`, APP)).toBe('key.locked');
    await unlock('--key', `${APP}#root`, '--uses', '1');
    expect((await show(`${APP}#root`)).loaded).toBe(true);
    expect(await tryRoot(`${APP}#root`, APP)).toBe('signed');
    expect(await tryRoot(`${APP}#root`, APP)).toMatch(/^(?:lease\.uses|key\.locked)$/);
    await unlock('--kind', 'notary.targets');
    expect(await tryRoot(`${APP}#root`, APP)).toBe('lease.kind');
    await unlock();
    expect(await tryRoot(`${APP}#root`, APP)).toBe('signed');
  });

  it('can be a key of its own on another token, from index 1 on', async () => {
    const create = ['key', 'create', '--token', 'spare', '--pin-file', agent.pinFile];
    const zero = await agent.touchstone([...create, `${MADE}#root`]);
    expect(zero.stderr).toContain(`name it ${MADE}#root:1`);
    await agent.must([...create, `${MADE}#root:1`]);
    await agent.must(['unlock', '--token', 'spare', '--pin-file', agent.pinFile]);
    const made = await show(`${MADE}#root`);
    expect(made).toMatchObject({ name: `${MADE}#root:1`, usage: 'sign', loaded: true });
    expect(made.keyId).not.toBe(root.keyId);
    // Both keys sign one document, as a rotation of the root needs it.
    const payload = rootBytes(1, [certificate(MADE), certificate(MADE, made)]);
    const ids: string[] = [];
    for (const key of [`${MADE}#root`, `${MADE}#root:0`]) {
      ids.push((await signOne(client, { key, kind: 'notary.root', payload })).keyId);
    }
    expect(ids).toEqual([made.keyId, root.keyId]);
    expect(await outcomeOf(client, { key: `${MADE}#root`, kind: 'digest', payload: Buffer.alloc(32) })).toBe(
      'statement.kind',
    );
    const audited = auditLines(agent.stateDir).flatMap((line) => ('key' in line ? [line.key] : []));
    expect(audited.slice(-3)).toEqual([`${MADE}#root:1`, `${MADE}#root`, `${MADE}#root`]);
  });

  it('signs a root of TUF, which names no repository, only with a key of this one', async () => {
    const online = TufSigner.make('ed25519');
    const payload = signedBytes(rootOf({ root: [online], online }, 2));
    const order = { kind: 'tuf.root', payload };
    expect(await outcomeOf(client, { key: `${MADE}#root:0`, ...order })).toBe('statement.repository');
    expect(await outcomeOf(client, { key: `${APP}#root`, ...order })).toBe('statement.repository');
    const made = { key: `${MADE}#root`, ...order };
    const signed = await signOne(client, made);
    expect(isSignatureOf((await show(`${MADE}#root`)).publicKey, made, signed)).toBe(true);
  });

  it('outlives a restart of the front', async () => {
    const { frontPid }: Result<'status'> = await client.call('status', {});
    process.kill(frontPid, 'SIGKILL');
    client = await connectTo(agent);
    expect(await tryRoot(`${APP}#root`, APP)).toBe('signed');
    expect((await show(`${MADE}#root`)).name).toBe(`${MADE}#root:1`);
  });
});
