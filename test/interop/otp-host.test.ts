/** The built token host over an OTP slot: the unmodified node-hid, the ioctls of hidraw, a key that follows the protocol. */
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { saltFor } from '../../src/crypto/derive.js';
import { Leaf } from '../../src/crypto/leaf.js';
import { otpChallenge, stretchPassphrase } from '../../src/crypto/otp-derive.js';
import { rawFromSpki } from '../../src/crypto/public-key.js';
import { HidrawBed } from '../support/hidraw-bed.js';
import { countInMemory } from '../support/process-memory.js';
import { rejectionOf } from '../support/rejection.js';
import { TokenHostClient } from '../support/token-host-client.js';
import { VirtualOtpKey } from '../support/virtual-otp-key.js';

interface Vector {
  readonly backend: string;
  readonly secret: string;
  readonly domain: string;
  readonly algorithm: 'ecdsa-p256' | 'ed25519';
  readonly context: string;
  readonly prf: string;
  readonly passphrase: string;
  readonly public: string;
}

const file = JSON.parse(readFileSync(new URL('../vectors/derivation.json', import.meta.url), 'utf8')) as {
  readonly vectors: readonly Vector[];
};
const VECTORS = file.vectors.filter((vector) => vector.backend === 'otp');
const SERIAL = '12345678';
const SELECTED = { serial: SERIAL, slot: 2 } as const;
const CONTEXT = Buffer.from('the context of a check').toString('base64');
const LOGIN = { domain: 'acme.example', context: CONTEXT } as const;
const PASSPHRASE = 'correct horse battery staple';
const SECRET = Buffer.from('4c8d51e01e57eebc574753ed005b384d6a2320e0', 'hex');

