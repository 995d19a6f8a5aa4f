/** Keys over their lifetime, through a running agent: rotated, revoked, installed, and derived from the wrong token. */
import { generateKeyPairSync } from 'node:crypto';
import { renameSync } from 'node:fs';
import graphene from 'graphene-pk11';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Result } from '../../src/protocol/methods.js';
import { connectTo, fileStatement, isSignatureOf, outcomeOf, signOne } from '../support/agent-client.js';
import type { DemoAgent } from '../support/demo-agent.js';
import { agentOver } from '../support/own-token-agent.js';
import { flags, SoftHsmDirect } from '../support/softhsm-direct.js';
import { PIN, SOFTHSM_MODULE, SoftHsmStore } from '../support/softhsm-store.js';

const KEY = 'touchstone/release#ssh';
const DERIVATION = {
  id: Buffer.from('touchstone-derivation').toString('hex'),
  label: 'touchstone-derivation',
};

type KeyInfo = Result<'keys.show'>['key'];

async function show(agent: DemoAgent, key: string): Promise<KeyInfo> {
  return (JSON.parse(await agent.must(['key', 'show', key, '--json'])) as Result<'keys.show'>).key;
}

async function outcome(agent: DemoAgent, key: string): Promise<string> {
  using client = await connectTo(agent);
  return await outcomeOf(client, fileStatement(key, 'content'));
}

async function signerOf(agent: DemoAgent, key: string): Promise<string> {
  using client = await connectTo(agent);
  return (await signOne(client, fileStatement(key, 'content'))).keyId;
}

describe('rotation and revocation', () => {
  const store = new SoftHsmStore('release');
  let agent: DemoAgent;
  beforeAll(async () => {
    agent = await agentOver({ name: 'release', store });
    await agent.start();
    await agent.setUpToken();
    await agent.derive(KEY);
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    store[Symbol.dispose]();
  });

  it('rotate moves to the next epoch: the new key signs at once, the old one is retired and refused', async () => {
    const first = await show(agent, KEY);
    expect(await signerOf(agent, KEY)).toBe(first.keyId);
    await agent.must(['key', 'rotate', KEY]);
    const [retired, active] = [await show(agent, `${KEY}@1`), await show(agent, KEY)];
    expect(retired).toMatchObject({ keyId: first.keyId, state: 'retired', loaded: false });
    expect(active).toMatchObject({ name: KEY, state: 'active', loaded: true });
    expect(active.keyId).not.toBe(first.keyId);
    expect(await signerOf(agent, KEY)).toBe(active.keyId);
    expect(await outcome(agent, `${KEY}@1`)).toBe('key.retired');
  });

  it('revoke needs a reason, which stays; the key is refused, also after lock, unlock and restart', async () => {
    expect((await agent.touchstone(['key', 'revoke', KEY])).status).toBe(2);
    await agent.must(['key', 'revoke', KEY, '--reason', 'laptop stolen']);
    expect(await show(agent, `${KEY}@2`)).toMatchObject({
      state: 'revoked',
      revokedReason: 'laptop stolen',
      loaded: false,
    });
    expect(await outcome(agent, KEY)).toBe('key.revoked');
    await agent.must(['lock']);
    await agent.unlock();
    expect(await outcome(agent, `${KEY}@2`)).toBe('key.revoked');
    await agent.stop();
    await agent.start();
    await agent.unlock();
    expect(await outcome(agent, KEY)).toBe('key.revoked');
    expect(await outcome(agent, `${KEY}@1`)).toBe('key.retired');
  });

  it('a revoked key is followed by the next epoch', async () => {
    expect((await agent.touchstone(['key', 'derive', KEY])).stderr).toContain('key rotate');
    await agent.must(['key', 'rotate', KEY]);
    expect((await show(agent, `${KEY}@3`)).keyId).toBe((await show(agent, KEY)).keyId);
    expect(await show(agent, `${KEY}@2`)).toMatchObject({ state: 'revoked', revokedReason: 'laptop stolen' });
    expect(await outcome(agent, KEY)).toBe('signed');
  });
});

/** Another key under the name of the derivation key, as on a token that was set up anew. */
function replaceDerivationKey(store: SoftHsmStore, backend: 'ec' | 'hmac'): void {
  using direct = new SoftHsmDirect(store, 'release');
  direct.destroyAll(DERIVATION.label);
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = pair.privateKey.export({ format: 'jwk' });
  const [d, x, y] = [jwk.d, jwk.x, jwk.y].map((part) => Buffer.from(part ?? '', 'base64url'));
  if (d === undefined || x === undefined || y === undefined) throw new Error('no key pair');
  const derives = flags({ sensitive: true, extractable: false, sign: false, derive: true });
  const evaluates = flags({ sensitive: true, extractable: false, sign: true, derive: false });
  if (backend === 'ec') direct.importEc(DERIVATION, d, Buffer.concat([Buffer.from([4]), x, y]), derives);
  else direct.importSecret(DERIVATION, d, evaluates);
}

