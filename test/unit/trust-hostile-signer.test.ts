/** A signer who turns against the repository: what their key can publish ends nobody else's reading, and brings nothing old back. */
import { describe, expect, it } from 'vitest';
import { readEnvelope } from '../../src/formats/notary1/reader.js';
import { fileMetaOf } from '../../src/formats/notary1/writer.js';
import { signedTags } from '../../src/trust/approvals.js';
import type { Collection } from '../../src/trust/collection.js';
import { PassingMemory } from '../../src/trust/memory.js';
import { PinSet } from '../../src/trust/pins.js';
import { planTags } from '../../src/trust/tag-changes.js';
import { updateCollection } from '../../src/trust/update.js';
import { MadeRepository } from '../support/made-repository.js';
import { rejectionOf } from '../support/rejection.js';
import { SoftwareSigner } from '../support/software-signer.js';

const NAME = 'registry.example/acme/app';
const MIB = 1024 * 1024;
const alice = SoftwareSigner.make();
const mallory = SoftwareSigner.make();

function read(source: MadeRepository, memory = new PassingMemory()): Promise<Collection> {
  return updateCollection(source, { pins: new PinSet([], true), memory, nowMs: Date.now() });
}

function shared(): MadeRepository {
  return new MadeRepository(NAME)
    .delegate('targets/mallory', [mallory])
    .delegate('targets/alice', [alice])
    .sign('targets', 'v1', 'a')
    .sign('targets/alice', 'v1', 'a');
}

function expectOthersRead(view: Collection): void {
  expect(view.faults.get('targets/mallory')).toMatchObject({ problem: 'unreadable' });
  expect(view.warnings.join()).toContain('targets/mallory is left out');
  expect(signedTags(view).map(({ tag, approvals }) => [tag, ...approvals.map(({ role }) => role)])).toEqual([
    ['v1', 'targets/alice'],
  ]);
}

describe('a hostile signer', () => {
  it('with a target named __proto__ takes only the own delegation away', async () => {
    expectOthersRead(await read(shared().sign('targets/mallory', '__proto__', 'b').publish()));
  });

  it('does not make the owner sign an empty role over what cannot be read', async () => {
    const made = new MadeRepository(NAME).delegate('targets/releases', [mallory]);
    const base = await read(made.sign('targets/releases', '__proto__', 'b').publish());
    const target = { hashes: { sha256: 'a'.repeat(64) }, length: 423 };
    const options = { roles: ['targets/releases'], leave: [] };
    const planning = Promise.resolve().then(() =>
      planTags({ base, keys: [] }, [{ name: 'v2', target }], options),
    );
    expect((await rejectionOf(planning)).code).toBe('notary.document');
  });

  it('with paths without end takes only the own delegation away', async () => {
    const made = shared().delegate('targets/mallory/deep', [mallory], {
      paths: Array.from({ length: 1_001 }, (_, at) => `v${at}`),
    });
    expectOthersRead(await read(made.publish()));
  });

  it('with more bytes than are read takes only the own delegation away', async () => {
    const made = shared().publish();
    const file = made.files.get('snapshot') ?? Buffer.alloc(0);
    const meta = new Map(readEnvelope(file, 'snapshot').document.meta);
    const large = { ...fileMetaOf(Buffer.alloc(0)), length: 33 * MIB };
    made.seal(meta.set('targets/mallory', large));
    expectOthersRead(await read(made));
  });

  it('who delegates further without end is read in part', async () => {
    const made = shared();
    for (let at = 0; at < 1_001; at += 1) made.delegate(`targets/mallory/m${at}`, [mallory]);
    const view = await read(made.publish());
    expect(view.delegations.has('targets/alice')).toBe(true);
    expect([...view.delegations.keys()].filter((name) => name.startsWith('targets/mallory/'))).toHaveLength(
      100,
    );
    expect(view.warnings.join()).toContain('of what targets/mallory delegates further');
  });

  it('is named in errors without the characters that move a cursor', async () => {
    const made = new MadeRepository(NAME);
    made.role('targets').targets.set('a\u009b2J\u202e', { hashes: { sha256: 'ab' }, length: 1 });
    const { message } = await rejectionOf(read(made.publish()));
    expect(message).toContain('targets["a');
    expect(message).not.toMatch(/[\u0080-\u009f\u202e]/);
  });
});

describe('a delegation that is gone for a while', () => {
  it.each(['not-published', 'under-signed', 'unreadable'])(
    'and was %s does not come back older',
    async (how) => {
      const memory = new PassingMemory();
      const made = shared().publish();
      const old = readEnvelope(made.files.get('snapshot') ?? Buffer.alloc(0), 'snapshot').document.meta;
      await read(made.publish(), memory);
      const role = made.role('targets/alice');
      if (how === 'under-signed') role.signing = [mallory];
      if (how === 'unreadable') made.sign('targets/alice', '__proto__', 'c');
      await read(made.publish(how === 'not-published' ? { except: ['targets/alice'] } : {}), memory);
      const now = readEnvelope(made.files.get('snapshot') ?? Buffer.alloc(0), 'snapshot').document.meta;
      const older = old.get('targets/alice');
      if (older === undefined) throw new Error('alice was published');
      made.seal(new Map(now).set('targets/alice', older));
      expect((await rejectionOf(read(made, memory))).code).toBe('notary.rollback');
    },
  );
});
