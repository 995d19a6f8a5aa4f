/** One derivation key in two tokens, a SoftHSM token and a YubiKey: the repository keys are the same. */
import { p256 } from '@noble/curves/nist.js';
import { describe, expect, it } from 'vitest';
import type { DemoAgent } from '../support/demo-agent.js';
import { agentOver } from '../support/own-token-agent.js';
import { ownedCard, PivAgent } from '../support/piv-agent.js';
import { flags, SoftHsmDirect } from '../support/softhsm-direct.js';
import { SoftHsmStore } from '../support/softhsm-store.js';
import { ALGORITHM, ecKey } from '../support/virtual-yubikey/card-key.js';
import { YubiKeyDesk } from '../support/virtual-yubikey/virtual-yubikey.js';

const DOMAIN = 'acme.example';
const NAMES = [
  'docker.io/acme/app#cosign',
  'docker.io/acme/app#targets',
  'docker.io/acme/app#ssh~ed25519',
  'ghcr.io/acme/other#cosign:3',
];

async function leaves(agent: DemoAgent): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of NAMES) {
    const shown = JSON.parse(await agent.must(['key', 'derive', name, '--json'])) as {
      readonly key: { readonly publicKey: string };
    };
    found.push(shown.key.publicKey);
  }
  return found;
}

function named(label: string): { readonly id: string; readonly label: string } {
  return { id: Buffer.from(label).toString('hex'), label };
}

/** A SoftHSM token with this derivation key, and some root. */
function imported(store: SoftHsmStore, scalar: Buffer): void {
  using direct = new SoftHsmDirect(store, 'twin');
  const held = { sensitive: true, extractable: false };
  const root = Buffer.from(p256.utils.randomSecretKey());
  const keys = [
    ['touchstone-root', root, flags({ ...held, sign: true, derive: false })],
    ['touchstone-derivation', scalar, flags({ ...held, sign: false, derive: true })],
  ] as const;
  for (const [label, secret, attributes] of keys)
    direct.importEc(named(label), secret, Buffer.from(p256.getPublicKey(secret, false)), attributes);
}

describe('a derivation key that was imported twice', () => {
  it('gives the same leaves out of SoftHSM and out of slot 82', async () => {
    const scalar = Buffer.from(p256.utils.randomSecretKey());
    using store = new SoftHsmStore('twin');
    imported(store, scalar);
    await using software = await agentOver({ name: 'twin', store });
    software.configure((toml) => toml.replace(/^domain = .*$/m, `domain = "${DOMAIN}"`));
    await software.start();
    await software.must(['token', 'setup', '--adopt', '--pin-file', software.pinFile]);
    const fromSoftware = await leaves(software);

    const derivation = ecKey(ALGORITHM.p256, scalar);
    const card = ownedCard({ derivation, origin: 'imported', derivationTouch: 'cached' });
    await using desk = await YubiKeyDesk.start([card]);
    await using agent = new PivAgent();
    await agent.begin(desk, [], DOMAIN);
    expect((await agent.adoptTouched()).status).toBe(0);
    const fromCard = await leaves(agent);

    expect(fromCard).toEqual(fromSoftware);
    expect(new Set(fromCard).size).toBe(NAMES.length);
    expect(card.counters.agreements.get(0x82)).toBeGreaterThanOrEqual(NAMES.length);
  });
});
