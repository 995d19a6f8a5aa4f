/** Token hosts that are killed, stores that move away, many processes on one token. */
import { createHash } from 'node:crypto';
import { renameSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { verifySignature } from '../../src/crypto/verify.js';
import { PIN, SOFTHSM_MODULE, SoftHsmStore } from '../support/softhsm-store.js';
import { TokenHostClient } from '../support/token-host-client.js';

const URI = 'pkcs11:token=release';
const KEY = { id: '01', label: 'root' };
const MESSAGE = Buffer.from('message');
const DIGEST = createHash('sha256').update(MESSAGE).digest();

describe('losing a token host or its token', () => {
  let store: SoftHsmStore;
  beforeEach(() => {
    store = new SoftHsmStore('release');
  });
  afterEach(() => {
    store[Symbol.dispose]();
  });

  async function unlocked(): Promise<TokenHostClient> {
    const host = new TokenHostClient(store.environment);
    await host.unlock(SOFTHSM_MODULE, URI, PIN);
    return host;
  }

  function verifies(key: { readonly publicKey?: string | undefined }, signature: Buffer): boolean {
    return verifySignature(Buffer.from(key.publicKey ?? '', 'base64'), 'ecdsa-p256', MESSAGE, signature);
  }

  it('a host killed in the middle of its work leaves the token usable', async () => {
    await using first = await unlocked();
    const { result: key } = await first.call('generateSigningKey', KEY);
    for (let round = 0; round < 3; round += 1) {
      await using host = await unlocked();
      const calls = Array.from({ length: 1000 }, () => host.call('signDigest', KEY, DIGEST));
      const settled = Promise.allSettled(calls);
      await calls[0];
      host.child.kill('SIGKILL');
      const outcomes = await settled;
      for (const outcome of outcomes) {
        if (outcome.status === 'fulfilled') expect(verifies(key, outcome.value.raw)).toBe(true);
        else expect(outcome.reason).toMatchObject({ code: 'token.host-crashed' });
      }
      expect(outcomes.some((outcome) => outcome.status === 'rejected')).toBe(true);
    }
    await using last = await unlocked();
    expect(verifies(key, (await last.call('signDigest', KEY, DIGEST)).raw)).toBe(true);
  });

  it('ends when its keeper is gone', async () => {
    const host = await unlocked();
    host.hangUp();
    expect(await host.exited).toEqual({ code: 0, signal: null });
  });

  it('a store that moved away is a removed token; back again, it needs a new host', async () => {
    await using host = await unlocked();
    const { result: key } = await host.call('generateSigningKey', KEY);
    const away = `${store.tokens}-away`;
    renameSync(store.tokens, away);
    await expect(host.call('probe', {})).rejects.toMatchObject({ code: 'token.removed' });
    await expect(host.call('signDigest', KEY, DIGEST)).rejects.toMatchObject({
      code: expect.stringMatching(/^token\./) as unknown,
    });
    await using without = new TokenHostClient(store.environment);
    await expect(without.call('open', { module: SOFTHSM_MODULE, uri: URI })).rejects.toThrow();
    renameSync(away, store.tokens);
    await using again = await unlocked();
    expect(verifies(key, (await again.call('signDigest', KEY, DIGEST)).raw)).toBe(true);
  });

  it('many processes log in to one token and sign at once', async () => {
    await using first = await unlocked();
    const { result: key } = await first.call('generateSigningKey', KEY);
    const hosts = Array.from({ length: 6 }, () => new TokenHostClient(store.environment));
    try {
      const signatures = await Promise.all(
        hosts.map(async (host) => {
          await host.unlock(SOFTHSM_MODULE, URI, PIN);
          const answers = await Promise.all(
            Array.from({ length: 20 }, () => host.call('signDigest', KEY, DIGEST)),
          );
          return answers.map((answer) => answer.raw);
        }),
      );
      for (const signature of signatures.flat()) expect(verifies(key, signature)).toBe(true);
    } finally {
      await Promise.all(hosts.map((host) => host[Symbol.asyncDispose]()));
    }
  });
});
