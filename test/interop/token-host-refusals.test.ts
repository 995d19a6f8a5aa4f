/** What the token host refuses, against the real SoftHSM: wrong PINs, wrong tokens, keys that may do more than they should. */
import { createECDH, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flags, SoftHsmDirect } from '../support/softhsm-direct.js';
import { PIN, SOFTHSM_MODULE, SoftHsmStore } from '../support/softhsm-store.js';
import { TokenHostClient } from '../support/token-host-client.js';

const URI = 'pkcs11:token=release';
const MODULE = SOFTHSM_MODULE;
const DIGEST = Buffer.alloc(32, 3);

describe('choosing the token', () => {
  let store: SoftHsmStore;
  beforeAll(() => {
    store = new SoftHsmStore('twin', 'twin', 'single');
  });
  afterAll(() => {
    store[Symbol.dispose]();
  });

  it('refuses a label that two tokens have and names both; takes either by serial', async () => {
    await using host = new TokenHostClient(store.environment);
    const error: unknown = await host
      .call('open', { module: MODULE, uri: 'pkcs11:token=twin' })
      .catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'token.ambiguous' });
    const { tokens } = (error as { details: { tokens: string[] } }).details;
    expect(new Set(tokens).size).toBe(2);
    for (const uri of tokens) {
      await using one = new TokenHostClient(store.environment);
      const { result } = await one.call('open', { module: MODULE, uri });
      expect(result).toMatchObject({ label: 'twin', uri });
    }
    // The refused process still serves a better URI.
    expect((await host.call('open', { module: MODULE, uri: 'pkcs11:token=single' })).result.label).toBe(
      'single',
    );
  });

  it('says that a token is absent and which ones are there', async () => {
    await using host = new TokenHostClient(store.environment);
    for (const uri of [
      'pkcs11:token=other',
      'pkcs11:serial=0123456789abcdef',
      'pkcs11:token=single;model=YubiKey',
    ]) {
      const error: unknown = await host.call('open', { module: MODULE, uri }).catch((e: unknown) => e);
      expect(error).toMatchObject({
        code: 'token.absent',
        details: { tokens: expect.any(Array) as unknown },
      });
      expect((error as { details: { tokens: string[] } }).details.tokens).toHaveLength(3);
    }
  });

  it('does not take a blank token for a serial that was seen before', async () => {
    using empty = new SoftHsmStore();
    await using host = new TokenHostClient(empty.environment);
    await expect(
      host.call('open', { module: MODULE, uri: 'pkcs11:serial=0123456789abcdef' }),
    ).rejects.toMatchObject({
      code: 'token.absent',
    });
    const { result } = await host.call('open', { module: MODULE, uri: URI });
    expect(result.initialised).toBe(false);
  });

  it.each([
    ['/nonexistent/libpkcs11.so', 'token.module-missing'],
    ['/etc/hostname', 'token.module-missing'],
    ['libsofthsm2.so', 'usage.path-relative'],
  ])('refuses the module %s', async (module, code) => {
    await using host = new TokenHostClient(store.environment);
    await expect(host.call('open', { module, uri: URI })).rejects.toMatchObject({ code });
    // A wrong path does not end the process.
    expect((await host.call('open', { module: MODULE, uri: 'pkcs11:token=single' })).result.label).toBe(
      'single',
    );
  });

  it('refuses calls before open, PINs in URIs and fields that are not what they should be', async () => {
    await using host = new TokenHostClient(store.environment);
    const key = { id: '01', label: 'x' };
    for (const call of [
      () => host.call('probe', {}),
      () => host.call('login', {}, Buffer.from(PIN)),
      () => host.call('signDigest', key, DIGEST),
      () => host.call('signDigest', key, Buffer.alloc(31)),
      () => host.call('signDigest', { ...key, id: 'XY' }, DIGEST),
      () => host.call('signDigest', { ...key, id: '' }, DIGEST),
      () => host.call('signDigest', { ...key, label: 'a\nb' }, DIGEST),
      () => host.call('signDigest', { ...key, label: 'l'.repeat(200) }, DIGEST),
      () => host.call('findDerivationKey', { ...key, backend: 'otp' as 'ec' }),
      () => host.call('evaluatePrf', { ...key, backend: 'ec' }, Buffer.alloc(0)),
      () => host.call('importSigningKey', { ...key, publicPoint: '!' }, Buffer.alloc(32)),
      () => host.call('initialise', { label: 'x' }, Buffer.from([0, 9, 1])),
      () => host.call('open', { module: MODULE, uri: '' }),
      () => host.call('open', null as never),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'usage.invalid' });
    }
    await expect(
      host.call('open', { module: MODULE, uri: 'pkcs11:token=single?pin-value=1234' }),
    ).rejects.toMatchObject({
      code: 'usage.pin-in-uri',
    });
    await expect(host.call('open', { module: MODULE, uri: 'softhsm' })).rejects.toMatchObject({
      code: 'key.uri-invalid',
    });
    expect(host.child.exitCode).toBeNull();
  });
});

