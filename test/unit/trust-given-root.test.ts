/** Roots that were signed elsewhere: what is published beside them, and which are refused before anything is signed. */
import { describe, expect, it } from 'vitest';
import { readEnvelope } from '../../src/formats/notary1/reader.js';
import type { Draft, PublishedState } from '../../src/trust/draft.js';
import { givenRootPlan, type GivenRoot } from '../../src/trust/given-root.js';
import { takeBack } from '../../src/trust/interrupted.js';
import { PassingMemory } from '../../src/trust/memory.js';
import { PinSet } from '../../src/trust/pins.js';
import { DEFAULT_LIFETIMES, pendingDocuments } from '../../src/trust/publication.js';
import type { PlanInput } from '../../src/trust/publisher.js';
import type { RoleKey } from '../../src/trust/role-signer.js';
import type { KeyServer } from '../../src/trust/server-keys.js';
import type { ServerRole } from '../../src/trust/server.js';
import { updateCollection } from '../../src/trust/update.js';
import { AgentError } from '../../src/errors/agent-error.js';
import { MadeRepository } from '../support/made-repository.js';
import { rejectionOf } from '../support/rejection.js';
import { SoftwareSigner } from '../support/software-signer.js';

const REPOSITORY = 'registry.example/acme/app';

function holder(commonName = REPOSITORY): SoftwareSigner {
  return SoftwareSigner.make().certified(commonName);
}

/** A server that keeps the keys that the repository has for timestamp and snapshot. */
function serverOf(made: MadeRepository, keys: Partial<KeyServer> = {}): KeyServer {
  const current = (role: ServerRole): ReturnType<KeyServer['serverKey']> =>
    Promise.resolve((made.roles[role].members[0] ?? SoftwareSigner.make()).key);
  const fetch: KeyServer['fetch'] = (role, choice) => made.fetch(role, choice);
  return { repository: REPOSITORY, fetch, serverKey: current, rotateServerKey: current, ...keys };
}

function read(made: MadeRepository): Promise<PublishedState> {
  return updateCollection(made, {
    pins: new PinSet([], true),
    memory: new PassingMemory(),
    nowMs: Date.now(),
  });
}

function leaf(made: MadeRepository, role: 'targets' | 'snapshot'): RoleKey {
  const [member] = role === 'targets' ? made.role(role).members : made.roles[role].members;
  const { key, canonicalId } = member ?? SoftwareSigner.make();
  return { name: `${REPOSITORY}#${role}`, role, key, canonicalId };
}

function rootIn(made: MadeRepository, version: number): GivenRoot['root'] {
  return readEnvelope(made.files.get(`${version}.root`) ?? Buffer.alloc(0), 'root');
}

/** A repository with root 1 in force, and root 2 as a ceremony made it. */
async function rotated(
  change: (made: MadeRepository) => void = () => undefined,
): Promise<{ readonly made: MadeRepository; readonly base: PublishedState; readonly given: GivenRoot }> {
  const made = new MadeRepository(REPOSITORY, [holder(), holder()]);
  const base = await read(made);
  change(made);
  made.rotateRoot([holder(), holder()], 2);
  return { made, base, given: { root: rootIn(made, 2), from: base.root.signedBytes } };
}

function plan(server: KeyServer, given: GivenRoot, input: PlanInput): Promise<Draft> {
  return Promise.resolve(givenRootPlan(server, given)(input));
}

async function refusal(server: KeyServer, given: GivenRoot, input: PlanInput): Promise<string> {
  const { code, message, hint } = await rejectionOf(plan(server, given, input));
  return `${code}: ${message}; ${hint}`;
}

describe('a root of a ceremony', () => {
  it('begins a repository, with targets that the leaf signs', async () => {
    const made = new MadeRepository(REPOSITORY, [holder(), holder()]);
    const given = { root: rootIn(made, 1), from: undefined };
    const keys = [leaf(made, 'targets')];
    const draft = await plan(serverOf(made), given, { base: undefined, keys });
    expect([...draft.changedTargets.keys()]).toEqual(['targets']);
    const facts = { keys, nowMs: Date.now(), lifetimes: DEFAULT_LIFETIMES, versionsSigned: new Map() };
    const [root, targets] = pendingDocuments(draft, facts);
    expect(root).toMatchObject({ role: 'root', version: 1, signatures: [], file: given.root.file });
    expect(targets).toMatchObject({ role: 'targets', version: 1, signatures: [{ key: keys[0]?.name }] });
  });

  it('follows the one in force alone where no other key changes, and is there already afterwards', async () => {
    const { made, base, given } = await rotated();
    const draft = await plan(serverOf(made), given, { base, keys: [] });
    expect([draft.givenRoot, draft.changedTargets.size]).toEqual([given.root, 0]);
    expect((await plan(serverOf(made), given, { base: await read(made), keys: [] })).isEmpty).toBe(true);
  });

  it('has targets signed again by their new key', async () => {
    const { made, base, given } = await rotated((one) => {
      one.role('targets').members = [SoftwareSigner.make()];
    });
    expect(await refusal(serverOf(made), given, { base, keys: [] })).toMatch(
      /^notary\.keys: .*of which this agent has too few; .*"touchstone trust online-keys registry/,
    );
    const draft = await plan(serverOf(made), given, { base, keys: [leaf(made, 'targets')] });
    expect([...draft.changedTargets.keys()]).toEqual(['targets']);
  });

  it('is published once: what was given out in a ceremony is not taken back', async () => {
    const { made, base, given } = await rotated();
    const draft = await plan(serverOf(made), given, { base, keys: [] });
    const facts = { keys: [], nowMs: Date.now(), lifetimes: DEFAULT_LIFETIMES, versionsSigned: new Map() };
    const abandoned: string[] = [];
    const signer = {
      abandon: (repository: string): Promise<void> => Promise.resolve(void abandoned.push(repository)),
    } as unknown as Parameters<typeof takeBack>[1]['signer'];
    const pending = {
      words: 'root 2',
      begun: '2026-11-22T00:00:00Z',
      replaces: new Map([['root', 1]]),
      documents: pendingDocuments(draft, facts),
      dropped: [],
      ownSnapshot: false,
    };
    made.files.delete('2.root');
    await takeBack(pending, { source: made, signer }, new AgentError('notary.rejected'));
    expect(abandoned).toEqual([]);
  });
});