describe('the host of an OTP slot', () => {
  let key: VirtualOtpKey;
  let bed: HidrawBed;
  let host: TokenHostClient;
  beforeEach(async () => {
    key = new VirtualOtpKey({ serial: Number(SERIAL) });
    key.program(2, { secret: SECRET });
    bed = await HidrawBed.start(key);
    host = new TokenHostClient(bed.environment);
  });
  afterEach(async () => {
    await host[Symbol.asyncDispose]();
    await bed[Symbol.asyncDispose]();
    expect(key.violations).toEqual([]);
  });

  it('finds the key by its serial number and says what it is', async () => {
    const { result } = await host.call('open', SELECTED);
    expect(result).toEqual({
      label: 'OTP slot 2',
      serial: SERIAL,
      manufacturer: 'Yubico',
      model: 'YubiKey',
      firmware: '5.4.3',
      initialised: true,
      loginRequired: true,
      triesLeft: 'full',
      uri: 'yubikey-otp:serial=12345678;slot=2',
      slot: { number: 2, programmed: true, touch: true },
    });
    expect((await host.call('probe', {})).result).toEqual(result);
  });

  it('does not take another key for it', async () => {
    const error = await rejectionOf(host.call('open', { serial: '87654321', slot: 2 }));
    expect(error).toMatchObject({ code: 'token.absent' });
    expect(error.message).toContain('87654321');
  });

  it.each(VECTORS)('derives as derive v1 says: $algorithm', async (vector) => {
    key.program(2, { secret: Buffer.from(vector.secret, 'hex') });
    await host.call('open', SELECTED);
    await host.call('login', { ...LOGIN, domain: vector.domain }, Buffer.from(vector.passphrase, 'utf8'));
    const context = Buffer.from(vector.context, 'hex');
    const { raw } = await host.call('evaluatePrf', { id: '02', label: 'slot 2', backend: 'otp' }, context);
    expect(raw.toString('hex')).toBe(vector.prf);
    using leaf = Leaf.derive({ algorithm: vector.algorithm, salt: saltFor('otp'), prf: raw, context });
    expect(rawFromSpki(leaf.publicKeySpki()).raw.toString('hex')).toBe(vector.public);
  });

  it('knows a wrong passphrase and another secret by the check value, and needs no second touch for its context', async () => {
    await host.call('open', SELECTED);
    const { result } = await host.call('login', LOGIN, Buffer.from(PASSPHRASE));
    expect(result.check).toMatch(/^[0-9a-f]{32}$/);
    const { check } = result;
    const before = key.commands.length;
    const prf = { id: '02', label: 'slot 2', backend: 'otp' } as const;
    const [once, twice] = [
      await host.call('evaluatePrf', prf, Buffer.from(CONTEXT, 'base64')),
      await host.call('evaluatePrf', prf, Buffer.from(CONTEXT, 'base64')),
    ];
    expect(once.raw.equals(twice.raw)).toBe(true);
    expect(key.commands.length - before).toBe(1);
    const wrong = await rejectionOf(host.call('login', { ...LOGIN, check }, Buffer.from(`${PASSPHRASE}!`)));
    expect(wrong.code).toBe('token.pin-incorrect');
    expect((await rejectionOf(host.call('evaluatePrf', prf, Buffer.of(1)))).code).toBe('token.locked');
    await host.call('login', { ...LOGIN, check }, Buffer.from(PASSPHRASE));
    key.program(2, { secret: Buffer.alloc(20, 9) });
    const other = await rejectionOf(host.call('login', { ...LOGIN, check }, Buffer.from(PASSPHRASE)));
    expect(other.message).toContain('another secret');
  });

  it('refuses a passphrase that is too short before it asks for a touch', async () => {
    await host.call('open', SELECTED);
    const before = key.commands.length;
    expect((await rejectionOf(host.call('login', LOGIN, Buffer.from('short')))).code).toBe(
      'token.pin-format',
    );
    expect(key.commands.length).toBe(before);
  });

  it('programs an empty slot, and adopts it afterwards', async () => {
    key.program(2, undefined);
    await host.call('open', SELECTED);
    const empty = await rejectionOf(host.call('login', LOGIN, Buffer.from(PASSPHRASE)));
    expect(empty).toMatchObject({ code: 'token.slot-mode', message: 'OTP slot 2 is empty' });
    const { result } = await host.call('login', { ...LOGIN, enrol: 'program' }, Buffer.from(PASSPHRASE));
    expect(key.slot(2)).toMatchObject({ variable: true, touch: true });
    const adopted = await host.call('login', { ...LOGIN, enrol: 'adopt' }, Buffer.from(PASSPHRASE));
    expect(adopted.result.check).toBe(result.check);
  });

  it.each([
    ['of fixed length', { secret: SECRET, variable: false }, 'hashes a fixed length'],
    ['without touch', { secret: SECRET, touch: false }, 'without a touch'],
    ['that does something else', { secret: SECRET, other: true }, 'does not answer challenges'],
  ])('does not adopt a slot %s, and says what programs it', async (_, slot, message) => {
    key.program(2, slot);
    await host.call('open', SELECTED);
    const error = await rejectionOf(
      host.call('login', { ...LOGIN, enrol: 'adopt' }, Buffer.from(PASSPHRASE)),
    );
    expect(error.code).toBe('token.slot-mode');
    expect(error.message).toContain(message);
    expect(error.hint).toContain('touchstone token setup --otp');
  });

  it('says when nobody touches the key, and goes on', async () => {
    key.fingerAfterMs = undefined;
    key.touchSeconds = 0.3;
    await host.call('open', SELECTED);
    expect((await rejectionOf(host.call('login', LOGIN, Buffer.from(PASSPHRASE)))).code).toBe(
      'token.touch-timeout',
    );
    key.fingerAfterMs = 250;
    key.touchSeconds = 15;
    await host.call('login', LOGIN, Buffer.from(PASSPHRASE));
    expect(host.notices).toEqual([
      { notice: 'touch', secondsLeft: 1 },
      { notice: 'touch', secondsLeft: 15 },
    ]);
  });

  it('lets the key stop blinking when the keeper goes away', async () => {
    key.fingerAfterMs = undefined;
    await host.call('open', SELECTED);
    const asked = host.call('login', LOGIN, Buffer.from(PASSPHRASE));
    asked.catch(() => undefined);
    while (!key.isBlinking) await new Promise((resolve) => setTimeout(resolve, 10));
    host.hangUp();
    await host.exited;
    expect(key.isBlinking).toBe(false);
  });

  it('notices when the key is pulled out, and when it comes back', async () => {
    await host.call('open', SELECTED);
    await host.call('login', LOGIN, Buffer.from(PASSPHRASE));
    await bed.unplug();
    expect((await rejectionOf(host.call('probe', {}))).code).toBe('token.removed');
    const prf = { id: '02', label: 'slot 2', backend: 'otp' } as const;
    expect((await rejectionOf(host.call('evaluatePrf', prf, Buffer.of(1)))).code).toBe('token.removed');
    await bed.plug();
    await using next = new TokenHostClient(bed.environment);
    await next.call('open', SELECTED);
    await next.call('login', LOGIN, Buffer.from(PASSPHRASE));
  });

  it('keeps no passphrase and no slot secret in its memory, and what it needs only until a wrong login', async () => {
    key.program(2, undefined);
    await host.call('open', SELECTED);
    const { result } = await host.call('login', { ...LOGIN, enrol: 'program' }, Buffer.from(PASSPHRASE));
    const secret = key.slot(2)?.secret ?? Buffer.alloc(20);
    const context = Buffer.from(CONTEXT, 'base64');
    const work = stretchPassphrase(Buffer.from(PASSPHRASE), LOGIN.domain);
    const response = createHmac('sha1', secret).update(otpChallenge(context)).digest();
    const count = (): readonly number[] =>
      countInMemory(host.child.pid ?? 0, [Buffer.from(PASSPHRASE), secret, secret.subarray(0, 16), work]);
    expect(count()).toEqual([0, 0, 0, 1]);
    const { raw } = await host.call('evaluatePrf', { id: '02', label: 'slot 2', backend: 'otp' }, context);
    expect(raw.equals(Buffer.concat([response, work]))).toBe(true);
    const wrong = Buffer.from('another passphrase altogether');
    await rejectionOf(host.call('login', { ...LOGIN, check: result.check }, wrong));
    expect(count()).toEqual([0, 0, 0, 0]);
  });

  it('does nothing but derive', async () => {
    await host.call('open', SELECTED);
    const object = { id: '02', label: 'x' };
    for (const call of [
      () => host.call('generateSigningKey', object),
      () => host.call('findSigningKey', object),
      () => host.call('signDigest', object, Buffer.alloc(32)),
      () => host.call('findDerivationKey', { ...object, backend: 'ec' }),
    ]) {
      expect((await rejectionOf(call())).code).toBe('token.unsupported');
    }
  });
});
