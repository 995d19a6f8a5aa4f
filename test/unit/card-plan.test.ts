/** What a set-up does with a card, settled from what the card says and what an earlier one has noted. */
import { describe, expect, it } from 'vitest';
import { keyIdOf } from '../../src/crypto/key-id.js';
import { AgentError } from '../../src/errors/agent-error.js';
import { planCard, requireAgreed, type FoundCard } from '../../src/keeper/card-plan.js';
import { ALGORITHM, generateKey } from '../support/virtual-yubikey/card-key.js';

const FRESH = { isFactory: true, triesLeft: 3 } as const;
const OWNED = { isFactory: false, triesLeft: 3 } as const;
const SPKI = generateKey(ALGORITHM.p256).publicKey.export({ type: 'spki', format: 'der' });
const EMPTY = { content: 'empty' } as const;
const MADE = {
  content: 'key',
  publicKey: SPKI.toString('base64'),
  policies: { pin: 'once', touch: 'always' },
  isImported: false,
  attestation: 'MAA=',
} as const;

function card(state: Partial<FoundCard['state']> = {}, rest: Partial<FoundCard> = {}): FoundCard {
  return {
    state: {
      serial: '7',
      firmware: '5.7.1',
      pin: FRESH,
      puk: FRESH,
      management: { algorithm: 'aes-192', isFactory: true, isStored: false },
      device: 'MAA=',
      ...state,
    },
    root: { id: '9c', label: 'slot 9c', ...EMPTY },
    derivation: { id: '82', label: 'slot 82', ...EMPTY },
    vendor: { sha256: 'ab'.repeat(32), vendor: 'yubico' },
    made: {},
    ...rest,
  };
}

/** A card with this in 9C. */
function withRoot(root: Omit<FoundCard['root'], 'id' | 'label'>, made: FoundCard['made'] = {}): FoundCard {
  return card({}, { root: { id: '9c', label: 'slot 9c', ...root }, made });
}

function codesOf(found: FoundCard): readonly string[] {
  return planCard('release', found, {}).refusals.map(({ code }) => code);
}

describe('a card from the factory', () => {
  it('has everything changed and made, without a doubt', () => {
    expect(planCard('release', card(), {})).toEqual({
      token: 'release',
      serial: '7',
      firmware: '5.7.1',
      pin: 'change',
      puk: 'change',
      managementKey: 'change',
      root: { slot: '9c', action: 'make', pin: 'once', touch: 'always' },
      derivation: { slot: '82', action: 'make', pin: 'once', touch: 'cached' },
      vendor: 'yubico',
      warnings: [],
      refusals: [],
    });
  });

  it('gets the touch policies that were asked for', () => {
    const plan = planCard('release', card(), { rootTouch: 'cached', derivationTouch: 'never' });
    expect([plan.root.touch, plan.derivation.touch, plan.warnings]).toEqual([
      'cached',
      'never',
      ['without-touch'],
    ]);
  });
});

describe('PIN, PUK and management key that somebody has changed', () => {
  it('stay', () => {
    const management = { algorithm: '3des', isFactory: false, isStored: true };
    const plan = planCard('release', card({ pin: OWNED, puk: OWNED, management }), {});
    expect([plan.pin, plan.puk, plan.managementKey, plan.refusals]).toEqual(['enter', 'keep', 'use', []]);
  });

  it('are in the way when the management key is nowhere', () => {
    expect(codesOf(card({ management: { algorithm: '3des', isFactory: false, isStored: false } }))).toEqual([
      'token.management-key',
    ]);
  });

  it('leave a blocked PUK as it is, and a blocked PIN in the way', () => {
    const plan = planCard('release', card({ puk: { isFactory: true, triesLeft: 0 } }), {});
    expect([plan.puk, plan.refusals]).toEqual(['keep', []]);
    expect(codesOf(card({ pin: { isFactory: false, triesLeft: 0 } }))).toEqual(['token.pin-locked']);
  });
});