describe('PINs', () => {
  let store: SoftHsmStore;
  beforeAll(() => {
    store = new SoftHsmStore('release');
  });
  afterAll(() => {
    store[Symbol.dispose]();
  });

  it('reports a wrong PIN with the steps that the token reveals, and a right one resets them', async () => {
    await using host = new TokenHostClient(store.environment);
    const { result } = await host.call('open', { module: MODULE, uri: URI });
    await expect(host.call('login', {}, Buffer.from('000000'))).rejects.toMatchObject({
      code: 'token.pin-incorrect',
      details: { ckr: 'CKR_PIN_INCORRECT', triesLeft: 'low', serial: result.serial },
    });
    expect((await host.call('login', {}, Buffer.from(PIN))).result.triesLeft).toBe('full');
  });

  it('does not send a PIN of a length that the token announces it will refuse', async () => {
    await using host = new TokenHostClient(store.environment);
    await host.call('open', { module: MODULE, uri: URI });
    for (const pin of ['1', 'x'.repeat(300)]) {
      await expect(host.call('login', {}, Buffer.from(pin))).rejects.toMatchObject({
        code: 'token.pin-format',
      });
    }
    expect((await host.call('probe', {})).result.triesLeft).toBe('full');
  });

  it('has the token check the PIN also when somebody is logged in already', async () => {
    await using host = new TokenHostClient(store.environment);
    await host.unlock(MODULE, URI, PIN);
    await expect(host.call('login', {}, Buffer.from('000000'))).rejects.toMatchObject({
      code: 'token.pin-incorrect',
    });
    // The refused login has ended the one before: nothing goes on under a PIN nobody confirmed.
    await expect(host.call('findSigningKey', { id: '01', label: 'root' })).rejects.toMatchObject({
      code: 'token.pin-needed',
    });
    await host.call('login', {}, Buffer.from(PIN));
    await expect(host.call('findSigningKey', { id: '01', label: 'root' })).rejects.toMatchObject({
      code: 'token.key-missing',
    });
  });

  it('makes nothing before login', async () => {
    await using host = new TokenHostClient(store.environment);
    await host.call('open', { module: MODULE, uri: URI });
    await expect(host.call('generateSigningKey', { id: '01', label: 'root' })).rejects.toMatchObject({
      code: 'token.pin-needed',
    });
  });
});

