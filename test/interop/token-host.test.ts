/** The token host against the real SoftHSM: what it makes, finds, signs and derives. */
import { createECDH, createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import graphene from 'graphene-pk11';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rawFromSpki } from '../../src/crypto/public-key.js';
import { verifySignature } from '../../src/crypto/verify.js';
import { provisionSoftHsm } from '../../src/platform/softhsm.js';
import vectors from '../vectors/derivation.json' with { type: 'json' };
import { flags, SoftHsmDirect } from '../support/softhsm-direct.js';
import { PIN, SO_PIN, SOFTHSM_MODULE, SoftHsmStore } from '../support/softhsm-store.js';
import { TokenHostClient } from '../support/token-host-client.js';

const URI = 'pkcs11:token=release';
const ROOT = { id: '01', label: 'root' };

function sha256(message: Uint8Array): Buffer {
  return createHash('sha256').update(message).digest();
}

function spkiOf(key: { readonly publicKey?: string | undefined }): Buffer {
  return Buffer.from(key.publicKey ?? '', 'base64');
}

/** What graphene-pk11, another library, says of the object with this label and class. */
function attributesOf(
  store: SoftHsmStore,
  label: string,
  secretClass: number,
): Readonly<Record<string, unknown>> {
  process.env['SOFTHSM2_CONF'] = store.environment['SOFTHSM2_CONF'];
  const module = graphene.Module.load(SOFTHSM_MODULE);
  module.initialize();
  try {
    const session = module.getSlots(0, true).open();
    session.login(PIN);
    const found = session.find({ label, class: secretClass });
    expect(found.length).toBe(1);
    return found.items(0).getAttribute({
      sensitive: null,
      extractable: null,
      neverExtractable: null,
      alwaysSensitive: null,
      sign: null,
      derive: null,
      token: null,
      private: null,
      local: null,
    });
  } finally {
    module.finalize();
  }
}

