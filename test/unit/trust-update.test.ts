/** Reading a repository: what is believed, what is refused and why, what is remembered. */
import { describe, expect, it } from 'vitest';
import { fileMetaOf } from '../../src/formats/notary1/writer.js';
import type { ErrorCode } from '../../src/errors/codes.js';
import { signedTags } from '../../src/trust/approvals.js';
import type { Collection } from '../../src/trust/collection.js';
import { PassingMemory } from '../../src/trust/memory.js';
import { PinSet } from '../../src/trust/pins.js';
import { updateCollection, type UpdateOptions } from '../../src/trust/update.js';
import { daysFromNow, MadeRepository } from '../support/made-repository.js';
import { rejectionOf } from '../support/rejection.js';
import { SoftwareSigner } from '../support/software-signer.js';

const NAME = 'registry.example/acme/app';
const TRUSTING = new PinSet([], true);
const DAY_MS = 86_400_000;

function read(source: MadeRepository, options: Partial<UpdateOptions> = {}): Promise<Collection> {
  const memory = options.memory ?? new PassingMemory();
  return updateCollection(source, { pins: TRUSTING, memory, nowMs: Date.now(), ...options });
}

async function refusal(source: MadeRepository, options: Partial<UpdateOptions> = {}): Promise<ErrorCode> {
  return (await rejectionOf(read(source, options))).code;
}

function tagsOf(collection: Collection): readonly string[] {
  return signedTags(collection).map(({ tag, digest }) => `${tag} ${digest.slice(7, 8)}`);
}

describe('a repository', () => {
  it('is read from the timestamp down, and every file below it by its checksum', async () => {
    const made = new MadeRepository(NAME).delegate('targets/alice', [SoftwareSigner.make()]);
    made.sign('targets', 'v1', 'a').publish();
    const view = await read(made);
    expect(tagsOf(view)).toEqual(['v1 a']);
    expect(made.asked.map((name) => name.replace(/[0-9a-f]{64}$/, 'SHA256'))).toEqual([
      'root',
      'timestamp',
      'snapshot.SHA256',
      'targets.SHA256',
      'targets/alice.SHA256',
    ]);
    expect(view.anchor).toBe('first-use');
    expect(view.warnings.join()).toContain('trusted because it is the first one seen');
  });

  it.each(['p256', 'p384', 'ed25519', 'rsa'] as const)('may have keys of %s', async (algorithm) => {
    const made = new MadeRepository(NAME);
    for (const role of [made.roles.snapshot, made.roles.timestamp, made.role('targets')]) {
      role.members = [SoftwareSigner.make(algorithm)];
    }
    made.sign('targets', 'v1', 'a').publish({ root: true });
    expect(tagsOf(await read(made))).toEqual(['v1 a']);
  });

  it('may not have an RSA key that is too short', async () => {
    const made = new MadeRepository(NAME);
    made.role('targets').members = [SoftwareSigner.make('short-rsa')];
    expect(await refusal(made.publish({ root: true }))).toBe('notary.threshold');
  });

  it.each(['root', 'timestamp', 'snapshot', 'targets'] as const)(
    'counts different keys for the threshold of %s',
    async (name) => {
      const made = new MadeRepository(NAME);
      const role = name === 'targets' ? made.role('targets') : made.roles[name];
      const make = (): SoftwareSigner =>
        name === 'root' ? SoftwareSigner.make().certified(NAME) : SoftwareSigner.make();
      role.members = [make(), make(), make()];
      role.threshold = 2;
      role.signing = role.members.slice(1);
      await read(made.publish({ root: true }));
      const [one] = role.members;
      role.signing = one === undefined ? [] : [one, one];
      expect(await refusal(made.publish({ root: true }))).toBe('notary.threshold');
    },
  );

  it('counts a key once, whatever certificates it comes in', async () => {
    const key = SoftwareSigner.make();
    const made = new MadeRepository(NAME, [key.certified(NAME), key.certified(NAME)]);
    made.roles.root.threshold = 2;
    expect(await refusal(made.publish({ root: true }))).toBe('notary.threshold');
  });

  it.each([
    ['timestamp', 15],
    ['snapshot', 1096],
    ['targets', 1096],
    ['root', 3651],
  ] as const)('is of no use with an expired %s, but for who renews it', async (role, days) => {
    const made = new MadeRepository(NAME);
    made.roles.timestamp.expires = daysFromNow(role === 'timestamp' ? 14 : 9_000);
    if (role === 'snapshot') made.role('targets').expires = daysFromNow(9_000);
    if (role === 'targets' || role === 'root') made.roles.snapshot.expires = daysFromNow(9_000);
    if (role === 'root') made.role('targets').expires = daysFromNow(9_000);
    made.publish();
    const nowMs = Date.now() + days * DAY_MS;
    expect(await refusal(made, { nowMs })).toBe('notary.expired');
    expect((await read(made, { nowMs, tolerateExpired: true })).expired).toEqual([role]);
  });

  it('that is not there is missing', async () => {
    const made = new MadeRepository(NAME);
    made.files.clear();
    expect(await refusal(made)).toBe('notary.missing');
  });

  it('is read again when somebody publishes in between', async () => {
    const made = new MadeRepository(NAME).sign('targets', 'v1', 'a').publish();
    let isFirst = true;
    made.onFetch = (name) => {
      if (name !== 'timestamp' || !isFirst) return;
      isFirst = false;
      made.roles.timestamp.members = [SoftwareSigner.make()];
      made.sign('targets', 'v2', 'b').publish({ root: true });
    };
    expect(tagsOf(await read(made))).toEqual(['v1 a', 'v2 b']);
  });
});

