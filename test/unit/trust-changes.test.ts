/** What a publish changes, before anybody signs it: tags, signers, root, versions. */
import { describe, expect, it } from 'vitest';
import { readEnvelope, readSignedBytes } from '../../src/formats/notary1/reader.js';
import type { Draft, PublishedState } from '../../src/trust/draft.js';
import { PassingMemory } from '../../src/trust/memory.js';
import { PinSet } from '../../src/trust/pins.js';
import {
  DEFAULT_LIFETIMES,
  pendingDocuments,
  pendingSnapshot,
  sealDocument,
  type PublicationFacts,
} from '../../src/trust/publication.js';
import { keysWithin } from '../../src/trust/reach.js';
import { planHeal, planWitness } from '../../src/trust/renewal.js';
import type { RoleKey } from '../../src/trust/role-signer.js';
import { withRole } from '../../src/trust/root-changes.js';
import { planSignerAdd, planSignerRemove } from '../../src/trust/signer-changes.js';
import { isShown, standingOf } from '../../src/trust/standing.js';
import { planTags, tagsOf } from '../../src/trust/tag-changes.js';
import { updateCollection } from '../../src/trust/update.js';
import { MadeRepository } from '../support/made-repository.js';
import { rejectionOf } from '../support/rejection.js';
import { SoftwareSigner } from '../support/software-signer.js';

const REPOSITORY = 'registry.example/acme/app';
const RELEASES = 'targets/releases';

function read(made: MadeRepository): Promise<PublishedState> {
  return updateCollection(made, {
    pins: new PinSet([], true),
    memory: new PassingMemory(),
    nowMs: Date.now(),
  });
}

function keyFor(role: string, signer: SoftwareSigner): RoleKey {
  return { name: `${REPOSITORY}#${role}`, role, key: signer.key, canonicalId: signer.canonicalId };
}

/** The keys that a repository has for a role, as an agent holds them. */
function keysOf(made: MadeRepository, ...roles: readonly string[]): readonly RoleKey[] {
  return roles.flatMap((role) => {
    const members =
      role === 'root' || role === 'snapshot' ? made.roles[role].members : made.role(role).members;
    return members.map((member) => keyFor(role, member));
  });
}

function image(digit: string): { readonly hashes: { readonly sha256: string }; readonly length: number } {
  return { hashes: { sha256: digit.repeat(64) }, length: 423 };
}

function digests(draft: Draft, role: string): Record<string, string> {
  const targets = draft.targetsOf(role)?.targets ?? new Map<string, ReturnType<typeof image>>();
  return Object.fromEntries([...targets].map(([name, { hashes }]) => [name, hashes.sha256.slice(0, 1)]));
}

/** Alice and bob sign; releases by alice's key. `v1` stands in targets, as the owner signed it before there were signers. */
function withSigners(): { readonly made: MadeRepository; readonly release: SoftwareSigner } {
  const release = SoftwareSigner.make();
  const made = new MadeRepository(REPOSITORY)
    .delegate('targets/alice', [SoftwareSigner.make()])
    .delegate('targets/bob', [SoftwareSigner.make()])
    .delegate(RELEASES, [release]);
  made.sign('targets', 'v1', 'a').publish();
  return { made, release };
}

const change = (name: string, digit: string | undefined): Parameters<typeof planTags>[1][number] => ({
  name,
  target: digit === undefined ? undefined : image(digit),
});

