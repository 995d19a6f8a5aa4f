/** An agent whose keys come out of an OTP slot, its root on another token; the key is behind the unmodified node-hid. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rawFromSpki } from '../../src/crypto/public-key.js';
import { HidrawAgent } from '../support/hidraw-agent.js';
import { HidrawBed } from '../support/hidraw-bed.js';
import { VirtualOtpKey } from '../support/virtual-otp-key.js';

const SERIAL = 12_345_678;
const CONFIRMED = ['--confirm', String(SERIAL)];
const PASSPHRASE = 'correct horse battery staple';
const CONFIGURE_SLOT_2 = 0x03;
const CHALLENGE_SLOT_2 = 0x38;

interface KeyShown {
  readonly key: { readonly keyId: string; readonly publicKey: string };
}

interface Anchor {
  readonly version: number;
  readonly derivation: {
    readonly backend: string;
    readonly backup: string;
    readonly check: string;
    readonly home: { readonly token: string };
  };
}

function anchorOf(agent: HidrawAgent): Anchor {
  const file = JSON.parse(readFileSync(path.join(agent.stateDir, 'keyring.json'), 'utf8')) as {
    readonly anchor: { readonly payload: string };
  };
  return JSON.parse(Buffer.from(file.anchor.payload, 'base64').toString('utf8')) as Anchor;
}

describe('an agent over an OTP slot', () => {
  let key: VirtualOtpKey;
  let bed: HidrawBed;
  let agent: HidrawAgent;
  beforeEach(async () => {
    key = new VirtualOtpKey({ serial: SERIAL });
    key.fingerAfterMs = 120;
    bed = await HidrawBed.start(key);
    agent = new HidrawAgent(bed, PASSPHRASE);
  });
  afterEach(async () => {
    await agent[Symbol.asyncDispose]();
    await bed[Symbol.asyncDispose]();
    expect(key.violations).toEqual([]);
  });

  async function derived(name: string): Promise<KeyShown['key']> {
    return (JSON.parse(await agent.must(['key', 'derive', name, '--json'])) as KeyShown).key;
  }

  it('says what it is about to do, and does nothing without the serial number', async () => {
    await agent.begin(SERIAL, 'acme.example');
    const plan = await agent.setUpSlot('--plan');
    expect(plan.stdout).toContain('YubiKey 12345678 (firmware 5.4.3), OTP slot 2:');
    expect(plan.stdout).toContain('the slot is empty');
    expect(plan.stdout).toContain('the root key is made on token "release"');
    const silent = await agent.setUpSlot();
    expect([silent.status, silent.stderr]).toEqual([2, expect.stringContaining('--confirm 12345678')]);
    const other = await agent.setUpSlot('--confirm', '87654321');
    expect([other.status, other.stderr]).toEqual([2, expect.stringContaining('nothing was changed')]);
    expect(key.commands).not.toContain(CONFIGURE_SLOT_2);
    expect((await agent.touchstone(['key', 'list', '--json'])).stdout).toContain('"keys": []');
  });

  it('says that a slot in use will be lost', async () => {
    key.program(2, { secret: Buffer.alloc(20, 1), other: true });
    await agent.begin(SERIAL, 'acme.example');
    expect((await agent.setUpSlot('--plan')).stdout).toContain('what is in it is lost for good');
  });

  it('programs the slot, derives with a touch, and gives the same keys after each unlock', async () => {
    await agent.begin(SERIAL, 'acme.example');
    const setup = await agent.setUpSlot(...CONFIRMED);
    expect([setup.status, setup.stderr]).toEqual([
      0,
      expect.stringContaining('touch the YubiKey now: token "slot" waits 15 s'),
    ]);
    expect(key.commands.filter((command) => command >= CONFIGURE_SLOT_2 && command !== 0x10)).toEqual([
      CONFIGURE_SLOT_2,
      CHALLENGE_SLOT_2,
    ]);
    expect(key.slot(2)).toMatchObject({ variable: true, touch: true });
    expect(anchorOf(agent)).toMatchObject({
      version: 2,
      derivation: {
        backend: 'otp',
        backup: 'generated',
        check: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
        home: { token: 'yubikey-otp:serial=12345678;slot=2' },
      },
    });
    const first = await derived('docker.io/acme/app#cosign');
    await agent.must(['lock']);
    expect((await agent.touchstone(['key', 'derive', 'docker.io/acme/other#cosign'])).status).toBe(4);
    const before = key.commands.length;
    const unlocked = await agent.unlockSlot();
    expect([unlocked.status, unlocked.stderr]).toEqual([0, expect.stringContaining('touch the YubiKey')]);
    // One touch for check value and audit leaf, one for the leaf.
    expect(key.commands.slice(before).filter((command) => command === CHALLENGE_SLOT_2)).toHaveLength(2);
    const shown = JSON.parse(
      await agent.must(['key', 'show', 'docker.io/acme/app#cosign', '--json']),
    ) as KeyShown;
    expect(shown.key).toMatchObject({ keyId: first.keyId, loaded: true });
    await agent.must(['unlock', '--token', 'release', '--pin-file', agent.pinFile]);
    await agent.must(['audit', 'verify']);
  });

  it('refuses a wrong passphrase and a slot that was written anew, and records nothing of them', async () => {
    await agent.begin(SERIAL, 'acme.example');
    expect((await agent.setUpSlot(...CONFIRMED)).status).toBe(0);
    await agent.must(['lock']);
    const wrong = await agent.unlockSlot(agent.writePin('wrong', `${PASSPHRASE}!`));
    expect([wrong.status, wrong.stderr]).toEqual([
      4,
      expect.stringContaining('the passphrase is wrong, or OTP slot 2'),
    ]);
    const short = await agent.unlockSlot(agent.writePin('short', 'too short'));
    expect([short.status, short.stderr]).toEqual([4, expect.stringContaining('12 to 128 characters')]);
    const slot = key.slot(2);
    key.program(2, { secret: Buffer.alloc(20, 1) });
    const other = await agent.unlockSlot();
    expect([other.status, other.stderr]).toEqual([4, expect.stringContaining('holds another secret')]);
    key.program(2, slot);
    expect((await agent.touchstone(['key', 'derive', 'docker.io/acme/app#cosign'])).status).toBe(4);
    expect((await agent.unlockSlot()).status).toBe(0);
    await agent.derive('docker.io/acme/app#cosign');
  });

  it('derives the published vectors from an adopted secret, also with a spare of another serial number', async () => {
    const file = JSON.parse(readFileSync(new URL('../vectors/derivation.json', import.meta.url), 'utf8')) as {
      readonly vectors: readonly {
        readonly backend: string;
        readonly algorithm: string;
        readonly secret: string;
        readonly passphrase: string;
        readonly public: string;
      }[];
    };
    const [vector] = file.vectors.filter(
      ({ backend, algorithm }) => backend === 'otp' && algorithm === 'ed25519',
    );
    const secret = Buffer.from(vector?.secret ?? '', 'hex');
    key.program(2, { secret });
    agent.writePin('passphrase', vector?.passphrase ?? '');
    await agent.begin(SERIAL, 'acme.example');
    expect((await agent.setUpSlot('--adopt')).status).toBe(0);
    expect(key.commands).not.toContain(CONFIGURE_SLOT_2);
    expect(anchorOf(agent).derivation.backup).toBe('imported');
    const leaf = await derived('git/alice#ssh~ed25519');
    const raw = rawFromSpki(Buffer.from(leaf.publicKey, 'base64')).raw.toString('hex');
    expect(raw).toBe(vector?.public);

    await agent.must(['lock']);
    await agent.stop();
    const spare = new VirtualOtpKey({ serial: 7_654_321 });
    spare.program(2, { secret });
    await using spareBed = await HidrawBed.start(spare);
    agent.configure((toml) =>
      toml
        .replace(`serial = ${SERIAL}`, 'serial = 7654321')
        .replace(bed.environment['UMOCKDEV_DIR'] ?? '', spareBed.environment['UMOCKDEV_DIR'] ?? ''),
    );
    await agent.start();
    expect((await agent.unlockSlot()).status).toBe(0);
    const shown = JSON.parse(
      await agent.must(['key', 'show', 'git/alice#ssh~ed25519', '--json']),
    ) as KeyShown;
    expect(shown.key).toMatchObject({ keyId: leaf.keyId, loaded: true });
  });

  it('does not adopt a slot of fixed length, and says which command writes it', async () => {
    key.program(2, { secret: Buffer.alloc(20, 3), variable: false });
    await agent.begin(SERIAL, 'acme.example');
    const result = await agent.setUpSlot('--adopt');
    expect([result.status, result.stderr]).toEqual([
      4,
      expect.stringContaining('touchstone token setup --otp'),
    ]);
    expect(result.stderr).toContain('variable length');
  });

  it('ends with the reason when nobody touches the key, and can be set up and used afterwards', async () => {
    await agent.begin(SERIAL, 'acme.example');
    key.fingerAfterMs = undefined;
    key.touchSeconds = 0.5;
    const late = await agent.setUpSlot(...CONFIRMED);
    expect([late.status, late.stderr]).toEqual([7, expect.stringContaining('not touched in time')]);
    key.fingerAfterMs = 100;
    expect((await agent.setUpSlot('--adopt')).status).toBe(0);
    key.fingerAfterMs = undefined;
    const derive = await agent.touchstone(['key', 'derive', 'docker.io/acme/app#cosign']);
    expect([derive.status, derive.stderr]).toEqual([7, expect.stringContaining('not touched in time')]);
    key.fingerAfterMs = 100;
    await agent.derive('docker.io/acme/app#cosign');
  });

  it('keeps root and slot apart: neither does the work of the other', async () => {
    await agent.begin(SERIAL, 'acme.example');
    const rootless = await agent.touchstone([
      ...['token', 'setup', '--token', 'slot', '--pin-file', agent.passphraseFile],
    ]);
    expect([rootless.status, rootless.stderr]).toEqual([
      1,
      expect.stringContaining('cannot hold the root key'),
    ]);
    expect((await agent.setUpSlot(...CONFIRMED)).status).toBe(0);
    await agent.must(['lock']);
    await agent.must(['unlock', '--token', 'release', '--pin-file', agent.pinFile]);
    expect((await agent.touchstone(['key', 'derive', 'docker.io/acme/app#cosign'])).status).toBe(4);
    const made = await agent.touchstone([
      ...[
        'key',
        'create',
        'docker.io/acme/app#cosign',
        '--token',
        'slot',
        '--pin-file',
        agent.passphraseFile,
      ],
    ]);
    expect([made.status, made.stderr]).toEqual([1, expect.stringContaining('an OTP slot derives')]);
  });

  it('wipes the leaves when the key is pulled out, where the configuration says so', async () => {
    await agent.begin(SERIAL, 'acme.example', ['on-removal = "lock"']);
    expect((await agent.setUpSlot(...CONFIRMED)).status).toBe(0);
    await agent.derive('docker.io/acme/app#cosign');
    await bed.unplug();
    const loaded = async (): Promise<boolean> =>
      (await agent.must(['key', 'show', 'docker.io/acme/app#cosign', '--json'])).includes('"loaded": true');
    while (await loaded()) await new Promise((resolve) => setTimeout(resolve, 100));
    await bed.plug();
    expect((await agent.unlockSlot()).status).toBe(0);
    expect(await loaded()).toBe(true);
  });
});
