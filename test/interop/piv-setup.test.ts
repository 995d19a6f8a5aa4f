/** `token setup` of a card: real pcscd and libykcs11, virtual card, and Yubico's own program as the second opinion. */
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sealPin } from '../../src/client/unlock.js';
import { connectTo } from '../support/agent-client.js';
import { runProgram, type CommandResult } from '../support/demo-agent.js';
import { CARD_PIN, ownedCard, PivAgent } from '../support/piv-agent.js';
import { INS } from '../support/virtual-yubikey/apdu.js';
import {
  attestationAuthority,
  AttestationAuthority,
} from '../support/virtual-yubikey/attestation-authority.js';
import { reference } from '../support/virtual-yubikey/bare-applet.js';
import { FACTORY_MANAGEMENT_KEY } from '../support/virtual-yubikey/management-key.js';
import { contentOf, parseTlvMap } from '../support/virtual-yubikey/tlv.js';
import { YubiKeyDesk } from '../support/virtual-yubikey/virtual-yubikey.js';
import { YKCS11_MODULE } from '../support/virtual-yubikey/ykcs11-process.js';
import { YubiKey } from '../support/virtual-yubikey/yubikey.js';

const LEAF = 'docker.io/acme/app#cosign';
const SERIAL = '14700001';

interface Card {
  readonly serial: string;
  readonly firmware: string;
  readonly pin?: string;
  readonly touch?: string;
  readonly attestation?: string;
  readonly device?: string;
  readonly root?: string;
}

interface Anchor {
  readonly version: number;
  readonly root: { readonly publicKey: string; readonly card?: Card };
  readonly derivation: { readonly publicKey: string; readonly backup: string; readonly card?: Card };
}

let desk: YubiKeyDesk;
let agent: PivAgent;

/** An agent that trusts the vendor of the suite, or another one, or has nobody to trust. */
async function begin(
  card: YubiKey,
  vendor: AttestationAuthority | 'nobody' = attestationAuthority(),
): Promise<void> {
  desk = await YubiKeyDesk.start([card]);
  if (vendor === 'nobody') return agent.begin(desk);
  const roots = path.join(agent.folder, 'roots.pem');
  writeFileSync(roots, vendor.pem, { mode: 0o644 });
  return agent.begin(desk, [`attestation-roots = "${roots}"`]);
}

function anchor(): Anchor {
  const file = readFileSync(path.join(agent.stateDir, 'keyring.json'), 'utf8');
  const { payload } = (JSON.parse(file) as { readonly anchor: { readonly payload: string } }).anchor;
  return JSON.parse(Buffer.from(payload, 'base64').toString('utf8')) as Anchor;
}

function publicKeyOf(slot: number, card = desk.key): string {
  const { publicKey } = card.state.storedKey(slot).key;
  return publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
}

/** Public halves of root and derivation key on the card. */
function keysOnCard(): readonly string[] {
  return [publicKeyOf(0x9c), publicKeyOf(0x82)];
}

function keysInKeyring(): readonly string[] {
  const { root, derivation } = anchor();
  return [root.publicKey, derivation.publicKey];
}

function certificateIn(slot: 0x9c | 0x82): X509Certificate {
  const object = desk.key.state.objects.get(slot === 0x9c ? '5fc10a' : '5fc10d', false);
  return new X509Certificate(parseTlvMap(contentOf(object, 0x53)).get(0x70) ?? Buffer.alloc(0));
}

function storedManagementKey(): string {
  const object = desk.key.state.objects.get('5fc109', true);
  return contentOf(contentOf(contentOf(object, 0x53), 0x88), 0x89).toString('hex');
}

async function pivTool(...argv: readonly string[]): Promise<CommandResult> {
  return runProgram('yubico-piv-tool', argv, { environment: desk.environment });
}

/** Commands that change a card or send a secret. */
function changes(card: YubiKey): number {
  const { apdus } = card.counters;
  const changing = [
    INS.verify,
    INS.changeReference,
    INS.generate,
    INS.putData,
    INS.authenticate,
    INS.setManagementKey,
    INS.importKey,
  ];
  return changing.reduce((sum, ins) => sum + (apdus.get(ins) ?? 0), 0);
}