describe('a tag', () => {
  it('goes into targets where nobody else signs', async () => {
    const made = new MadeRepository(REPOSITORY);
    const draft = planTags({ base: await read(made), keys: keysOf(made, 'targets') }, [change('v1', 'a')], {
      leave: [],
    });
    expect(digests(draft, 'targets')).toEqual({ v1: 'a' });
    expect([...draft.changedTargets.keys()]).toEqual(['targets']);
  });

  it('moves in all roles that are pulled from, and leaves targets', async () => {
    const { made } = withSigners();
    const keys = keysOf(made, 'targets', 'targets/alice', RELEASES);
    const draft = planTags({ base: await read(made), keys }, [change('v1', 'b')], {
      signer: 'alice',
      leave: [],
    });
    expect(digests(draft, 'targets/alice')).toEqual({ v1: 'b' });
    expect(digests(draft, RELEASES)).toEqual({ v1: 'b' });
    expect(digests(draft, 'targets')).toEqual({});
  });

  it('does not move while a role that is pulled from stays behind, unless that is accepted', async () => {
    const { made } = withSigners();
    const input = { base: await read(made), keys: keysOf(made, 'targets/alice', RELEASES) };
    const move = (leave: readonly string[]): Promise<Draft> =>
      Promise.resolve().then(() => planTags(input, [change('v1', 'b')], { signer: 'alice', leave }));
    const refused = await rejectionOf(move([]));
    expect(refused.code).toBe('notary.left-behind');
    expect(refused.hint).toContain('--leave targets');
    const accepted = await move(['targets']);
    expect(digests(accepted, RELEASES)).toEqual({ v1: 'b' });
    expect(digests(accepted, 'targets')).toEqual({ v1: 'a' });
    expect(accepted.notes).toEqual(['targets keeps the old v1']);
  });

  it('is approved without touching what is released', async () => {
    const { made } = withSigners();
    made.sign(RELEASES, 'v2', 'c').publish();
    const keys = keysOf(made, 'targets/bob');
    const draft = planTags({ base: await read(made), keys }, [change('v2', 'c')], {
      signer: 'bob',
      leave: [],
    });
    expect([...draft.changedTargets.keys()]).toEqual(['targets/bob']);
    expect(draft.notes).toEqual([]);
  });

  it('changes nothing when it is there already', async () => {
    const { made } = withSigners();
    made.sign(RELEASES, 'v2', 'c').sign('targets/bob', 'v2', 'c').publish();
    const input = { base: await read(made), keys: keysOf(made, 'targets/bob') };
    expect(planTags(input, [change('v2', 'c')], { signer: 'bob', leave: [] }).isEmpty).toBe(true);
  });

  it('is approved by whoever cannot release, which is said', async () => {
    const { made } = withSigners();
    const input = { base: await read(made), keys: keysOf(made, 'targets/bob') };
    const draft = planTags(input, [change('v9', 'd')], { signer: 'bob', leave: [] });
    expect(draft.notes[0]).toContain('v9 is approved, and not released');
  });

  it('is revoked everywhere, or not at all', async () => {
    const { made } = withSigners();
    made.sign(RELEASES, 'v1', 'b').sign('targets/alice', 'v1', 'b').publish();
    const base = await read(made);
    const all = keysOf(made, 'targets', 'targets/alice', RELEASES);
    const draft = planTags({ base, keys: all }, [change('v1', undefined)], { signer: 'alice', leave: [] });
    for (const role of ['targets', RELEASES, 'targets/alice']) expect(digests(draft, role)).toEqual({});
    const some = { base, keys: keysOf(made, 'targets/alice') };
    expect(() => planTags(some, [change('v1', undefined)], { signer: 'alice', leave: [] })).toThrow(
      /old image/,
    );
    expect(tagsOf({ base, keys: [] }, { leave: [] })).toEqual(['v1']);
  });

  it('is signed by somebody', async () => {
    const { made } = withSigners();
    const input = { base: await read(made), keys: keysOf(made, 'targets') };
    expect(() => planTags(input, [change('v1', 'b')], { leave: [] })).toThrow(/who signs/);
    expect(() => planTags(input, [change('v1', 'b')], { signer: 'mallory', leave: [] })).toThrow(/no role/);
  });

  it('does not vouch for what too few keys have signed', async () => {
    const { made } = withSigners();
    made.sign(RELEASES, 'v7', 'e');
    made.role(RELEASES).signing = [SoftwareSigner.make()];
    made.publish();
    const base = await read(made);
    expect(base.faults.get(RELEASES)?.problem).toBe('under-signed');
    const input = { base, keys: keysOf(made, 'targets', 'targets/alice', RELEASES) };
    expect(() => planTags(input, [change('v2', 'c')], { signer: 'alice', leave: [] })).toThrow(/not enough/);
    const witnessed = planWitness(input, [RELEASES]);
    expect(digests(witnessed, RELEASES)).toEqual({ v7: 'e' });
    expect(witnessed.notes[0]).toContain(`v7 sha256:${'e'.repeat(64)}`);
  });
});

