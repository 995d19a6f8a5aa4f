/** Root keys that holders bring on their tokens: found by the public key, recorded without a PIN, one key for several repositories. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { publicKeyPem } from '../../src/crypto/public-key.js';
import type { Result } from '../../src/protocol/methods.js';
import type { DemoAgent } from '../support/demo-agent.js';
import { agentOver } from '../support/own-token-agent.js';
import { PIN, SOFTHSM_MODULE, SoftHsmStore } from '../support/softhsm-store.js';
import { TokenHostClient } from '../support/token-host-client.js';

const REPOSITORY = 'acme/tuf';
const OWN_KEY = { id: '51', label: 'made by another tool' } as const;

/** A key that some other tool has put on the token. @returns SubjectPublicKeyInfo, base64 */
async function makeKey(
  store: SoftHsmStore,
  label: string,
  algorithm: 'ecdsa-p256' | 'ed25519' | 'rsa-3072' = 'ecdsa-p256',
): Promise<string> {
  await using host = new TokenHostClient(store.environment);
  await host.unlock(SOFTHSM_MODULE, `pkcs11:token=${label}`, PIN);
  const { result } = await host.call('generateSigningKey', { ...OWN_KEY, algorithm });
  return result.publicKey ?? '';
}

describe('adopting', () => {
  const stores = {
    room: new SoftHsmStore('room'),
    alice: new SoftHsmStore('alice'),
    bob: new SoftHsmStore('bob'),
  };
  let agent: DemoAgent;
  let alice: string;
  let bob: string;

  beforeAll(async () => {
    alice = await makeKey(stores.alice, 'alice');
    bob = await makeKey(stores.bob, 'bob', 'ed25519');
    const tokens = (['room', 'alice', 'bob'] as const).map((name) => ({ name, store: stores[name] }));
    agent = await agentOver(...tokens);
    await agent.start();
    await agent.must(['token', 'setup', '--token', 'room', '--pin-file', agent.pinFile]);
  });
  afterAll(async () => {
    await agent[Symbol.asyncDispose]();
    for (const store of Object.values(stores)) store[Symbol.dispose]();
  });

  function adopt(
    name: string,
    token: string,
    publicKey: string,
  ): Promise<{ status: number; stdout: string }> {
    const file = join(agent.folder, 'key.pem');
    writeFileSync(file, publicKeyPem(Buffer.from(publicKey, 'base64')));
    return agent.touchstone(['key', 'adopt', name, '--token', token, '--public-key', file, '--json']);
  }

  async function outcome(name: string, token: string, publicKey: string): Promise<string> {
    const { status, stdout } = await adopt(name, token, publicKey);
    const answer = JSON.parse(stdout) as Result<'keys.adopt'> & { error?: { code: string } };
    if (status !== 0) return answer.error?.code ?? '';
    return answer.adopted ? 'adopted' : 'known';
  }

  it('finds a key by its public half, whatever its label, and takes no PIN', async () => {
    expect(await outcome(`${REPOSITORY}#root:1`, 'alice', alice)).toBe('adopted');
    expect(await outcome(`${REPOSITORY}#root~ed25519:2`, 'bob', bob)).toBe('adopted');
    const { key } = JSON.parse(await agent.must(['key', 'show', `${REPOSITORY}#root:1`, '--json'])) as {
      readonly key: Result<'keys.show'>['key'];
    };
    expect(key).toMatchObject({ publicKey: alice, loaded: false, homes: [OWN_KEY] });
    const { tokens } = JSON.parse(await agent.must(['token', 'list', '--json'])) as Result<'tokens.list'>;
    expect(tokens.map(({ name, state }) => [name, state])).toContainEqual(['alice', 'present']);
    expect(await outcome(`${REPOSITORY}#root:1`, 'alice', alice)).toBe('known');
  });

  it('refuses the wrong token, a key that nobody has, and what is no root', async () => {
    expect(await outcome(`${REPOSITORY}#root:3`, 'bob', alice)).toBe('token.key-missing');
    const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
    const spki = stranger.export({ format: 'der', type: 'spki' }).toString('base64');
    expect(await outcome(`${REPOSITORY}#root:3`, 'alice', spki)).toBe('token.key-missing');
    expect(await outcome(`${REPOSITORY}#snapshot`, 'alice', alice)).toBe('key.usage');
    expect(await outcome(`${REPOSITORY}#root:0`, 'alice', alice)).toBe('key.field-invalid');
    expect(await outcome(`${REPOSITORY}#root:1`, 'nobody', alice)).toBe('token.unknown');
  });

  it('never takes the derivation key for a root', async () => {
    const { keys } = JSON.parse(await agent.must(['key', 'list', '--json'])) as Result<'keys.list'>;
    const derivation = keys.find(({ usage }) => usage === 'derive')?.publicKey ?? '';
    expect(await outcome(`${REPOSITORY}#root:3`, 'room', derivation)).toBe('key.usage');
    const root = keys.find(({ usage }) => usage === 'root')?.publicKey ?? '';
    expect(await outcome(`${REPOSITORY}#root:3`, 'room', root)).toBe('key.usage');
  });

  it('lets one key be the root of several repositories, and revokes it in all of them', async () => {
    for (const other of ['docker.io/acme/app', 'docker.io/acme/tool'])
      expect(await outcome(`${other}#root:1`, 'alice', alice)).toBe('adopted');
    await agent.must(['key', 'revoke', 'docker.io/acme/app#root:1', '--reason', 'lost in a taxi']);
    const { keys } = JSON.parse(await agent.must(['key', 'list', '--all', '--json'])) as Result<'keys.list'>;
    const states = keys.filter(({ publicKey }) => publicKey === alice).map(({ state }) => state);
    expect(states).toEqual(['revoked', 'revoked', 'revoked']);
    await agent.stop();
    await agent.start();
    const again = JSON.parse(await agent.must(['key', 'list', '--all', '--json'])) as Result<'keys.list'>;
    expect(again.keys).toHaveLength(keys.length);
  });
});
