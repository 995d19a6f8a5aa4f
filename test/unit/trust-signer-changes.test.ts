/** Signers who may sign only some names, and single keys that leave every role: what a publish changes, before anybody signs it. */
import { describe, expect, it } from 'vitest';
import { planKeyPurge } from '../../src/trust/key-purge.js';
import type { Draft, PublishedState } from '../../src/trust/draft.js';
import { PassingMemory } from '../../src/trust/memory.js';
import { PinSet } from '../../src/trust/pins.js';
import type { RoleKey } from '../../src/trust/role-signer.js';
import { planSignerAdd } from '../../src/trust/signer-changes.js';
import { planTags } from '../../src/trust/tag-changes.js';
import { updateCollection } from '../../src/trust/update.js';
import { readNameAndRepositories } from '../../src/cli/several-repositories.js';
import { MadeRepository } from '../support/made-repository.js';
import { SoftwareSigner } from '../support/software-signer.js';

const REPOSITORY = 'registry.example/acme/app';
const RELEASES = 'targets/releases';
const target = { hashes: { sha256: 'ab'.repeat(32) }, length: 1 };

function read(made: MadeRepository): Promise<PublishedState> {
  const pins = new PinSet([], true);
  return updateCollection(made, { pins, memory: new PassingMemory(), nowMs: Date.now() });
}

function keyFor(role: string, signer: SoftwareSigner): RoleKey {
  return { name: `${REPOSITORY}#${role}`, role, key: signer.key, canonicalId: signer.canonicalId };
}

function keysOf(made: MadeRepository, ...roles: readonly string[]): readonly RoleKey[] {
  return roles.flatMap((role) => made.role(role).members.map((member) => keyFor(role, member)));
}

function members(draft: Draft, role: string): readonly string[] {
  return [...draft.membersOf(role).keyids].sort();
}

const owner = keyFor(RELEASES, SoftwareSigner.make());