describe('a signer', () => {
  it('comes with the tags of targets moved to where everybody can reach them', async () => {
    const made = new MadeRepository(REPOSITORY).sign('targets', 'v1', 'a').publish();
    const owner = keyFor(RELEASES, SoftwareSigner.make());
    const alice = SoftwareSigner.make();
    const input = { base: await read(made), keys: keysOf(made, 'targets') };
    const draft = planSignerAdd(input, { name: 'alice', keys: [alice.key], releaseKeys: [alice.key] }, owner);
    expect(digests(draft, 'targets')).toEqual({});
    expect(digests(draft, RELEASES)).toEqual({ v1: 'a' });
    expect(draft.membersOf('targets/alice').keyids).toEqual([alice.id]);
    expect([...draft.membersOf(RELEASES).keyids].sort()).toEqual([alice.id, owner.canonicalId].sort());
  });

  it('leaves with the keys, wherever they are, and others keep theirs', async () => {
    const [alice, bob] = [SoftwareSigner.make(), SoftwareSigner.make()];
    const made = new MadeRepository(REPOSITORY)
      .delegate('targets/alice', [alice])
      .delegate('targets/bob', [bob])
      .delegate(RELEASES, [alice, bob]);
    made.sign(RELEASES, 'v1', 'a').sign('targets/bob', 'v1', 'a').publish();
    const owner = keyFor(RELEASES, SoftwareSigner.make());
    const draft = planSignerRemove(
      { base: await read(made), keys: keysOf(made, 'targets') },
      { name: 'bob', owner, agrees: () => false },
    );
    expect(draft.hasRole('targets/bob')).toBe(false);
    expect([...draft.membersOf(RELEASES).keyids].sort()).toEqual([alice.id, owner.canonicalId].sort());
    expect(draft.changedTargets.has(RELEASES)).toBe(true);
    expect(draft.notes).toEqual(['still released, and no longer signed by bob: v1']);
  });

  it('has a name that docker takes', async () => {
    const made = new MadeRepository(REPOSITORY);
    const input = { base: await read(made), keys: keysOf(made, 'targets') };
    const owner = keyFor(RELEASES, SoftwareSigner.make());
    for (const name of ['releases', 'Alice', '../x', '']) {
      expect(() => planSignerAdd(input, { name, keys: [], releaseKeys: [] }, owner)).toThrow(/name has/);
    }
  });

  it('never signs with the key of somebody else', () => {
    const keys = ['root', 'targets', 'targets/alice', 'targets/bob', RELEASES].map((role) =>
      keyFor(role, SoftwareSigner.make()),
    );
    const roles = keysWithin(keys, ['targets/alice']).map(({ role }) => role);
    expect(roles).toEqual(['root', 'targets', 'targets/alice', RELEASES]);
  });
});