describe.each([
  { backend: 'ec', code: 'keyring.other-token', cause: 'belongs to another token' },
  { backend: 'hmac', code: 'key.mismatch', cause: 'likely another token' },
] as const)('another $backend derivation key under the same label', ({ backend, code, cause }) => {
  const store = new SoftHsmStore('release');
  let agent: DemoAgent;
  beforeAll(async () => {
    agent = await agentOver({ name: 'release', store });
    await agent.start();
    await agent.must(['token', 'setup', '--backend', backend, '--pin-file', agent.pinFile]);
    await agent.derive(KEY);
    await agent.must(['lock']);
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    store[Symbol.dispose]();
  });

  it('is refused with the likely causes, and nothing is loaded', async () => {
    await agent.unlock();
    expect(await outcome(agent, KEY)).toBe('signed');
    await agent.must(['lock']);
    replaceDerivationKey(store, backend);
    const refused = await agent.touchstone(['unlock', '--json', '--pin-file', agent.pinFile]);
    expect(refused.status).toBe(4);
    expect(refused.stdout).toContain(code);
    expect(refused.stderr).toContain(cause);
    const status = JSON.parse(await agent.must(['agent', 'status', '--json'])) as Result<'status'>;
    expect(status).toMatchObject({ leases: [], keys: { loaded: 0 }, tokens: [{ state: 'present' }] });
    expect(await outcome(agent, KEY)).toBe('key.locked');
  });
});

/** What another library sees of the private key with this label. */
function privateKeyOn(
  store: SoftHsmStore,
  label: string,
): { readonly facts: unknown; readonly value: string } {
  process.env['SOFTHSM2_CONF'] = store.environment['SOFTHSM2_CONF'];
  const module = graphene.Module.load(SOFTHSM_MODULE);
  module.initialize();
  try {
    const session = module.getSlots(0, true).open();
    session.login(PIN);
    const found = session.find({ label, class: graphene.ObjectClass.PRIVATE_KEY });
    expect(found.length).toBe(1);
    const key = found.items(0);
    const facts = key.getAttribute({
      sensitive: null,
      extractable: null,
      private: null,
      token: null,
      sign: null,
      derive: null,
    });
    try {
      return { facts, value: `readable: ${String(key.getAttribute({ value: null }).value?.length)} bytes` };
    } catch (error) {
      return { facts, value: String(error) };
    }
  } finally {
    module.finalize();
  }
}

describe('key install', () => {
  const release = new SoftHsmStore('release');
  const buildhost = new SoftHsmStore('buildhost');
  let agent: DemoAgent;
  beforeAll(async () => {
    agent = await agentOver({ name: 'release', store: release }, { name: 'buildhost', store: buildhost });
    await agent.start();
    await agent.must(['token', 'setup', '--token', 'release', '--pin-file', agent.pinFile]);
    await agent.derive(KEY);
    await agent.derive('touchstone/other#ssh');
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    for (const store of [release, buildhost]) store[Symbol.dispose]();
  });

  it('puts the leaf into the second token, where nobody can read it', async () => {
    await agent.must(['key', 'install', KEY, '--token', 'buildhost', '--pin-file', agent.pinFile]);
    const { homes } = await show(agent, KEY);
    expect(homes).toMatchObject([{ token: expect.stringContaining('token=buildhost') as unknown }]);
    const { facts, value } = privateKeyOn(buildhost, homes[0]?.label ?? '');
    expect(facts).toEqual({
      sensitive: true,
      extractable: false,
      private: true,
      token: true,
      sign: true,
      derive: false,
    });
    expect(value).toContain('SENSITIVE');
  });

  it('refuses a second copy of it, and a key that is not loaded', async () => {
    const install = ['key', 'install', KEY, '--token', 'buildhost', '--pin-file', agent.pinFile, '--json'];
    expect((await agent.touchstone(install)).stdout).toContain('token.object-exists');
    await agent.must(['lock']);
    expect((await agent.touchstone(install)).stdout).toContain('key.locked');
  });

  it('signs on after a restart without the first token', async () => {
    const { publicKey } = await show(agent, KEY);
    await agent.stop();
    renameSync(release.tokens, `${release.tokens}-in-the-safe`);
    await agent.start();
    await agent.must(['unlock', '--token', 'buildhost', '--pin-file', agent.pinFile]);
    using client = await connectTo(agent);
    const statement = fileStatement(KEY, 'signed by the second token');
    expect(isSignatureOf(publicKey, statement, await signOne(client, statement))).toBe(true);
    expect(await outcomeOf(client, fileStatement('touchstone/other#ssh', 'x'))).toBe('key.locked');
    await agent.must(['audit', 'verify']);
  });

  it('the first token takes over again when it is back', async () => {
    renameSync(`${release.tokens}-in-the-safe`, release.tokens);
    await agent.must(['unlock', '--token', 'release', '--pin-file', agent.pinFile]);
    expect(await outcome(agent, 'touchstone/other#ssh')).toBe('signed');
    await agent.must(['lock', '--token', 'buildhost']);
    expect(await outcome(agent, KEY)).toBe('signed');
    await agent.must(['key', 'revoke', KEY, '--reason', 'test']);
    // The only key on it is revoked: there is nothing to unlock the second token for.
    const useless = ['unlock', '--json', '--token', 'buildhost', '--pin-file', agent.pinFile];
    expect((await agent.touchstone(useless)).stdout).toContain('holds no key of the keyring');
    expect(await outcome(agent, `${KEY}@1`)).toBe('key.revoked');
    await agent.must(['audit', 'verify']);
  });
});