describe('token host over SoftHSM', () => {
  let store: SoftHsmStore;
  beforeAll(() => {
    store = new SoftHsmStore('release');
  });
  afterAll(() => {
    store[Symbol.dispose]();
  });

  it('says what the token is', async () => {
    await using host = new TokenHostClient(store.environment);
    const { result } = await host.call('open', { module: SOFTHSM_MODULE, uri: URI });
    expect(result).toMatchObject({
      label: 'release',
      initialised: true,
      loginRequired: true,
      triesLeft: 'full',
    });
    expect(result.model).toBe('SoftHSM v2');
    expect(result.uri).toContain(`serial=${result.serial}`);
    expect((await host.call('probe', {})).result).toEqual(result);
    // The answer names exactly this token.
    await using again = new TokenHostClient(store.environment);
    expect((await again.call('open', { module: SOFTHSM_MODULE, uri: result.uri })).result).toEqual(result);
  });

  it('generates a signing key, finds it again and signs with it', async () => {
    await using host = new TokenHostClient(store.environment);
    await host.unlock(SOFTHSM_MODULE, URI, PIN);
    const made = await host.call('generateSigningKey', ROOT);
    const spki = spkiOf(made.result);
    for (const message of [Buffer.alloc(0), randomBytes(300), randomBytes(70_000)]) {
      const { raw } = await host.call('signDigest', ROOT, sha256(message));
      expect(raw).toHaveLength(64);
      expect(verifySignature(spki, 'ecdsa-p256', message, raw)).toBe(true);
      expect(verifySignature(spki, 'ecdsa-p256', Buffer.concat([message, Buffer.from('x')]), raw)).toBe(
        false,
      );
    }
    await using other = new TokenHostClient(store.environment);
    await other.unlock(SOFTHSM_MODULE, URI, PIN);
    expect((await other.call('findSigningKey', ROOT)).result).toEqual(made.result);
    expect(attributesOf(store, 'root', graphene.ObjectClass.PRIVATE_KEY)).toEqual({
      sensitive: true,
      extractable: false,
      neverExtractable: true,
      alwaysSensitive: true,
      sign: true,
      derive: false,
      token: true,
      private: true,
      local: true,
    });
  });

  it('answers requests that were sent together, each with its own id', async () => {
    await using host = new TokenHostClient(store.environment);
    await host.unlock(SOFTHSM_MODULE, URI, PIN);
    const key = { id: '0a', label: 'together' };
    const made = await host.call('generateSigningKey', key);
    const messages = Array.from({ length: 50 }, (_, n) => Buffer.from(`message ${n}`));
    const answers = await Promise.all(
      messages.map((message) => host.call('signDigest', key, sha256(message))),
    );
    answers.forEach(({ raw }, n) => {
      expect(verifySignature(spkiOf(made.result), 'ecdsa-p256', messages[n] ?? Buffer.alloc(0), raw)).toBe(
        true,
      );
    });
  });

  it.each(['ec', 'hmac'] as const)('generates a derivation key (%s) that only derives', async (backend) => {
    await using host = new TokenHostClient(store.environment);
    await host.unlock(SOFTHSM_MODULE, URI, PIN);
    const key = { id: backend === 'ec' ? '02' : '03', label: `derivation ${backend}` };
    const made = await host.call('generateDerivationKey', { ...key, backend });
    expect(made.result.publicKey === undefined).toBe(backend === 'hmac');
    expect((await host.call('findDerivationKey', { ...key, backend })).result).toEqual(made.result);

    const peer = createECDH('prime256v1');
    const input = backend === 'ec' ? peer.generateKeys() : randomBytes(100);
    const first = await host.call('evaluatePrf', { ...key, backend }, input);
    const second = await host.call('evaluatePrf', { ...key, backend }, input);
    expect(first.raw).toHaveLength(32);
    expect(second.raw.equals(first.raw)).toBe(true);
    if (backend === 'ec') {
      // Diffie-Hellman from the other side, in OpenSSL.
      expect(peer.computeSecret(rawFromSpki(spkiOf(made.result)).raw).equals(first.raw)).toBe(true);
    }
    const secretClass = backend === 'ec' ? graphene.ObjectClass.PRIVATE_KEY : graphene.ObjectClass.SECRET_KEY;
    expect(attributesOf(store, key.label, secretClass)).toMatchObject({
      sensitive: true,
      extractable: false,
      neverExtractable: true,
      sign: backend === 'hmac',
      derive: backend === 'ec',
    });
  });

  it('evaluates the PRF of every vector of the specification on the token', async () => {
    const onToken = vectors.vectors.filter((vector) => vector.backend !== 'otp');
    const names = new Map<string, { readonly id: string; readonly label: string }>();
    {
      using direct = new SoftHsmDirect(store, 'release');
      for (const { backend, secret } of onToken) {
        if (names.has(`${backend} ${secret}`)) continue;
        const name = { id: `f${names.size}`, label: `vector ${names.size}` };
        names.set(`${backend} ${secret}`, name);
        const scalar = Buffer.from(secret, 'hex');
        if (backend === 'hmac') {
          direct.importSecret(
            name,
            scalar,
            flags({ sensitive: true, extractable: false, sign: true, derive: false }),
          );
        } else {
          const pair = createECDH('prime256v1');
          pair.setPrivateKey(scalar);
          direct.importEc(
            name,
            scalar,
            pair.getPublicKey(),
            flags({ sensitive: true, extractable: false, sign: false, derive: true }),
          );
        }
      }
    }
    await using host = new TokenHostClient(store.environment);
    await host.unlock(SOFTHSM_MODULE, URI, PIN);
    expect(onToken.length).toBeGreaterThanOrEqual(6);
    for (const vector of onToken) {
      const backend = vector.backend === 'ec' ? 'ec' : 'hmac';
      const name = names.get(`${vector.backend} ${vector.secret}`) ?? ROOT;
      const input = Buffer.from((backend === 'ec' ? vector.point : vector.context) ?? '', 'hex');
      const { raw } = await host.call('evaluatePrf', { ...name, backend }, input);
      expect(raw.toString('hex')).toBe(vector.prf);
    }
  });

  it('imports a scalar as a key that cannot leave the token', async () => {
    await using host = new TokenHostClient(store.environment);
    await host.unlock(SOFTHSM_MODULE, URI, PIN);
    const pair = createECDH('prime256v1');
    const publicPoint = pair.generateKeys('base64');
    const scalar = Buffer.alloc(32);
    pair.getPrivateKey().copy(scalar, 32 - pair.getPrivateKey().length);
    const key = { id: '0e', label: 'leaf' };
    const { result } = await host.call('importSigningKey', { ...key, publicPoint }, scalar);
    expect(rawFromSpki(spkiOf(result)).raw.toString('base64')).toBe(publicPoint);
    const message = randomBytes(99);
    const { raw } = await host.call('signDigest', key, sha256(message));
    expect(verifySignature(spkiOf(result), 'ecdsa-p256', message, raw)).toBe(true);
    expect(attributesOf(store, 'leaf', graphene.ObjectClass.PRIVATE_KEY)).toMatchObject({
      sensitive: true,
      extractable: false,
      sign: true,
      derive: false,
      local: false,
    });
  });

  it('takes an imported key off again when scalar and point do not belong together', async () => {
    await using host = new TokenHostClient(store.environment);
    await host.unlock(SOFTHSM_MODULE, URI, PIN);
    const publicPoint = createECDH('prime256v1').generateKeys('base64');
    const before = countObjects(store);
    const key = { id: '0f', label: 'mismatch' };
    await expect(
      host.call('importSigningKey', { ...key, publicPoint }, Buffer.alloc(32, 5)),
    ).rejects.toMatchObject({
      code: 'token.bad-signature',
    });
    expect(countObjects(store)).toBe(before);
    await expect(host.call('findSigningKey', key)).rejects.toMatchObject({ code: 'token.key-missing' });
  });
});