describe('documents', () => {
  const facts = (keys: readonly RoleKey[], more: Partial<PublicationFacts> = {}): PublicationFacts => ({
    keys,
    nowMs: Date.parse('2030-01-01T00:00:00.900Z'),
    lifetimes: DEFAULT_LIFETIMES,
    versionsSigned: new Map(),
    ...more,
  });

  it('get the next version, whole seconds, and only the signatures of keys that the role has', async () => {
    const made = new MadeRepository(REPOSITORY).sign('targets', 'v1', 'a').publish();
    const base = await read(made);
    const keys = [...keysOf(made, 'targets'), keyFor('targets', SoftwareSigner.make())];
    const draft = planTags({ base, keys }, [change('v2', 'b')], { leave: [] });
    const [document] = pendingDocuments(draft, facts(keys));
    expect(document?.version).toBe(base.targets.document.version + 1);
    expect(document?.kind).toBe('notary.targets');
    expect(document?.signatures).toHaveLength(1);
    const read2 = readSignedBytes(
      document?.signedBytes ?? Buffer.alloc(0),
      'targets',
      'test',
      'notary.document',
    );
    expect(read2.expires).toBe('2032-12-31T00:00:00Z');
  });

  it('get a higher version than any that was signed', async () => {
    const made = new MadeRepository(REPOSITORY);
    const keys = keysOf(made, 'targets');
    const draft = planTags({ base: await read(made), keys }, [change('v2', 'b')], { leave: [] });
    const [document] = pendingDocuments(draft, facts(keys, { versionsSigned: new Map([['targets', 41]]) }));
    expect(document?.version).toBe(42);
  });

  it('are not made when a threshold is out of reach', async () => {
    const made = new MadeRepository(REPOSITORY);
    const draft = planTags({ base: await read(made), keys: [] }, [change('v2', 'b')], { leave: [] });
    expect(() => pendingDocuments(draft, facts([]))).toThrow(/1 of its 1 keys have to sign, 0 within reach/);
  });

  it('of a root are signed by the old keys and the new, and are the same when asked for again', async () => {
    const made = new MadeRepository(REPOSITORY);
    const base = await read(made);
    const next = SoftwareSigner.make().certified(REPOSITORY);
    const keys = [...keysOf(made, 'root'), { ...keyFor('root', next), name: `${REPOSITORY}#root:1` }];
    const draft = planHeal({ base, keys }, { untilMs: 0, agrees: () => false });
    draft.setRoot(withRole(draft.root, 'root', { keys: [next.key], threshold: 1 }));
    const [root] = pendingDocuments(draft, facts(keys));
    expect(root?.version).toBe(base.root.document.version + 1);
    expect(root?.signatures.map(({ keyid }) => keyid).sort()).toEqual(
      [next.id, ...base.root.document.roles.root.keyids].sort(),
    );
    const later = facts(keys, { nowMs: Date.parse('2031-01-01T00:00:00Z'), earlierRoot: root });
    expect(pendingDocuments(draft, later)[0]).toBe(root);
    expect(() => withRole(draft.root, 'root', { keys: [next.key], threshold: 2 })).toThrow(/cannot be met/);
  });

  it('are listed in a snapshot by the hash of the file', async () => {
    const made = new MadeRepository(REPOSITORY);
    const base = await read(made);
    const keys = keysOf(made, 'targets', 'snapshot');
    const draft = planTags({ base, keys }, [change('v2', 'b')], { leave: [] });
    const signed = pendingDocuments(draft, facts(keys)).map((one) =>
      sealDocument(one, [Buffer.alloc(64, 7)]),
    );
    const snapshot = sealDocument(pendingSnapshot(draft, signed, facts(keys)), [Buffer.alloc(64, 7)]);
    const { meta } = readEnvelope(snapshot.file ?? Buffer.alloc(0), 'snapshot').document;
    expect(meta.get('targets')?.length).toBe(signed[0]?.file?.length);
    expect([...meta.keys()].sort()).toEqual(['root', 'targets']);
  });

  it('stand where readers see them', async () => {
    const made = new MadeRepository(REPOSITORY);
    const before = await read(made);
    const keys = keysOf(made, 'targets');
    const draft = planTags({ base: before, keys }, [change('v1', 'a')], { leave: [] });
    const documents = pendingDocuments(draft, facts(keys));
    const replaces = new Map([['targets', before.targets.document.version]]);
    expect(standingOf(documents, before, replaces)).toBe('unpublished');
    expect(isShown(documents, before)).toBe(false);
    const after = await read(made.sign('targets', 'v1', 'f').publish());
    expect(standingOf(documents, after, replaces)).toBe('overtaken');
    const own = documents.map((one) => ({ ...one, signedBytes: after.targets.signedBytes }));
    expect(standingOf(own, after, replaces)).toBe('published');
    expect(isShown(own, after)).toBe(true);
  });
});