describe('a signer with paths', () => {
  it('comes without the right to release, which is said', async () => {
    const made = new MadeRepository(REPOSITORY).delegate(RELEASES, [SoftwareSigner.make()]).publish();
    const docs = SoftwareSigner.make();
    const input = { base: await read(made), keys: keysOf(made, 'targets') };
    const signer = { name: 'docs', keys: [docs.key], releaseKeys: [docs.key], paths: ['docs/', 'man/'] };
    const draft = planSignerAdd(input, signer, owner);
    const roles = draft.targetsOf('targets')?.delegations.roles ?? [];
    expect(roles.find(({ name }) => name === 'targets/docs')).toEqual({
      name: 'targets/docs',
      keyids: [docs.id],
      threshold: 1,
      paths: ['docs/', 'man/'],
    });
    expect(members(draft, RELEASES)).not.toContain(docs.id);
    expect([...draft.changedTargets.keys()]).toEqual(['targets']);
    expect(draft.notes.join('\n')).toMatch(/begin with docs\/ or man\/, and releases nothing[^]*docker/);
  });

  it('is neither widened nor narrowed by the way', async () => {
    const made = new MadeRepository(REPOSITORY)
      .delegate('targets/docs', [SoftwareSigner.make()], { paths: ['docs/'] })
      .delegate('targets/alice', [SoftwareSigner.make()])
      .publish();
    const input = { base: await read(made), keys: keysOf(made, 'targets') };
    const key = SoftwareSigner.make().key;
    const add = (name: string, paths: readonly string[]): Draft =>
      planSignerAdd(input, { name, keys: [key], releaseKeys: [key], paths }, owner);
    expect(() => add('docs', [])).toThrow(/only names that begin with docs\//);
    expect(() => add('alice', ['docs/'])).toThrow(/may hold every name/);
    const more = add('docs', ['man/']).targetsOf('targets')?.delegations.roles;
    expect(more?.find(({ name }) => name === 'targets/docs')?.paths).toEqual(['docs/', 'man/']);
  });

  it('does not sign what readers would pass over', async () => {
    const made = new MadeRepository(REPOSITORY)
      .delegate('targets/docs', [SoftwareSigner.make()], { paths: ['docs/'] })
      .delegate('targets/docs/guide', [SoftwareSigner.make()])
      .publish();
    const input = { base: await read(made), keys: keysOf(made, 'targets/docs', 'targets/docs/guide') };
    const sign = (name: string, role: string): Draft =>
      planTags(input, [{ name, target }], { roles: [role], leave: [] });
    for (const role of ['targets/docs', 'targets/docs/guide']) {
      expect(sign('docs/a', role).targetsOf(role)?.targets.has('docs/a')).toBe(true);
      expect(() => sign('v1', role)).toThrow(/may hold only names/);
      // What stands there by mistake may go.
      expect(planTags(input, [{ name: 'v1', target: undefined }], { roles: [role], leave: [] }).isEmpty).toBe(
        true,
      );
    }
  });
});

describe('a key', () => {
  it('leaves every role, and what it alone has released is signed anew', async () => {
    const [lost, alice, bob] = [SoftwareSigner.make(), SoftwareSigner.make(), SoftwareSigner.make()];
    const made = new MadeRepository(REPOSITORY)
      .delegate('targets/alice', [alice, lost])
      .delegate('targets/bob', [bob])
      .delegate('targets/bob/nested', [SoftwareSigner.make(), lost])
      .delegate(RELEASES, [lost])
      .sign(RELEASES, 'v1', 'a')
      .sign('targets/alice', 'v1', 'a');
    made.role('targets/alice').signing = [lost];
    made.publish();
    const base = await read(made);
    const purge = (id: string, keys: readonly RoleKey[], leave: readonly string[] = []): Draft =>
      planKeyPurge({ base, keys }, { id, owner, leave });
    const ours = keysOf(made, 'targets');
    expect(() => purge(lost.canonicalId, ours)).toThrow(/targets\/bob gives the key to targets\/bob\/nested/);
    const left = purge(lost.canonicalId, ours, ['targets/bob']);
    expect(left.notes).toEqual([
      expect.stringMatching(/^targets\/alice: only this key has signed .* trust witness .* targets\/alice$/),
      'targets/bob/nested keeps the key: targets/bob gives it',
    ]);
    const draft = purge(lost.canonicalId.slice(0, 12), [...ours, ...keysOf(made, 'targets/bob')]);
    expect([...draft.changedTargets.keys()]).toEqual(['targets', 'targets/bob', RELEASES]);
    expect(members(draft, RELEASES)).toEqual([owner.canonicalId]);
    expect(draft.targetsOf(RELEASES)?.targets.has('v1')).toBe(true);
    for (const role of ['targets/alice', 'targets/bob/nested']) {
      expect(members(draft, role)).toHaveLength(1);
      expect(members(draft, role)).not.toContain(lost.id);
    }
  });

  it('stays where a role would be left with too few, and is told from all others', async () => {
    const [alice, bob] = [SoftwareSigner.make(), SoftwareSigner.make()];
    const made = new MadeRepository(REPOSITORY)
      .delegate('targets/alice', [alice])
      .delegate('targets/pair', [alice, bob], { threshold: 2 })
      .publish();
    const input = { base: await read(made), keys: keysOf(made, 'targets') };
    const purge = (id: string): Draft => planKeyPurge(input, { id, owner, leave: [] });
    expect(() => purge(alice.canonicalId)).toThrow(/targets\/alice takes 1 key, and no key is left/);
    expect(() => purge(bob.canonicalId)).toThrow(/targets\/pair takes 2 keys, and only 1 would be left/);
    for (const id of ['', alice.canonicalId.slice(0, 11), 'f'.repeat(64), 'alice']) {
      expect(() => purge(id)).toThrow(/no signer has a key/);
    }
    const [root = ''] = input.base.root.document.roles.root.keyids;
    expect(() => purge(root)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('rotate') as string }),
    );
  });
});

describe('a name and repositories', () => {
  it('come in either order', () => {
    const wanted = { name: 'alice', repositories: ['r.example/a', 'r.example/b'] };
    expect(readNameAndRepositories(['alice', 'r.example/a', 'r.example/b', 'r.example/a'])).toEqual(wanted);
    expect(readNameAndRepositories(['r.example/a', 'r.example/b', 'alice'])).toEqual(wanted);
    for (const args of [['alice'], ['r.example/a'], ['alice', 'bob', 'r.example/a'], []]) {
      expect(() => readNameAndRepositories(args)).toThrow(/one name and one or more/);
    }
  });
});
