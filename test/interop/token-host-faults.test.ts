/** Drivers that crash, hang, lie or fail: what becomes of it, and that only the token host suffers. */
import pkcs11js from 'pkcs11js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RETURN_VALUES } from '../../src/token/pkcs11/rv.js';
import { FAULTY_PIN, FaultyModule } from '../support/faulty-module.js';
import { PIN, SOFTHSM_MODULE, SoftHsmStore } from '../support/softhsm-store.js';
import { TokenHostClient } from '../support/token-host-client.js';

const URI = 'pkcs11:token=faulty';
const KEY = { id: '01', label: 'root' };
const DIGEST = Buffer.alloc(32, 3);
const HANG_DEADLINE_MS = 500;

let faulty: FaultyModule;
beforeAll(() => {
  faulty = new FaultyModule();
});
afterAll(() => {
  faulty[Symbol.dispose]();
});
beforeEach(() => {
  faulty.behave({});
});

function newHost(): TokenHostClient {
  return new TokenHostClient(faulty.environment);
}

describe('a driver that crashes or hangs', () => {
  let store: SoftHsmStore;
  beforeAll(() => {
    store = new SoftHsmStore('release');
  });
  afterAll(() => {
    store[Symbol.dispose]();
  });

  it.each([
    ['C_GetFunctionList', 'open'],
    ['C_Initialize', 'open'],
    ['C_GetTokenInfo', 'open'],
    ['C_Login', 'login'],
    ['C_Sign', 'signDigest'],
  ] as const)('in %s ends its own process only', async (name, during) => {
    await using neighbour = new TokenHostClient(store.environment);
    await neighbour.unlock(SOFTHSM_MODULE, 'pkcs11:token=release', PIN);
    faulty.behave({ [name]: 'crash' });
    {
      await using host = newHost();
      await expect(untilSigned(host)).rejects.toMatchObject({ code: 'token.host-crashed' });
      expect((await host.exited).signal).toBe('SIGABRT');
    }
    faulty.behave({ [name]: 'hang' });
    {
      await using host = newHost();
      await expect(untilSigned(host, { [during]: HANG_DEADLINE_MS })).rejects.toMatchObject({
        code: 'token.timeout',
      });
      expect((await host.exited).signal).toBe('SIGKILL');
    }
    expect(faulty.log().at(-1)).toBe(during === 'open' ? undefined : name);
    expect((await neighbour.call('probe', {})).result.label).toBe('release');
    // The next process for the same driver works as soon as the driver does.
    faulty.behave({});
    await using host = newHost();
    expect(await untilSigned(host)).toHaveLength(64);
  });
});

type Deadlines = Partial<Record<'open' | 'login' | 'signDigest', number>>;

async function untilSigned(host: TokenHostClient, deadlines: Deadlines = {}): Promise<Buffer> {
  await host.call('open', { module: faulty.path, uri: URI }, undefined, deadlines.open);
  await host.call('login', {}, Buffer.from(FAULTY_PIN), deadlines.login);
  return (await host.call('signDigest', KEY, DIGEST, deadlines.signDigest)).raw;
}

describe('return values', () => {
  it('have every name and number that the binding knows', () => {
    const known = Object.entries(pkcs11js).filter(
      (entry): entry is [string, number] => entry[0].startsWith('CKR_') && typeof entry[1] === 'number',
    );
    expect(known.length).toBeGreaterThan(80);
    for (const [name, value] of known) {
      if (name === 'CKR_OK' || name === 'CKR_VENDOR_DEFINED') continue;
      expect(RETURN_VALUES.get(value)?.name).toBe(name);
    }
    const names = [...RETURN_VALUES.values()].map((row) => row.name);
    expect(new Set(names).size).toBe(names.length);
  });

  it('become the error of their row, with the name and number kept', async () => {
    await using host = newHost();
    await host.unlock(faulty.path, URI, FAULTY_PIN);
    for (const [value, row] of RETURN_VALUES) {
      faulty.change({ C_Sign: `0x${value.toString(16)}` });
      await expect(host.call('signDigest', KEY, DIGEST)).rejects.toMatchObject({
        code: row.code,
        message: `C_Sign: ${row.sentence} (${row.name})`,
        details: { call: 'C_Sign', ckr: row.name, rv: value },
      });
    }
    faulty.change({});
    expect((await host.call('signDigest', KEY, DIGEST)).raw).toHaveLength(64);
  });

  it('outside the table become token.other with their number', async () => {
    await using host = newHost();
    await host.unlock(faulty.path, URI, FAULTY_PIN);
    for (const value of ['0x80000001', '0xcafe']) {
      faulty.change({ C_Sign: value });
      await expect(host.call('signDigest', KEY, DIGEST)).rejects.toMatchObject({
        code: 'token.other',
        details: { rv: Number(value) },
      });
    }
  });

  it.each([
    ['C_GetSlotList', 0x30, 'token.device'],
    ['C_GetTokenInfo', 0x31, 'token.memory'],
    ['C_Initialize', 0x0a, 'token.unsupported'],
    ['C_OpenSession', 0xb1, 'token.busy'],
    ['C_Login', 0xa3, 'token.pin-expired'],
    ['C_FindObjectsInit', 0x190, 'token.device'],
    ['C_FindObjects', 0x32, 'token.removed'],
    ['C_GetAttributeValue', 0x101, 'token.pin-needed'],
    ['C_SignInit', 0x70, 'token.unsupported'],
  ])('of %s are normalised too', async (name, value, code) => {
    faulty.behave({ [name]: `0x${value.toString(16)}` });
    await using host = newHost();
    await expect(untilSigned(host)).rejects.toMatchObject({ code, details: { call: name, rv: value } });
  });

  it('of a session that ended are healed for looking, never for signing', async () => {
    await using host = newHost();
    await host.unlock(faulty.path, URI, FAULTY_PIN);
    faulty.change({ C_FindObjectsInit: 'once:0xb3' });
    expect((await host.call('findSigningKey', KEY)).result.label).toBe(KEY.label);
    faulty.change({ C_Sign: '0xb3' });
    await expect(host.call('signDigest', KEY, DIGEST)).rejects.toMatchObject({ code: 'token.removed' });
    expect(faulty.log().filter((line) => line === 'C_Sign')).toHaveLength(1);
  });
});