describe('a file that was changed', () => {
  it.each(['snapshot', 'targets', 'targets/alice'])('%s: is not the one that is listed', async (role) => {
    const made = new MadeRepository(NAME).delegate('targets/alice', [SoftwareSigner.make()]).publish();
    for (const [name, file] of made.files) {
      if (name.startsWith(`${role}.`)) made.files.set(name, Buffer.concat([file, Buffer.from('\n')]));
    }
    expect(await refusal(made)).toBe('notary.checksum');
  });

  it('root: is not the one that the snapshot lists', async () => {
    const made = new MadeRepository(NAME);
    const file = made.files.get('root') ?? Buffer.alloc(0);
    made.files.set('root', Buffer.concat([file, Buffer.from('\n')]));
    expect(await refusal(made)).toBe('notary.checksum');
  });

  it('is refused when it is not there at all', async () => {
    const made = new MadeRepository(NAME);
    for (const name of made.files.keys()) if (name.startsWith('targets.')) made.files.delete(name);
    expect(await refusal(made)).toBe('notary.checksum');
  });

  it('is refused when its length is another one, whatever its hash', async () => {
    const made = new MadeRepository(NAME);
    const meta = (name: string): ReturnType<typeof fileMetaOf> =>
      fileMetaOf(made.files.get(name) ?? Buffer.alloc(0));
    made.seal(
      new Map([
        ['root', meta('root')],
        ['targets', { ...meta('targets'), length: 1 }],
      ]),
    );
    expect(await refusal(made)).toBe('notary.checksum');
  });

  it.each(['root', 'targets'])('is refused when the snapshot does not list %s', async (role) => {
    const made = new MadeRepository(NAME);
    const meta = new Map(
      ['root', 'targets'].map((name) => [name, fileMetaOf(made.files.get(name) ?? Buffer.alloc(0))]),
    );
    meta.delete(role);
    made.seal(meta);
    expect(await refusal(made)).toBe('notary.document');
  });

  it.each(['timestamp', 'root'])('%s: a signature of nobody is not enough', async (name) => {
    const made = new MadeRepository(NAME);
    const role = name === 'root' ? made.roles.root : made.roles.timestamp;
    role.signing = [SoftwareSigner.make().certified(NAME)];
    expect(await refusal(made.publish({ root: name === 'root' }))).toBe('notary.threshold');
  });
});

