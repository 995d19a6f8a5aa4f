/** Which root is believed: pins, first use, rotations, and the certificates that real repositories have. */
import { describe, expect, it } from 'vitest';
import { X509Certificate } from 'node:crypto';
import type { ErrorCode } from '../../src/errors/codes.js';
import type { Collection } from '../../src/trust/collection.js';
import { PassingMemory } from '../../src/trust/memory.js';
import { PinSet, type Pin } from '../../src/trust/pins.js';
import { updateCollection, type UpdateOptions } from '../../src/trust/update.js';
import { daysFromNow, MadeRepository } from '../support/made-repository.js';
import { rejectionOf } from '../support/rejection.js';
import { SoftwareSigner, type CertificateOptions } from '../support/software-signer.js';

const NAME = 'registry.example/acme/app';
const TRUSTING = new PinSet([], true);
const DAY_MS = 86_400_000;

function root(name = NAME, options: CertificateOptions = {}): SoftwareSigner {
  return SoftwareSigner.make().certified(name, options);
}

function pinned(...pins: readonly Pin[]): PinSet {
  return new PinSet(pins, false);
}

function read(source: MadeRepository, options: Partial<UpdateOptions> = {}): Promise<Collection> {
  const memory = options.memory ?? new PassingMemory();
  return updateCollection(source, { pins: TRUSTING, memory, nowMs: Date.now(), ...options });
}

async function refusal(source: MadeRepository, options: Partial<UpdateOptions> = {}): Promise<ErrorCode> {
  return (await rejectionOf(read(source, options))).code;
}

describe('pins', () => {
  it('take the certificate that is named and no other', async () => {
    const own = root();
    const made = new MadeRepository(NAME, [own]);
    const view = await read(made, { pins: pinned({ repository: NAME, certificates: [own.id] }) });
    expect([view.anchor, view.warnings]).toEqual([`certificate ${own.id}`, []]);
    const other = pinned({ repository: NAME, certificates: [root().id] });
    expect(await refusal(made, { pins: other })).toBe('notary.pin');
    const canonical = pinned({ repository: NAME, certificates: [own.canonicalId] });
    expect(await refusal(made, { pins: canonical })).toBe('notary.pin');
  });

  it('are not met by a pinned certificate that did not sign', async () => {
    const own = root();
    const evil = root();
    const made = new MadeRepository(NAME, [own, evil]);
    made.roles.root.signing = [evil];
    made.publish({ root: true });
    made.files.delete('1.root');
    expect(await refusal(made, { pins: pinned({ repository: NAME, certificates: [own.id] }) })).toBe(
      'notary.pin',
    );
  });

  it('of a root that two have to sign ask for both when both are pinned', async () => {
    const keys = [root(), root(), root()];
    const made = new MadeRepository(NAME, keys);
    made.roles.root.threshold = 2;
    made.roles.root.signing = keys.slice(1);
    made.publish({ root: true });
    made.files.delete('1.root');
    const ids = keys.map(({ id }) => id);
    const pins = (...certificates: string[]): PinSet => pinned({ repository: NAME, certificates });
    expect(await refusal(made, { pins: pins(...ids.slice(0, 2)) })).toBe('notary.pin');
    await read(made, { pins: pins(...ids.slice(1)) });
    await read(made, { pins: pins(...ids.slice(2)) });
  });

  it.each([
    ['Registry.Example/Acme/App', 'Registry.Example/Acme/App'],
    ['Registry.Example/Acme/App', 'Registry.Example/*'],
  ])('go by capitals: %s is pinned as %s', async (name, pattern) => {
    const own = root(name);
    const made = new MadeRepository(name, [own]);
    await read(made, { pins: pinned({ repository: pattern, certificates: [own.id] }) });
    const lower = pinned({ repository: pattern.toLowerCase(), certificates: [own.id] });
    expect(await refusal(made, { pins: lower })).toBe('notary.pin');
  });

  it('for the name go before those for prefixes, certificates before authorities, long before short', () => {
    const authority = new X509Certificate(SoftwareSigner.make().certificate('ca', { profile: 'authority' }));
    const pins: readonly Pin[] = [
      { repository: 'r.example/*', certificates: ['a'] },
      { repository: 'r.example/acme/*', certificates: ['b'] },
      { repository: 'r.example/acme/app', authorities: [authority] },
      { repository: 'r.example/acme/app', certificates: ['c'] },
      { repository: 'q.example/*', authorities: [authority] },
      { repository: 'q.example/acme/app', authorities: [authority] },
    ];
    const find = (name: string): string | undefined => {
      const pin = new PinSet(pins, false).find(name);
      return pin && `${pin.repository} ${'certificates' in pin ? pin.certificates.join() : 'ca'}`;
    };
    expect(find('r.example/acme/app')).toBe('r.example/acme/app c');
    expect(find('r.example/acme/other')).toBe('r.example/acme/* b');
    expect(find('r.example/other')).toBe('r.example/* a');
    expect(find('q.example/acme/app')).toBe('q.example/acme/app ca');
    expect(find('q.example/x')).toBe('q.example/* ca');
    expect(find('p.example/x')).toBeUndefined();
  });

  describe('of an authority', () => {
    const ca = SoftwareSigner.make();
    const caPem = ca.certificate('acme ca', { profile: 'authority' });
    const pins = pinned({ repository: 'registry.example/*', authorities: [new X509Certificate(caPem)] });

    it('take what it issued', async () => {
      const direct = root(NAME, { issuer: ca, issuerName: 'acme ca' });
      await read(new MadeRepository(NAME, [direct]), { pins });
    });

    it('refuse what stands lower than its path length allows', async () => {
      const middle = SoftwareSigner.make();
      const chain = middle.certificate('middle', { profile: 'authority', issuer: ca, issuerName: 'acme ca' });
      const below = root(NAME, { issuer: middle, issuerName: 'middle', chain });
      expect(await refusal(new MadeRepository(NAME, [below]), { pins })).toBe('notary.pin');
    });

    it('refuse a certificate for code signing, as the notary client makes and refuses them', async () => {
      const leaf = root(NAME, { issuer: ca, issuerName: 'acme ca', profile: 'leaf' });
      expect(await refusal(new MadeRepository(NAME, [leaf]), { pins })).toBe('notary.pin');
    });

    it.each<readonly [string, CertificateOptions]>([
      ['itself', {}],
      ['somebody with its name', { issuer: SoftwareSigner.make(), issuerName: 'acme ca' }],
      ['nobody: the signature is broken', { issuer: ca, issuerName: 'acme ca', brokenSignature: true }],
    ])('refuse what was issued by %s', async (_, options) => {
      const made = new MadeRepository(NAME, [root(NAME, options)]);
      expect(await refusal(made, { pins })).toBe('notary.pin');
    });

    it('refuse what a certificate that is no authority issued', async () => {
      const middle = SoftwareSigner.make();
      const chain = middle.certificate('middle', { issuer: ca, issuerName: 'acme ca' });
      const below = root(NAME, { issuer: middle, issuerName: 'middle', chain });
      expect(await refusal(new MadeRepository(NAME, [below]), { pins })).toBe('notary.pin');
    });

    it('refuse everything once it has expired', async () => {
      const leaf = root(NAME, { issuer: ca, issuerName: 'acme ca', days: 9_000 });
      const made = new MadeRepository(NAME, [leaf]);
      const options = { pins, nowMs: Date.now() + 4_000 * DAY_MS, tolerateExpired: true };
      expect(await refusal(made, options)).toBe('notary.pin');
    });
  });
});

