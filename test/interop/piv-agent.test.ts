/** An agent whose root and derivation key are on a YubiKey: real pcscd, real libykcs11, virtual card. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rawFromSpki } from '../../src/crypto/public-key.js';
import { ownedCard, PivAgent } from '../support/piv-agent.js';
import { reference } from '../support/virtual-yubikey/bare-applet.js';
import { ALGORITHM, ecKey } from '../support/virtual-yubikey/card-key.js';
import { YubiKeyDesk } from '../support/virtual-yubikey/virtual-yubikey.js';
import type { YubiKey } from '../support/virtual-yubikey/yubikey.js';

const LEAF = 'docker.io/acme/app#cosign';

interface Vector {
  readonly backend: string;
  readonly secret: string;
  readonly domain: string;
  readonly repository: string;
  readonly role: string;
  readonly algorithm: string;
  readonly epoch: number;
  readonly index: number;
  readonly public: string;
}

interface KeyShown {
  readonly key: { readonly keyId: string; readonly publicKey: string; readonly loaded?: boolean };
}

let desk: YubiKeyDesk;
let agent: PivAgent;

async function begin(card: YubiKey, lines: readonly string[] = [], domain?: string): Promise<void> {
  desk = await YubiKeyDesk.start([card]);
  await agent.begin(desk, lines, domain);
}

async function shown(verb: 'derive' | 'show', name: string): Promise<KeyShown['key']> {
  return (JSON.parse(await agent.must(['key', verb, name, '--json'])) as KeyShown).key;
}

/** Waits until nobody is logged in to the card. */
async function cardLocked(): Promise<boolean> {
  for (let look = 0; look < 300 && desk.key.state.isPinVerified; look += 1) await delay(10);
  return !desk.key.state.isPinVerified;
}

async function states(): Promise<string> {
  return agent.must(['token', 'list']);
}

beforeEach(() => {
  agent = new PivAgent();
});
afterEach(async () => {
  await agent[Symbol.asyncDispose]();
  await desk[Symbol.asyncDispose]();
});

describe('keys on a YubiKey', () => {
  it('signs with 9C, derives with 82, and leaves no card logged in', async () => {
    await begin(ownedCard());
    expect((await agent.adopt()).status).toBe(0);
    const { keyId } = await shown('derive', LEAF);
    expect([desk.key.counters.signatures.get(0x9c), desk.key.counters.signatures.get(0x82)]).toEqual([
      1,
      undefined,
    ]);
    await agent.must(['lock']);
    expect(await cardLocked()).toBe(true);

    const unlocked = await agent.unlockCard();
    expect([unlocked.status, desk.key.state.isPinVerified]).toEqual([0, false]);
    expect(await states()).toContain('identified');
    expect(await shown('show', LEAF)).toMatchObject({ keyId, loaded: true });
    const card = desk.key;
    desk.reader.remove();
    // The leaf stays, without the card; what needs the card says so.
    expect(await shown('show', LEAF)).toMatchObject({ loaded: true });
    const missing = await agent.touchstone(['key', 'derive', 'docker.io/acme/other#cosign']);
    expect([missing.status, missing.stderr]).toEqual([
      4,
      expect.stringContaining('touchstone unlock --key docker.io/acme/other#root'),
    ]);
    await agent.must(['audit', 'verify']);
    expect(card.counters.pinAttempts).toBe(2);
  });

  it('stays open under a lease that names the root, until that ends', async () => {
    await begin(ownedCard());
    expect((await agent.adopt()).status).toBe(0);
    await agent.must(['lock']);
    expect(await cardLocked()).toBe(true);
    expect((await agent.unlockCard('--key', 'docker.io/acme/app#root')).status).toBe(0);
    expect(desk.key.state.isPinVerified).toBe(true);
    await shown('derive', LEAF);
    await agent.must(['lock']);
    expect(await cardLocked()).toBe(true);
  });

  const file = readFileSync(path.join(import.meta.dirname, '../vectors/derivation.json'), 'utf8');
  const vectors = (JSON.parse(file) as { readonly vectors: readonly Vector[] }).vectors.filter(
    ({ backend, epoch, index, role }) =>
      backend === 'ec' && epoch === 1 && index === 0 && role !== 'audit' && role !== 'root',
  );
  it('gives the published leaves of an imported derivation key, as every token does', async () => {
    const [first] = vectors;
    if (first === undefined) throw new Error('no vectors');
    const derivation = ecKey(ALGORITHM.p256, Buffer.from(first.secret, 'hex'));
    await begin(ownedCard({ derivation, origin: 'imported' }), [], first.domain);
    expect((await agent.adopt()).status).toBe(0);
    const same = vectors.filter(({ secret, domain }) => secret === first.secret && domain === first.domain);
    const found: string[] = [];
    for (const { repository, role, algorithm } of same) {
      const suffix = algorithm === 'ed25519' ? '~ed25519' : '';
      const { publicKey } = await shown('derive', `${repository}#${role}${suffix}`);
      found.push(rawFromSpki(Buffer.from(publicKey, 'base64')).raw.toString('hex'));
    }
    expect(found).toEqual(same.map((vector) => vector.public));
    expect(found.length).toBeGreaterThan(0);
    const stored = JSON.parse(readFileSync(path.join(agent.stateDir, 'keyring.json'), 'utf8')) as {
      readonly anchor: { readonly payload: string };
    };
    const anchor = Buffer.from(stored.anchor.payload, 'base64').toString('utf8');
    expect(JSON.parse(anchor)).toMatchObject({ derivation: { backend: 'ec', backup: 'imported' } });
  });
});