describe('delegations', () => {
  const alice = SoftwareSigner.make();
  const bob = SoftwareSigner.make();

  it('are searched depth first, in the order of their parents', async () => {
    const made = new MadeRepository(NAME);
    for (const name of ['targets/b', 'targets/a', 'targets/b/y', 'targets/b/x', 'targets/b/y/z']) {
      made.delegate(name, [SoftwareSigner.make()]);
    }
    const { delegations } = await read(made.publish());
    expect([...delegations.keys()]).toEqual([
      'targets/b',
      'targets/b/y',
      'targets/b/y/z',
      'targets/b/x',
      'targets/a',
    ]);
  });

  it('that have expired vanish with a warning and all below them', async () => {
    const made = new MadeRepository(NAME)
      .delegate('targets/alice', [alice])
      .delegate('targets/alice/deep', [bob]);
    made.role('targets/alice').expires = daysFromNow(-1);
    const view = await read(made.sign('targets/alice', 'v1', 'a').publish());
    expect([view.delegations.size, view.faults.get('targets/alice')?.problem]).toEqual([0, 'expired']);
    expect(view.warnings.join()).toContain('targets/alice is left out');
    const healing = await read(made, { tolerateExpired: true });
    expect([...healing.delegations.keys()]).toEqual(['targets/alice', 'targets/alice/deep']);
  });

  it('that are under-signed vanish with a warning', async () => {
    const made = new MadeRepository(NAME).delegate('targets/alice', [alice, bob], { threshold: 2 });
    made.role('targets/alice').signing = [alice];
    const view = await read(made.publish());
    expect(view.faults.get('targets/alice')?.problem).toBe('under-signed');
    made.role('targets/alice').signing = [alice, bob];
    expect([...(await read(made.publish())).delegations.keys()]).toEqual(['targets/alice']);
  });

  it('that nobody has published are no fault of the rest', async () => {
    const made = new MadeRepository(NAME).delegate('targets/alice', [alice]).delegate('targets/bob', [bob]);
    const view = await read(made.publish({ except: ['targets/bob'] }));
    expect([...view.delegations.keys()]).toEqual(['targets/alice']);
    expect(view.faults.get('targets/bob')).toEqual({ problem: 'not-published' });
  });

  it('hold only tags below their paths, and give on no more than they have', async () => {
    const made = new MadeRepository(NAME)
      .delegate('targets/releases', [alice], { paths: ['v1', 'v2'] })
      .delegate('targets/releases/deep', [bob], { paths: ['v1.1', 'x', ''] });
    made.sign('targets/releases', 'v1', 'a').sign('targets/releases', 'w1', 'b');
    const view = await read(made.publish());
    expect(tagsOf(view)).toEqual(['v1 a']);
  });

  it('are of the role directly above them', async () => {
    const made = new MadeRepository(NAME).delegate('targets/alice', [alice]).publish();
    const targets = made.role('targets');
    made.targets.delete('targets/alice');
    made.delegate('targets/alice/deep', [bob]).publish();
    expect(targets.version).toBe(3);
    expect((await read(made)).delegations.size).toBe(0);
  });
});

describe('memory', () => {
  it('does not take an older version', async () => {
    const made = new MadeRepository(NAME).publish();
    const memory = new PassingMemory();
    const before = new Map(made.files);
    await read(made.publish(), { memory });
    made.files.clear();
    for (const [name, file] of before) made.files.set(name, file);
    expect(await refusal(made, { memory })).toBe('notary.rollback');
    await read(made);
  });

  it('does not take another content of a version', async () => {
    const made = new MadeRepository(NAME).publish();
    const memory = new PassingMemory();
    await read(made, { memory });
    made.roles.timestamp.version -= 1;
    made.roles.timestamp.expires = daysFromNow(13);
    made.roles.snapshot.version -= 1;
    made.role('targets').version -= 1;
    expect(await refusal(made.publish(), { memory })).toBe('notary.rollback');
  });

  it.each(['targets', 'targets/alice', 'snapshot'])(
    'notices that %s is rolled back below a new timestamp',
    async (name) => {
      const made = new MadeRepository(NAME)
        .delegate('targets/alice', [SoftwareSigner.make()])
        .publish()
        .publish();
      const memory = new PassingMemory();
      await read(made, { memory });
      if (name === 'snapshot') made.roles.snapshot.version -= 2;
      else made.role(name).version -= 2;
      expect(await refusal(made.publish(), { memory })).toBe('notary.rollback');
    },
  );

  it('begins anew for a role whose keys were replaced', async () => {
    const alice = SoftwareSigner.make();
    const made = new MadeRepository(NAME).delegate('targets/alice', [alice]).publish().publish();
    const memory = new PassingMemory();
    await read(made, { memory });
    made.targets.delete('targets/alice');
    made.delegate('targets/alice', [SoftwareSigner.make()]).publish();
    expect((await read(made, { memory })).delegations.get('targets/alice')?.document.version).toBe(1);
  });

  it('remembers a rotation even when the rest does not verify', async () => {
    const made = new MadeRepository(NAME);
    const memory = new PassingMemory();
    await read(made, { memory });
    const before = new Map(made.files);
    made.rotateRoot([SoftwareSigner.make().certified(NAME)]);
    made.files.delete('timestamp');
    expect(await refusal(made, { memory })).toBe('notary.missing');
    for (const [name, file] of before) made.files.set(name, file);
    expect(await refusal(made, { memory })).toBe('notary.rollback');
  });

  it('does not believe a first root that leads nowhere', async () => {
    const made = new MadeRepository(NAME);
    const memory = new PassingMemory();
    made.files.delete('timestamp');
    await rejectionOf(read(made, { memory }));
    expect(memory.load(NAME)).toBeUndefined();
  });
});