describe('first use', () => {
  it('is refused where it is switched off, also for what was once seen', async () => {
    const made = new MadeRepository(NAME);
    const memory = new PassingMemory();
    const pins = pinned();
    expect(await refusal(made, { pins, memory })).toBe('notary.pin');
    await read(made, { memory });
    expect(await refusal(made, { pins, memory })).toBe('notary.pin');
  });

  it('warns once; what was seen is the anchor from then on', async () => {
    const made = new MadeRepository(NAME);
    const memory = new PassingMemory();
    expect((await read(made, { memory })).warnings).toHaveLength(1);
    expect((await read(made, { memory })).warnings).toEqual([]);
    const other = new MadeRepository(NAME);
    expect(await refusal(other, { memory })).toBe('notary.rollback');
  });

  it('gives way to a pin: also for a repository that was made anew', async () => {
    const memory = new PassingMemory();
    await read(new MadeRepository(NAME).publish().publish(), { memory });
    const own = root();
    const pins = pinned({ repository: NAME, certificates: [own.id] });
    const view = await read(new MadeRepository(NAME, [own]), { memory, pins });
    expect(view.targets.document.version).toBe(1);
    expect(memory.load(NAME)?.anchor).toBe(`certificate ${own.id}`);
  });
});

it('a new pin that fits what was seen does not forget it', async () => {
  const own = root();
  const made = new MadeRepository(NAME, [own]);
  const before = new Map(made.files);
  const memory = new PassingMemory();
  await read(made.publish({ root: true }), { memory });
  for (const [name, file] of before) made.files.set(name, file);
  const pins = pinned({ repository: NAME, certificates: [own.id] });
  expect(await refusal(made, { memory, pins })).toBe('notary.rollback');
});