describe('firmware', () => {
  const warningsOf = (firmware: string): readonly string[] =>
    planCard('release', card({ firmware }), {}).warnings;

  it.each([
    ['4.2.5', ['ecdsa-side-channel', 'hidden-keys']],
    ['4.2.6', ['ecdsa-side-channel', 'roca', 'hidden-keys']],
    ['4.3.4', ['ecdsa-side-channel', 'roca', 'hidden-keys']],
    ['4.3.5', ['ecdsa-side-channel', 'hidden-keys']],
    ['5.2.7', ['ecdsa-side-channel', 'hidden-keys']],
    ['5.4.3', ['ecdsa-side-channel']],
    ['5.6.9', ['ecdsa-side-channel']],
    ['5.7.0', []],
    ['5.10.1', []],
  ])('%s is warned of with %j', (firmware, expected) => {
    expect(warningsOf(firmware)).toEqual(expected);
  });

  it('that tells nothing has to be prepared by other means', () => {
    const management = { algorithm: '3des', isStored: false };
    const found = card({ firmware: '5.2.7', pin: undefined, puk: undefined, management });
    const plan = planCard('release', found, {});
    expect([plan.pin, plan.puk, plan.warnings.includes('puk-unknown')]).toEqual(['enter', 'unknown', true]);
    expect(plan.refusals[0]?.hint).toContain('change-pin');
    const prepared = card({ firmware: '5.2.7', management: { algorithm: '3des', isStored: true } });
    expect(codesOf(prepared)).toEqual([]);
  });
});

describe('a slot in use', () => {
  it.each([
    ['a key of somebody', MADE, {}, 'replace'],
    ['the key that was noted', MADE, { '9c': keyIdOf(SPKI) }, 'keep'],
    ['the key that was about to be made', MADE, { '9c': 'begun' }, 'keep'],
    ['another key than was noted', MADE, { '9c': 'ab'.repeat(32) }, 'replace'],
    ['a key noted for another slot', MADE, { '82': keyIdOf(SPKI) }, 'replace'],
    ['an imported key', { ...MADE, isImported: true, attestation: undefined }, { '9c': 'begun' }, 'replace'],
    [
      'a key with another policy',
      { ...MADE, policies: { pin: 'once', touch: 'never' } },
      { '9c': 'begun' },
      'replace',
    ],
    ['a certificate', { content: 'certificate', publicKey: MADE.publicKey }, { '9c': 'begun' }, 'replace'],
  ] as const)('with %s', (_what, root, made, action) => {
    const plan = planCard('release', withRoot(root, made), {});
    expect(plan.root.action).toBe(action);
    const agree = (serial: string | undefined) => () => {
      requireAgreed(plan, { serial, hasPhrase: false });
    };
    if (action === 'keep') expect(agree(undefined)).not.toThrow();
    else {
      expect(agree(undefined)).toThrow('slot 9c is in use');
      expect(agree('8')).toThrow(expect.objectContaining({ code: 'token.object-exists' }));
      expect(agree('7')).not.toThrow();
    }
  });
});

describe('keys that are taken as they are', () => {
  it('need a touch, or somebody who types what it means', () => {
    const derivation = { id: '82', label: 'slot 82', ...MADE } as const;
    const touching = planCard('release', card({}, { derivation }), { adopt: true });
    expect([touching.pin, touching.managementKey, touching.derivation]).toEqual([
      'enter',
      undefined,
      { slot: '82', action: 'adopt', pin: 'once', touch: 'always' },
    ]);
    for (const policies of [{ pin: 'once', touch: 'never' } as const, undefined]) {
      const plan = planCard('release', card({}, { derivation: { ...derivation, policies } }), {
        adopt: true,
      });
      expect(plan.warnings).toContain('without-touch');
      expect(() => {
        requireAgreed(plan, { serial: undefined, hasPhrase: false });
      }).toThrow(expect.objectContaining({ code: 'token.without-touch' }));
      requireAgreed(plan, { serial: undefined, hasPhrase: true });
    }
  });
});

describe('the attestation of the card', () => {
  it('is in the way when it does not hold, also for keys that are taken', () => {
    const vendor = new AgentError('token.attestation', { message: 'checking it: no' });
    for (const adopt of [false, true]) {
      const plan = planCard('release', card({}, { vendor }), { adopt });
      expect([plan.vendor, plan.refusals.map(({ code }) => code)]).toEqual([
        'unchecked',
        ['token.attestation'],
      ]);
    }
  });

  it('is missed only where keys are made', () => {
    const found = card({ device: undefined }, { vendor: undefined });
    expect(codesOf(found)).toEqual(['token.attestation']);
    const adopted = planCard('release', found, { adopt: true });
    expect([adopted.refusals, adopted.warnings.includes('attestation-unchecked')]).toEqual([[], true]);
  });
});