describe('PIN counter', () => {
  it('shows full, low, last and locked, and a locked PIN is not sent', async () => {
    await using host = newHost();
    const { result } = await host.call('open', { module: faulty.path, uri: URI });
    expect(result.triesLeft).toBe('full');
    const wrong = (): Promise<unknown> => host.call('login', {}, Buffer.from('000000'));
    await expect(wrong()).rejects.toMatchObject({
      code: 'token.pin-incorrect',
      details: { triesLeft: 'low' },
    });
    await expect(wrong()).rejects.toMatchObject({
      code: 'token.pin-incorrect',
      details: { triesLeft: 'last' },
    });
    expect((await host.call('probe', {})).result.triesLeft).toBe('last');
    await expect(wrong()).rejects.toMatchObject({
      code: 'token.pin-locked',
      details: { triesLeft: 'locked' },
    });
    const sent = faulty.log().length;
    await expect(host.call('login', {}, Buffer.from(FAULTY_PIN))).rejects.toMatchObject({
      code: 'token.pin-locked',
    });
    expect(sent).toBe(3);
    expect(faulty.log()).toHaveLength(sent);
  });

  it('never sends a refused PIN a second time', async () => {
    await using host = newHost();
    await host.call('open', { module: faulty.path, uri: URI });
    for (const value of ['0xa0', '0xb3', '0x30', '0x5']) {
      faulty.behave({ C_Login: value });
      await expect(host.call('login', {}, Buffer.from(FAULTY_PIN))).rejects.toThrow();
      expect(faulty.log()).toEqual(['C_Login']);
    }
  });
});

describe('a token that goes away or lies', () => {
  it('is removed when its slot is empty, when it does not answer, when another one is in its place', async () => {
    await using host = newHost();
    await host.unlock(faulty.path, URI, FAULTY_PIN);
    for (const plan of [
      { token: 'absent' },
      { token: 'swapped' },
      { C_GetTokenInfo: '0x5' },
      { C_GetTokenInfo: '0xe0' },
      { C_GetSlotList: '0x30' },
    ]) {
      faulty.change(plan);
      await expect(host.call('probe', {})).rejects.toMatchObject({
        code: 'token.removed',
        details: { serial: 'F0001', label: 'faulty' },
      });
    }
    faulty.change({});
    expect((await host.call('probe', {})).result.serial).toBe('F0001');
  });

  it('is absent when it was not there from the start', async () => {
    faulty.behave({ token: 'absent' });
    await using host = newHost();
    await expect(host.call('open', { module: faulty.path, uri: URI })).rejects.toMatchObject({
      code: 'token.absent',
    });
    faulty.behave({});
    expect((await host.call('open', { module: faulty.path, uri: URI })).result.serial).toBe('F0001');
  });

  it('may be write protected and still sign', async () => {
    faulty.behave({ token: 'protected' });
    await using host = newHost();
    expect(await untilSigned(host)).toHaveLength(64);
  });

  it('must return signatures and PRF values of the right length', async () => {
    await using host = newHost();
    await host.unlock(faulty.path, URI, FAULTY_PIN);
    faulty.behave({ C_Sign: 'short' });
    await expect(host.call('signDigest', KEY, DIGEST)).rejects.toMatchObject({ code: 'token.bad-signature' });
    faulty.behave({ C_DeriveKey: 'short', key: 'derive' });
    const deriving = { ...KEY, backend: 'ec' } as const;
    await expect(host.call('evaluatePrf', deriving, Buffer.alloc(65, 4))).rejects.toMatchObject({
      code: 'token.unsupported',
    });
    expect(faulty.log()).toEqual(['C_DestroyObject derived']);
    faulty.behave({ C_GetAttributeValue: '0x11', key: 'derive' });
    await expect(host.call('evaluatePrf', deriving, Buffer.alloc(65, 4))).rejects.toThrow();
  });

  it('must not ask for the PIN at each signature, because nobody keeps it', async () => {
    faulty.behave({ key: 'asks-always' });
    await using host = newHost();
    await expect(untilSigned(host)).rejects.toMatchObject({
      code: 'token.unsupported',
      details: { attribute: 'CKA_ALWAYS_AUTHENTICATE' },
    });
    expect(faulty.log()).toEqual(['C_Login']);
  });

  it('must keep to the template: a key that was readable once is taken off again', async () => {
    faulty.behave({ key: 'was-readable' });
    await using host = newHost();
    await host.unlock(faulty.path, URI, FAULTY_PIN);
    await expect(host.call('generateSigningKey', KEY)).rejects.toMatchObject({
      code: 'key.usage',
      details: { attribute: 'CKA_NEVER_EXTRACTABLE' },
    });
    expect(faulty.log().filter((line) => line === 'C_DestroyObject')).toHaveLength(2);
  });
});