beforeEach(() => {
  agent = new PivAgent();
});
afterEach(async () => {
  await agent[Symbol.asyncDispose]();
  await desk[Symbol.asyncDispose]();
});

describe.each(['5.4.3', '5.7.1'] as const)('a YubiKey %s from the factory', (firmware) => {
  it('is set up in one command, as the plan says', async () => {
    await begin(new YubiKey({ firmware }));
    const plan = await agent.must(['token', 'setup', '--plan']);
    expect(plan).toContain('PIN: the one of the factory is changed');
    expect(plan).toContain(
      'slot 9c: the root key is made on the card; the PIN once for each unlock, a touch for each',
    );
    expect(plan).toContain('slot 82: the derivation key is made on the card');
    expect(plan.includes('YSA-2024-03')).toBe(firmware === '5.4.3');
    // VERIFY without a PIN asks for the counter.
    expect([
      changes(desk.key) - (desk.key.counters.apdus.get(INS.verify) ?? 0),
      desk.key.counters.pinAttempts,
    ]).toEqual([0, 0]);

    const made = await agent.setUpCard();
    expect([made.stderr.includes('making the root key in slot 9c'), made.status]).toEqual([true, 0]);
    const { state } = desk.key;
    expect([state.pin.isFactory, state.puk.isFactory, state.management.isFactory]).toEqual([
      false,
      false,
      false,
    ]);
    expect([state.storedKey(0x9c).policies, state.storedKey(0x82).policies]).toEqual([
      { pin: 'once', touch: 'always' },
      { pin: 'once', touch: 'cached' },
    ]);
    const { version, root, derivation } = anchor();
    expect(keysInKeyring()).toEqual(keysOnCard());
    expect([version, derivation.backup]).toEqual([3, 'generated']);
    expect(root.card).toMatchObject({ serial: SERIAL, firmware, pin: 'once', touch: 'always' });
    expect(root.card?.root).toMatch(/^[0-9a-f]{64}$/);
    expect(derivation.card?.touch).toBe('cached');
    expect(await agent.must(['key', 'show', 'touchstone/root#root'])).toContain(
      `YubiKey ${SERIAL}, firmware ${firmware}`,
    );

    await agent.must(['key', 'derive', LEAF]);
    await agent.must(['audit', 'verify']);
    expect(await agent.must(['audit', 'show', '--json'])).toContain(`"card": "${SERIAL}"`);
    await agent.must(['agent', 'stop']);
    await agent.start();
    expect((await agent.unlockCard()).status).toBe(0);
    expect(desk.key.counters.signatures.get(0x82)).toBeUndefined();
  });
});

describe('what was set up', () => {
  it('is read by yubico-piv-tool and libykcs11, and its management key is where ykman looks for it', async () => {
    await begin(new YubiKey());
    expect((await agent.setUpCard()).status).toBe(0);
    await agent.must(['agent', 'stop']);

    const verified = await pivTool('-a', 'verify-pin', '-P', CARD_PIN);
    expect(verified.stderr).toContain('Successfully verified PIN');
    const read = await pivTool('-a', 'read-certificate', '-s', '9c');
    const root = new X509Certificate(read.stdout);
    expect(root.verify(root.publicKey)).toBe(true);
    expect([root.subject.includes(`CN=YubiKey ${SERIAL} slot 9c`), root.ca]).toEqual([true, false]);
    const status = await pivTool('-a', 'status');
    expect(status.stdout).toContain('Slot 9c');
    expect(status.stdout).toContain('Slot 82');
    const spki = certificateIn(0x82).publicKey.export({ type: 'spki', format: 'der' });
    expect(spki.toString('base64')).toBe(publicKeyOf(0x82));

    // The key behind the PIN opens the card for a program that only knows 3DES keys on its command line.
    const key = storedManagementKey();
    const refused = await pivTool('-a', 'set-chuid');
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining('Failed authentication')]);
    const written = await pivTool(`-k${key}`, '-a', 'set-chuid');
    expect([written.status, written.stderr]).toEqual([
      0,
      expect.stringContaining('Successfully set new CHUID'),
    ]);

    const listed = await runProgram(
      'pkcs11-tool',
      ['--module', YKCS11_MODULE, '-O', '--login', '--pin', CARD_PIN],
      {
        environment: desk.environment,
      },
    );
    expect(listed.stdout).toContain('Private key for Digital Signature');
    expect(listed.stdout).toContain('Private key for Retired Key 1');
  });
});