describe('the PIN', () => {
  it('has to be asked for once, not at each signature', async () => {
    await begin(ownedCard({ policies: { pin: 'always', touch: 'never' } }));
    const result = await agent.adopt();
    expect([result.status, result.stderr]).toEqual([1, expect.stringContaining('--pin-policy ONCE')]);
    expect(await cardLocked()).toBe(true);
  });

  it('costs one try for each entry, and never the last by itself', async () => {
    await begin(ownedCard());
    expect((await agent.adopt()).status).toBe(0);
    await agent.must(['lock']);
    const wrong = agent.writePin('wrong', '999999');
    const first = await agent.unlockCard('--pin-file', wrong);
    expect([first.status, desk.key.state.pin.triesLeft]).toEqual([4, 2]);
    const again = await agent.unlockCard('--pin-file', wrong);
    expect([again.stderr, desk.key.state.pin.triesLeft]).toEqual([
      expect.stringContaining('already refused'),
      2,
    ]);
    // Another program spends one: libykcs11 would not see it.
    expect(() => {
      desk.key.state.pin.check(reference('888888'));
    }).toThrow();
    const last = await agent.unlockCard();
    expect([last.status, last.stderr]).toEqual([4, expect.stringContaining('--use-last-try 14700001')]);
    expect(desk.key.state.pin.triesLeft).toBe(1);
    expect((await agent.unlockCard('--use-last-try', '14700001')).status).toBe(0);
    expect(desk.key.state.pin.triesLeft).toBe(3);
  });

  it('is not sent when it is the one of the factory, or of a length that no PIN has', async () => {
    await begin(ownedCard());
    for (const [pin, words] of [
      ['123456', 'leaves the factory with'],
      ['12345', '6 to 8 characters'],
      ['123456789', '6 to 8 characters'],
    ] as const) {
      const result = await agent.adopt('--pin-file', agent.writePin('pin', pin));
      expect([result.status, result.stderr]).toEqual([4, expect.stringContaining(words)]);
    }
    expect(desk.key.counters.pinAttempts).toBe(0);
  });

  it('does not go to another card, nor to one with other keys', async () => {
    await begin(ownedCard());
    expect((await agent.adopt()).status).toBe(0);
    await agent.must(['lock']);
    const owned = desk.key;
    const before = owned.counters.pinAttempts;
    const other = ownedCard({}, { serial: 7 });
    desk.reader.remove();
    desk.reader.insert(other);
    await desk.reader.powered();
    const absent = await agent.unlockCard();
    expect([absent.status, absent.stderr]).toEqual([4, expect.stringContaining('14700001')]);
    const renewed = ownedCard();
    desk.reader.remove();
    desk.reader.insert(renewed);
    await desk.reader.powered();
    const changed = await agent.unlockCard();
    expect([changed.status, changed.stderr]).toEqual([4, expect.stringContaining('keyring')]);
    expect([other.counters.pinAttempts, renewed.counters.pinAttempts, owned.counters.pinAttempts]).toEqual([
      0,
      0,
      before,
    ]);
    desk.reader.remove();
    desk.reader.insert(owned);
    await desk.reader.powered();
    expect((await agent.unlockCard()).status).toBe(0);
  });
});

describe('touch', () => {
  it('is asked for on the terminal, and a touch that never comes is told as such', async () => {
    await begin(ownedCard({ derivationTouch: 'always' }));
    desk.key.touch.afterMs = 700;
    expect((await agent.adopt()).status).toBe(0);
    const derived = await agent.touchstone(['key', 'derive', LEAF]);
    expect([derived.status, derived.stderr]).toEqual([
      0,
      expect.stringContaining('touch the YubiKey now: token "key"'),
    ]);
    desk.key.touch.never();
    const late = await agent.touchstone(['key', 'derive', 'docker.io/acme/other#cosign'], {
      timeoutMs: 60_000,
    });
    expect([late.status, late.stderr]).toEqual([7, expect.stringContaining('not touched in time')]);
    desk.key.touch.afterMs = 0;
    expect((await agent.unlockCard()).status).toBe(0);
    expect(await shown('show', LEAF)).toMatchObject({ loaded: true });
  });
});

describe('removal', () => {
  it('wipes the leaves where the configuration says so, and the card that comes back is unlocked again', async () => {
    await begin(ownedCard(), ['on-removal = "lock"']);
    expect((await agent.adopt()).status).toBe(0);
    const { keyId } = await shown('derive', LEAF);
    const card = desk.key;
    for (const open of [true, false]) {
      expect(await shown('show', LEAF)).toMatchObject({ keyId, loaded: true });
      expect(card.state.isPinVerified).toBe(open);
      desk.reader.remove();
      for (let look = 0; look < 100 && (await shown('show', LEAF)).loaded === true; look += 1)
        await delay(50);
      expect(await shown('show', LEAF)).toMatchObject({ loaded: false });
      desk.reader.insert(card);
      await desk.reader.powered();
      expect((await agent.unlockCard()).status).toBe(0);
    }
  });

  it('survives a smart card service that crashes', async () => {
    await begin(ownedCard());
    expect((await agent.adopt()).status).toBe(0);
    await desk.stopDaemon();
    const gone = await agent.touchstone(['key', 'derive', LEAF]);
    expect(gone.status).toBe(4);
    const unlock = await agent.unlockCard();
    expect([unlock.status, unlock.stderr]).toEqual([4, expect.stringContaining('smart card service')]);
    await desk.startDaemon();
    await desk.reader.powered();
    expect((await agent.unlockCard('--key', 'docker.io/acme/app#root')).status).toBe(0);
    await shown('derive', LEAF);
  });
});
