/** What stands in `targets/releases` cannot be built on: how the owner comes out of it, and what that costs. */
import { describe, expect, it } from 'vitest';
import type { Draft, PublishedState } from '../../src/trust/draft.js';
import { PassingMemory } from '../../src/trust/memory.js';
import { PinSet } from '../../src/trust/pins.js';
import { DEFAULT_LIFETIMES, pendingDocuments, type PendingDocument } from '../../src/trust/publication.js';
import { planHeal } from '../../src/trust/renewal.js';
import type { RoleKey } from '../../src/trust/role-signer.js';
import { planSignerAdd, planSignerRemove } from '../../src/trust/signer-changes.js';
import { publishedVersion } from '../../src/trust/standing.js';
import { LAST_VERSION, versionIn } from '../../src/trust/stored-version.js';
import { planTags } from '../../src/trust/tag-changes.js';
import { updateCollection } from '../../src/trust/update.js';
import { MadeRepository } from '../support/made-repository.js';
import { rejectionOf } from '../support/rejection.js';
import { SoftwareSigner } from '../support/software-signer.js';

const NAME = 'registry.example/acme/app';
const RELEASES = 'targets/releases';

const [alice, bob, mallory] = [SoftwareSigner.make(), SoftwareSigner.make(), SoftwareSigner.make()];
const own = SoftwareSigner.make();
const owner = keyFor(RELEASES, own);

function keyFor(role: string, { key, canonicalId }: SoftwareSigner): RoleKey {
  return { name: `${NAME}#${role}`, role, key, canonicalId };
}

/** Three signers; all agree about v1, two of them differ about v2, mallory alone has v3. */
function shared(): MadeRepository {
  return new MadeRepository(NAME)
    .delegate('targets/alice', [alice])
    .delegate('targets/bob', [bob])
    .delegate('targets/mallory', [mallory])
    .delegate(RELEASES, [own, mallory])
    .sign('targets/alice', 'v1', 'a')
    .sign('targets/bob', 'v1', 'a')
    .sign('targets/mallory', 'v1', 'a')
    .sign('targets/alice', 'v2', 'b')
    .sign('targets/bob', 'v2', 'c')
    .sign('targets/mallory', 'v3', 'd');
}

const BREAKS = {
  'cannot be read': (made: MadeRepository): MadeRepository => made.sign(RELEASES, '__proto__', 'f'),
  'was not signed by enough': (made: MadeRepository): MadeRepository => {
    made.role(RELEASES).signing = [SoftwareSigner.make()];
    return made.sign(RELEASES, 'v1', 'f');
  },
  'has the highest version': (made: MadeRepository): MadeRepository => {
    made.role(RELEASES).version = LAST_VERSION - 1;
    return made.sign(RELEASES, 'v1', 'a');
  },
} as const;
const KINDS = Object.keys(BREAKS) as readonly (keyof typeof BREAKS)[];

async function broken(kind: keyof typeof BREAKS): Promise<PublishedState> {
  const options = { pins: new PinSet([], true), memory: new PassingMemory(), nowMs: Date.now() };
  return updateCollection(BREAKS[kind](shared()).publish(), options);
}

const ownKeys = (base: PublishedState): readonly RoleKey[] => {
  const [id = ''] = base.root.document.roles.targets.keyids;
  const key = base.root.document.keys.get(id);
  if (key === undefined) throw new Error('the root names its targets key');
  return [{ name: `${NAME}#targets`, role: 'targets', key, canonicalId: id }, owner];
};

function removal(base: PublishedState, agrees: (words: string) => boolean): Draft {
  return planSignerRemove({ base, keys: ownKeys(base) }, { name: 'mallory', owner, agrees });
}

function tags(draft: Draft, role: string): Record<string, string> {
  const targets = [...(draft.targetsOf(role)?.targets ?? [])];
  return Object.fromEntries(targets.map(([name, { hashes }]) => [name, hashes.sha256.slice(0, 1)]));
}

function documents(draft: Draft, base: PublishedState): readonly PendingDocument[] {
  const versionsSigned = new Map(
    [...draft.changedTargets.keys()].map((role) => [role, publishedVersion(base, role)]),
  );
  return pendingDocuments(draft, {
    keys: ownKeys(base),
    nowMs: Date.now(),
    lifetimes: DEFAULT_LIFETIMES,
    versionsSigned,
  });
}