describe('keys that are there', () => {
  it('are lost only to who types the serial number', async () => {
    await begin(ownedCard());
    const management = desk.key.state.management;
    expect(management.isFactory).toBe(true);
    const before = keysOnCard();
    const refused = await agent.setUpCard('--confirm', '7');
    expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining('not that of the card')]);
    const silent = await agent.setUpCard();
    expect([silent.status, silent.stderr]).toEqual([2, expect.stringContaining('THE SLOT IS IN USE')]);
    expect([keysOnCard(), desk.key.counters.pinAttempts, management.isFactory]).toEqual([before, 0, true]);

    expect((await agent.setUpCard('--confirm', SERIAL)).status).toBe(0);
    expect(keysOnCard()).not.toContain(before[0]);
    expect(keysOnCard()).not.toContain(before[1]);
    expect(keysInKeyring()).toEqual(keysOnCard());
  });

  it('are taken without a touch only by who types what that means', async () => {
    await begin(ownedCard());
    const refused = await agent.adoptTouched('--without-touch', 'yes');
    expect([refused.status, refused.stderr]).toEqual([
      2,
      expect.stringContaining('--without-touch "any program can derive"'),
    ]);
    // The agent itself insists, whatever a command line would let through.
    using client = await connectTo(agent);
    const { pin } = await sealPin(client, 'key', () => Promise.resolve(Buffer.from(CARD_PIN)));
    await expect(client.call('tokens.setup', { pin, adopt: true })).rejects.toThrow(
      expect.objectContaining({ code: 'token.without-touch' }),
    );
    expect(desk.key.counters.pinAttempts).toBe(0);
    expect((await agent.adopt()).status).toBe(0);
    expect(anchor().derivation.card?.touch).toBe('never');
  });

  it('say their policy by their attestation where the firmware has no metadata', async () => {
    await begin(ownedCard({ derivationTouch: 'cached' }, { firmware: '5.2.7' }));
    expect((await agent.adoptTouched()).status).toBe(0);
    expect(anchor().derivation.card).toMatchObject({ firmware: '5.2.7', touch: 'cached' });
    expect(anchor().derivation.card?.root).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('a card that is not believed', () => {
  it('is left as it is when no root of the configuration vouches for it', async () => {
    await begin(new YubiKey(), new AttestationAuthority());
    expect(await agent.must(['token', 'setup', '--plan'])).toContain(
      'cannot be done: checking the attestation of the card',
    );
    const refused = await agent.setUpCard();
    expect([refused.status, refused.stderr]).toEqual([4, expect.stringContaining('no root that is trusted')]);
    expect([desk.key.counters.pinAttempts, desk.key.state.pin.isFactory]).toEqual([0, true]);
  });

  it('is recorded as unchecked where the configuration names no roots', async () => {
    await begin(new YubiKey(), 'nobody');
    const made = await agent.setUpCard();
    expect([made.status, made.stderr]).toEqual([
      0,
      expect.stringContaining('nobody checks that this is a real YubiKey'),
    ]);
    const { card } = anchor().root;
    expect([card?.root, card?.attestation === undefined]).toEqual([undefined, false]);
  });
});

describe('PIN, PUK and management key', () => {
  it('are to be changed by other means on a firmware that cannot tell whether they were', async () => {
    await begin(new YubiKey({ firmware: '5.2.7' }));
    const refused = await agent.setUpCard();
    expect([refused.status, refused.stderr]).toEqual([
      4,
      expect.stringContaining('ykman piv access change-pin'),
    ]);
    expect(desk.key.counters.pinAttempts).toBe(0);
  });

  it('may not be the same, and nothing is sent then', async () => {
    await begin(new YubiKey());
    const same = await agent.setUpCard('--puk-file', agent.cardPinFile);
    expect([same.status, same.stderr]).toEqual([
      4,
      expect.stringContaining('the PUK is the same as the PIN'),
    ]);
    expect(desk.key.state.pin.isFactory).toBe(true);
  });

  it('costs one try when the PIN is wrong, and nothing is made', async () => {
    const card = new YubiKey();
    card.state.pin.set(reference('555555'));
    await begin(card);
    const wrong = await agent.setUpCard();
    expect([wrong.status, card.state.pin.triesLeft]).toEqual([4, 2]);
    const again = await agent.setUpCard();
    expect([again.stderr, card.state.pin.triesLeft]).toEqual([expect.stringContaining('already refused'), 2]);
    expect([card.state.keys.has(0x9c), card.state.management.isFactory]).toEqual([false, true]);
  });
});

describe('a set-up that is interrupted', () => {
  it.each([
    ['the PIN was changed', INS.changeReference, 'after', 1],
    ['the management key was stored', INS.putData, 'after', 1],
    ['the management key counts', INS.setManagementKey, 'after', 1],
    ['the root key was asked for', INS.generate, 'before', 1],
    ['the root key was made', INS.generate, 'after', 1],
    ['the derivation key was made', INS.generate, 'after', 2],
    ['the root was to sign', INS.authenticate, 'before', 5],
  ] as const)('goes on with the same command after %s', async (_what, ins, moment, count) => {
    await begin(new YubiKey());
    const card = desk.key;
    pullAt(card, ins, moment, count);
    const broken = await agent.setUpCard();
    expect(broken.status).toBe(4);
    const made = [0x9c, 0x82]
      .filter((slot) => card.state.keys.has(slot))
      .map((slot) => publicKeyOf(slot, card));
    desk.reader.insert(card);
    await desk.reader.powered();
    const again = await agent.setUpCard();
    expect([again.stderr.includes('error'), again.status]).toEqual([false, 0]);
    expect(keysInKeyring()).toEqual(keysOnCard());
    // What the first run has made is what the keyring knows.
    expect(keysOnCard().slice(0, made.length)).toEqual(made);
    await agent.must(['key', 'derive', LEAF]);
  });

  it('goes on after a touch that never came', async () => {
    await begin(new YubiKey());
    desk.key.touch.timeoutMs = 10_500;
    desk.key.touch.never();
    const late = await agent.setUpCard();
    expect([late.status, late.stderr]).toEqual([7, expect.stringContaining('not touched in time')]);
    expect(late.stderr).toContain('touch the YubiKey now');
    expect(desk.key.state.isPinVerified).toBe(false);
    const made = keysOnCard();
    desk.key.touch.afterMs = 0;
    expect((await agent.setUpCard()).status).toBe(0);
    expect([keysOnCard(), keysInKeyring()]).toEqual([made, made]);
  });
});

describe('a management key that its owner gave a touch policy', () => {
  it('is announced when the card waits for a finger to prove it, and only then', async () => {
    await begin(new YubiKey());
    const { management } = desk.key.state;
    management.set(management.algorithm, FACTORY_MANAGEMENT_KEY, 'always');
    desk.key.touch.timeoutMs = 10_500;
    desk.key.touch.never();
    const late = await agent.setUpCard();
    expect([late.status, late.stderr]).toEqual([7, expect.stringContaining('not touched in time')]);
    expect(late.stderr).toMatch(/proving the management key\n.*touch the YubiKey now/);
    expect(late.stderr).not.toContain('making the root key');
    desk.key.touch.afterMs = 0;
    expect((await agent.setUpCard()).status).toBe(0);
    expect(management.touch).toBe('never');
  });
});

/** Pulls the card at the `count`th command of this instruction. */
function pullAt(card: YubiKey, ins: number, moment: 'before' | 'after', count: number): void {
  if (count > 1) {
    card.once(ins, moment, () => {
      pullAt(card, ins, moment, count - 1);
    });
    return;
  }
  card.once(ins, moment, () => {
    desk.reader.remove();
  });
}