describe('what a key may do', () => {
  let store: SoftHsmStore;
  const kept = { sensitive: true, extractable: false };
  const pair = createECDH('prime256v1');
  const point = pair.generateKeys();
  const scalar = Buffer.concat([Buffer.alloc(32), pair.getPrivateKey()]).subarray(-32);

  beforeAll(() => {
    store = new SoftHsmStore('release');
    using direct = new SoftHsmDirect(store, 'release');
    const ec = (id: string, label: string, sign: boolean, derive: boolean, more = kept): void => {
      direct.importEc({ id, label }, scalar, point, flags({ ...more, sign, derive }));
    };
    ec('a1', 'both', true, true);
    ec('a2', 'signs', true, false);
    ec('a3', 'derives', false, true);
    ec('a4', 'readable', true, false, { sensitive: false, extractable: true });
    ec('a5', 'extractable', true, false, { sensitive: true, extractable: true });
    ec('a6', 'extractable too', false, true, { sensitive: true, extractable: true });
    ec('a7', 'copied', true, false);
    ec('a7', 'copied', true, false);
    direct.importSecret(
      { id: 'b1', label: 'secret' },
      randomBytes(32),
      flags({ ...kept, sign: true, derive: false }),
    );
    direct.importSecret(
      { id: 'b2', label: 'wide secret' },
      randomBytes(32),
      flags({ ...kept, sign: true, derive: true }),
    );
    direct.importSecret(
      { id: 'b3', label: 'open secret' },
      randomBytes(32),
      flags({ sensitive: false, extractable: true, sign: true, derive: false }),
    );
  });
  afterAll(() => {
    store[Symbol.dispose]();
  });

  it.each([
    ['a1', 'both', 'CKA_DERIVE'],
    ['a3', 'derives', 'CKA_SIGN'],
    ['a4', 'readable', 'CKA_SENSITIVE'],
    ['a5', 'extractable', 'CKA_EXTRACTABLE'],
  ])('never signs with %s (%s)', async (id, label, attribute) => {
    await using host = new TokenHostClient(store.environment);
    await host.unlock(MODULE, URI, PIN);
    const refusal = { code: 'key.usage', details: { label, attribute } };
    await expect(host.call('findSigningKey', { id, label })).rejects.toMatchObject(refusal);
    await expect(host.call('signDigest', { id, label }, DIGEST)).rejects.toMatchObject(refusal);
  });

  it.each([
    ['a1', 'both', 'ec', 'CKA_SIGN'],
    ['a2', 'signs', 'ec', 'CKA_DERIVE'],
    ['a6', 'extractable too', 'ec', 'CKA_EXTRACTABLE'],
    ['b2', 'wide secret', 'hmac', 'CKA_DERIVE'],
    ['b3', 'open secret', 'hmac', 'CKA_SENSITIVE'],
  ] as const)('never derives with %s (%s, %s)', async (id, label, backend, attribute) => {
    await using host = new TokenHostClient(store.environment);
    await host.unlock(MODULE, URI, PIN);
    const refusal = { code: 'key.usage', details: { label, attribute } };
    await expect(host.call('findDerivationKey', { id, label, backend })).rejects.toMatchObject(refusal);
    await expect(host.call('evaluatePrf', { id, label, backend }, point)).rejects.toMatchObject(refusal);
  });

  it('keeps the uses apart for one and the same key, whatever was asked first', async () => {
    await using host = new TokenHostClient(store.environment);
    await host.unlock(MODULE, URI, PIN);
    const deriving = { id: 'a3', label: 'derives' };
    await host.call('evaluatePrf', { ...deriving, backend: 'ec' }, point);
    await expect(host.call('signDigest', deriving, DIGEST)).rejects.toMatchObject({ code: 'key.usage' });
    const signing = { id: 'a2', label: 'signs' };
    await host.call('signDigest', signing, DIGEST);
    await expect(host.call('evaluatePrf', { ...signing, backend: 'ec' }, point)).rejects.toMatchObject({
      code: 'key.usage',
    });
    // A secret for HMAC is not a key pair and the other way round.
    const secret = { id: 'b1', label: 'secret' };
    await host.call('evaluatePrf', { ...secret, backend: 'hmac' }, point);
    await expect(host.call('signDigest', secret, DIGEST)).rejects.toMatchObject({
      code: 'token.key-missing',
    });
    await expect(host.call('evaluatePrf', { ...secret, backend: 'ec' }, point)).rejects.toMatchObject({
      code: 'token.key-missing',
    });
  });

  it('finds a key only by id and label together, and not when there are two', async () => {
    await using host = new TokenHostClient(store.environment);
    await host.unlock(MODULE, URI, PIN);
    for (const key of [
      { id: 'a2', label: 'derives' },
      { id: 'a9', label: 'signs' },
      { id: 'a7', label: 'copied' },
    ]) {
      await expect(host.call('signDigest', key, DIGEST)).rejects.toMatchObject({ code: 'token.key-missing' });
    }
  });

  it.each([
    { id: 'c1', label: 'signs' },
    { id: 'a2', label: 'new name' },
    { id: 'c2', label: 'secret' },
  ])('makes no key under a name in use: $id $label', async (key) => {
    await using host = new TokenHostClient(store.environment);
    await host.unlock(MODULE, URI, PIN);
    const taken = { code: 'token.object-exists' };
    await expect(host.call('generateSigningKey', key)).rejects.toMatchObject(taken);
    await expect(host.call('generateDerivationKey', { ...key, backend: 'ec' })).rejects.toMatchObject(taken);
    await expect(host.call('generateDerivationKey', { ...key, backend: 'hmac' })).rejects.toMatchObject(
      taken,
    );
    const publicPoint = point.toString('base64');
    await expect(host.call('importSigningKey', { ...key, publicPoint }, scalar)).rejects.toMatchObject(taken);
  });
});