describe('removing the signer who did it', () => {
  it.each(KINDS)('is refused with what would be lost, and happens once that is meant: %s', async (kind) => {
    const base = await broken(kind);
    const refused = await rejectionOf(Promise.resolve().then(() => removal(base, () => false)));
    expect(refused.code).toBe('notary.rebuild');
    expect(refused.message).toContain(`${RELEASES} ${kind}`);
    expect(refused.message).toContain(`v1 sha256:${'a'.repeat(64)}`);
    expect(refused.hint).toContain(`--confirm ${NAME}`);
    const seen: string[] = [];
    const draft = removal(base, (words) => seen.push(words) > 0);
    expect(seen).toEqual([refused.message]);
    expect(draft.hasRole('targets/mallory')).toBe(false);
    expect(draft.notes).toContain(refused.message);
  });

  it.each(['cannot be read', 'was not signed by enough'] as const)(
    'releases what the others agree about, in a higher version: %s',
    async (kind) => {
      const base = await broken(kind);
      const draft = removal(base, () => true);
      expect(tags(draft, RELEASES)).toEqual({ v1: 'a' });
      expect(draft.membersOf(RELEASES).keyids).toEqual([own.id]);
      const releases = documents(draft, base).find(({ role }) => role === RELEASES);
      expect(releases?.version).toBe(publishedVersion(base, RELEASES) + 1);
      expect(releases?.version).toBeGreaterThan(1);
    },
  );

  it('lets a role go that has no higher version, and keeps its tags', async () => {
    const base = await broken('has the highest version');
    const draft = removal(base, () => true);
    expect(draft.hasRole(RELEASES)).toBe(false);
    expect(draft.dropped.has(RELEASES)).toBe(true);
    expect(tags(draft, 'targets')).toEqual({ v1: 'a' });
    expect(documents(draft, base).map(({ role }) => role)).toEqual(['targets']);
  });
});

describe('what cannot be built on', () => {
  it.each(KINDS)('lets nobody be taken in: %s', async (kind) => {
    const base = await broken(kind);
    const signer = { name: 'dave', keys: [bob.key], releaseKeys: [bob.key] };
    const adding = Promise.resolve().then(() => planSignerAdd({ base, keys: ownKeys(base) }, signer, owner));
    const refused = await rejectionOf(adding);
    expect(refused.code).toBe('notary.rebuild');
    expect(refused.hint).toContain('trust heal');
  });

  it.each(KINDS)(
    'is told by heal, which renews the rest, and made anew when that is meant: %s',
    async (kind) => {
      const base = await broken(kind);
      const heal = (isAgreed: boolean): Draft =>
        planHeal({ base, keys: ownKeys(base) }, { untilMs: 0, agrees: () => isAgreed });
      const told = heal(false);
      expect(told.isEmpty).toBe(true);
      expect(told.notes.join('\n')).toContain(`not done: ${RELEASES} ${kind}`);
      const healed = heal(true);
      const kept = healed.hasRole(RELEASES) ? RELEASES : 'targets';
      expect(tags(healed, kept)['v1']).toBe('a');
      expect(documents(healed, base).map(({ role }) => role)).toContain(kept);
    },
  );

  it('is warned of, and refused where somebody would sign over it', async () => {
    const made = shared().sign('targets/alice', 'v9', 'e');
    made.role('targets/alice').version = LAST_VERSION - 1;
    const options = { pins: new PinSet([], true), memory: new PassingMemory(), nowMs: Date.now() };
    const base = await updateCollection(made.publish(), options);
    expect(base.warnings.join()).toContain('targets/alice has the highest version there is');
    const keys = [...ownKeys(base), keyFor('targets/alice', alice)];
    const target = { hashes: { sha256: '1'.repeat(64) }, length: 423 };
    const draft = planTags({ base, keys }, [{ name: 'v9', target }], { roles: ['targets/alice'], leave: [] });
    const facts = { keys, nowMs: Date.now(), lifetimes: DEFAULT_LIFETIMES, versionsSigned: new Map() };
    const refused = await rejectionOf(Promise.resolve().then(() => pendingDocuments(draft, facts)));
    expect(refused.code).toBe('notary.exhausted');
    expect(refused.hint).toContain('signer remove REPOSITORY alice');
  });
});

describe('the version of a file that is no metadata', () => {
  it.each([
    ['as servers read it', '{"signed":{"version":7,"targets":{"__proto__":1}}}', 7],
    ['the highest of what could be meant', '{"signed":{"version":3,"Version":9}}', 9],
    ['cut to what a number holds', '{"signed":{"version":9223372036854775807}}', LAST_VERSION],
    ['none', '{"signed":{"version":"7"}}', undefined],
    ['no JSON', '\u0000', undefined],
  ])('%s', (_name, text, version) => {
    expect(versionIn(Buffer.from(text))).toBe(version);
  });
});