describe('refused is a root', () => {
  it('that leaves one out, that comes late, or that was made from another one', async () => {
    const { made, base, given } = await rotated();
    const server = serverOf(made);
    expect(await refusal(server, given, { base: undefined, keys: [] })).toMatch(
      /has no root, and this is root 2; import the ceremony that made root 1 first$/,
    );
    made.rotateRoot([holder()]);
    const third = { root: rootIn(made, 3), from: given.root.signedBytes };
    expect(await refusal(server, third, { base, keys: [] })).toMatch(
      /has root 1, and this is root 3; import the ceremony that made root 2 first$/,
    );
    expect(await refusal(server, given, { base: await read(made), keys: [] })).toContain(
      'has root 3 already',
    );
    expect(await refusal(server, { ...given, from: undefined }, { base, keys: [] })).toContain(
      'is not the one that this root was made from; prepare the ceremony again with --base',
    );
    const other = await rotated();
    expect(
      await refusal(server, other.given, { base: await read((await rotated()).made), keys: [] }),
    ).toContain('has another root 2 already');
  });

  it('whose certificates name another repository', async () => {
    const made = new MadeRepository(REPOSITORY, [holder('registry.example/acme/web')]);
    const given = { root: rootIn(made, 1), from: undefined };
    expect(await refusal(serverOf(made), given, { base: undefined, keys: [] })).toMatch(
      /^ceremony\.import: .*made out to another repository; .*ceremony enrol NAME --repository registry/,
    );
  });

  it('that too few have signed, old keys or new', async () => {
    const few = await rotated((made) => {
      made.roles.root.signing = [];
    });
    expect(await refusal(serverOf(few.made), few.given, { base: few.base, keys: [] })).toMatch(
      /^notary\.threshold: verifying version 2 of root by its own keys/,
    );
    const { made, base } = await rotated();
    const [root] = [await rotated()].map(({ made: other }) => rootIn(other, 2));
    if (root === undefined) throw new Error('no root');
    expect(await refusal(serverOf(made), { root, from: base.root.signedBytes }, { base, keys: [] })).toMatch(
      /^notary\.threshold: verifying version 2 of root by the keys before it/,
    );
  });

  it.each(['timestamp', 'snapshot'] as const)('that gives the %s to a key of nobody here', async (role) => {
    const { made, base, given } = await rotated((one) => {
      one.roles[role].members = [SoftwareSigner.make()];
    });
    const { key } = SoftwareSigner.make();
    const server = serverOf(made, { rotateServerKey: () => Promise.resolve(key) });
    expect(await refusal(server, given, { base, keys: [] })).toMatch(
      new RegExp(
        `^ceremony\\.import: .*gives the ${role} of .*; .*--online-keys and what "touchstone trust online-keys`,
      ),
    );
    // The server made the key that the root names.
    expect((await plan(serverOf(made), given, { base, keys: [] })).isEmpty).toBe(false);
    // A signer without a memory has another key for every question: only the publish can tell.
    const forgetful = (): Promise<typeof key> => Promise.resolve(SoftwareSigner.make().key);
    const asked = serverOf(made, { rotateServerKey: forgetful });
    expect((await plan(asked, given, { base, keys: [] })).isEmpty).toBe(false);
  });

  it('but not for a snapshot of ours, nor for a timestamp key that comes back', async () => {
    const own = await rotated((made) => {
      made.roles.snapshot.members = [SoftwareSigner.make()];
    });
    const { key } = SoftwareSigner.make();
    const stranger = { serverKey: () => Promise.resolve(key), rotateServerKey: () => Promise.resolve(key) };
    const keys = [leaf(own.made, 'snapshot')];
    const ours = await plan(serverOf(own.made, stranger), own.given, { base: own.base, keys });
    expect(ours.isEmpty).toBe(false);
    const { made } = await rotated();
    const before = made.roles.timestamp.members;
    made.roles.timestamp.members = [SoftwareSigner.make()];
    made.rotateRoot([holder()]);
    const base = await read(made);
    made.roles.timestamp.members = before;
    made.rotateRoot([holder()]);
    const healed = { root: rootIn(made, 4), from: base.root.signedBytes };
    const snapshot = serverOf(made).serverKey('snapshot');
    const server = serverOf(made, { ...stranger, serverKey: () => snapshot });
    expect((await plan(server, healed, { base, keys: [] })).isEmpty).toBe(false);
  });
});