function countObjects(store: SoftHsmStore): number {
  using direct = new SoftHsmDirect(store, 'release');
  return direct.countObjects();
}

describe('a blank token', () => {
  it('is opened as uninitialised and initialised with bytes, in the store that the product makes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'touchstone-blank-'));
    try {
      const { module, conf } = provisionSoftHsm(folder);
      await using host = new TokenHostClient({ SOFTHSM2_CONF: conf });
      const { result: blank } = await host.call('open', { module, uri: 'pkcs11:token=embedded' });
      expect(blank).toMatchObject({ initialised: false, label: 'embedded', uri: 'pkcs11:token=embedded' });
      expect((await host.call('probe', {})).result).toMatchObject({ initialised: false, label: 'embedded' });
      await expect(host.call('login', {}, Buffer.from(PIN))).rejects.toMatchObject({
        code: 'token.not-initialised',
      });

      const pins = Buffer.concat([Buffer.from([0, SO_PIN.length]), Buffer.from(SO_PIN + PIN)]);
      const { result } = await host.call('initialise', { label: 'embedded' }, pins);
      expect(result).toMatchObject({ initialised: true, label: 'embedded' });
      expect(result.serial).not.toBe('');
      await host.call('login', {}, Buffer.from(PIN));
      await host.call('generateSigningKey', ROOT);
      expect(readFileSync(conf, 'utf8')).toContain(folder);
      expect(readdirSync(join(folder, 'tokens'))).toHaveLength(1);

      await expect(host.call('initialise', { label: 'embedded' }, pins)).rejects.toMatchObject({
        code: 'token.object-exists',
      });
      await using other = new TokenHostClient({ SOFTHSM2_CONF: conf });
      await other.unlock(module, result.uri, PIN);
      expect((await other.call('findSigningKey', ROOT)).result.label).toBe('root');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