describe('rotations', () => {
  it('are followed one by one, from what was seen and from an old pin', async () => {
    const first = root();
    const made = new MadeRepository(NAME, [first]);
    const memory = new PassingMemory();
    await read(made, { memory });
    for (let round = 0; round < 3; round += 1) made.rotateRoot([root()]);
    made.asked.length = 0;
    expect((await read(made, { memory })).root.document.version).toBe(4);
    expect(made.asked.filter((name) => name.endsWith('root'))).toEqual(['root', '2.root', '3.root']);
    const pins = pinned({ repository: NAME, certificates: [first.id] });
    expect((await read(made, { pins })).root.document.version).toBe(4);
  });

  it('may drop the old certificate', async () => {
    const made = new MadeRepository(NAME);
    const memory = new PassingMemory();
    await read(made, { memory });
    made.rotateRoot([root()]);
    made.keptRoots = [];
    made.publish({ root: true });
    expect((await read(made, { memory })).root.document.keys.size).toBe(4);
  });

  it('need enough of the keys before them', async () => {
    const old = [root(), root()];
    const made = new MadeRepository(NAME, old);
    made.roles.root.threshold = 2;
    const memory = new PassingMemory();
    await read(made.publish({ root: true }), { memory });
    const next = root();
    made.roles.root = { ...made.roles.root, members: [next], threshold: 1, signing: [next, ...old.slice(1)] };
    made.keptRoots = old;
    expect(await refusal(made.publish({ root: true }), { memory })).toBe('notary.threshold');
    await read(made);
  });

  it('need enough of their own keys', async () => {
    const first = root();
    const made = new MadeRepository(NAME, [first]);
    const memory = new PassingMemory();
    await read(made, { memory });
    made.roles.root = { ...made.roles.root, members: [root()], signing: [first] };
    made.keptRoots = [first];
    expect(await refusal(made.publish({ root: true }), { memory })).toBe('notary.threshold');
  });

  it('cannot leave one out', async () => {
    const made = new MadeRepository(NAME);
    const memory = new PassingMemory();
    await read(made, { memory });
    made.rotateRoot([root()]).rotateRoot([root()]);
    made.files.delete('2.root');
    expect(await refusal(made, { memory })).toBe('notary.document');
  });

  it('are not undone by an older root', async () => {
    const made = new MadeRepository(NAME);
    const before = new Map(made.files);
    const memory = new PassingMemory();
    await read(made.rotateRoot([root()]), { memory });
    for (const [name, file] of before) made.files.set(name, file);
    expect(await refusal(made, { memory })).toBe('notary.rollback');
  });

  it('may pass over roots that have expired since', async () => {
    const made = new MadeRepository(NAME);
    const memory = new PassingMemory();
    await read(made, { memory });
    made.roles.root.expires = daysFromNow(-1);
    made.rotateRoot([root()]);
    made.roles.root.expires = daysFromNow(100);
    made.rotateRoot([root()]);
    expect((await read(made, { memory })).root.document.version).toBe(3);
  });
});

describe('root certificates', () => {
  it.each<readonly [string, SoftwareSigner]>([
    ['a wildcard', root('registry.example/acme/*')],
    ['a broken signature of its own', root(NAME, { brokenSignature: true })],
    ['a P-384 key', SoftwareSigner.make('p384').certified(NAME)],
    ['an RSA key', SoftwareSigner.make('rsa').certified(NAME)],
    ['little time left', root(NAME, { days: 100 })],
  ])('may have %s', async (_, signer) => {
    await read(new MadeRepository(NAME, [signer]));
  });

  it('warn when there is little time left', async () => {
    const { warnings } = await read(new MadeRepository(NAME, [root(NAME, { days: 100 })]));
    expect(warnings.join()).toContain('the root certificate of registry.example/acme/app expires on');
  });

  it.each<readonly [string, ErrorCode, SoftwareSigner]>([
    ['for another repository', 'notary.pin', root('registry.example/acme/other')],
    ['for another prefix', 'notary.pin', root('registry.example/acme/b*')],
    ['that has expired', 'notary.expired', root(NAME, { days: -1 })],
    [
      'that is not valid yet',
      'notary.document',
      root(NAME, { notBefore: new Date(Date.now() + 3 * DAY_MS) }),
    ],
    ['of an authority', 'notary.document', root(NAME, { profile: 'authority' })],
    ['that is none: a bare key', 'notary.document', SoftwareSigner.make()],
  ])('are refused when they are %s', async (_, code, signer) => {
    expect(await refusal(new MadeRepository(NAME, [signer]))).toBe(code);
  });

  it('that have expired may be renewed', async () => {
    const made = new MadeRepository(NAME, [root(NAME, { days: -1 })]);
    await read(made, { tolerateExpired: true });
  });
});
