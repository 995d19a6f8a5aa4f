/** Reading repositories and deciding by teams, for every repository and every policy. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AgentError } from '../../src/errors/agent-error.js';
import { signedTags } from '../../src/trust/approvals.js';
import { PassingMemory } from '../../src/trust/memory.js';
import { PinSet } from '../../src/trust/pins.js';
import { decideByTeams } from '../../src/trust/team-decision.js';
import type { TeamPolicy } from '../../src/trust/team-policy.js';
import { updateCollection } from '../../src/trust/update.js';
import { MadeRepository } from '../support/made-repository.js';
import { SoftwareSigner } from '../support/software-signer.js';

const NAME = 'registry.example/acme/app';
const PINS = new PinSet([], true);
const SIGNERS = Array.from({ length: 4 }, () => SoftwareSigner.make());
const ROOTS = Array.from({ length: 3 }, () => SoftwareSigner.make().certified(NAME));
const ROLES = ['targets', 'targets/releases', 'targets/alice', 'targets/bob'] as const;

const step = fc.oneof(
  fc.record({
    kind: fc.constant('sign' as const),
    role: fc.constantFrom(...ROLES),
    tag: fc.constantFrom('v1', 'v2', 'latest', '__proto__'),
    digit: fc.constantFrom('a', 'b', 'c'),
  }),
  fc.record({ kind: fc.constant('rotate-root' as const), key: fc.nat(2) }),
  fc.record({
    kind: fc.constant('rotate' as const),
    role: fc.constantFrom('targets', 'snapshot', 'timestamp'),
    key: fc.nat(3),
  }),
  fc.record({ kind: fc.constant('idle' as const) }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function take(made: MadeRepository, one: Step): void {
  switch (one.kind) {
    case 'sign':
      made.sign(one.role, one.tag, one.digit).publish();
      break;
    case 'rotate-root':
      made.rotateRoot(ROOTS.slice(one.key, one.key + 1));
      break;
    case 'rotate': {
      const role = one.role === 'targets' ? made.role('targets') : made.roles[one.role];
      role.members = SIGNERS.slice(one.key, one.key + 1);
      made.publish({ root: true });
      break;
    }
    case 'idle':
      made.publish();
  }
}

function fresh(): MadeRepository {
  const made = new MadeRepository(NAME, ROOTS.slice(0, 1));
  for (const [index, role] of ROLES.slice(1).entries()) made.delegate(role, SIGNERS.slice(index, index + 1));
  return made.publish();
}

/** Tags as a trusted pull has to find them, from what was put in. */
function expected(made: MadeRepository): Readonly<Record<string, string>> {
  const targets = made.role('targets').targets;
  const releases = isOdd(made, 'targets/releases') ? [] : made.role('targets/releases').targets;
  return Object.fromEntries(
    [...targets, ...releases].map(([tag, { hashes }]) => [tag, `sha256:${hashes.sha256}`]),
  );
}

async function tagsOf(
  made: MadeRepository,
  memory = new PassingMemory(),
): Promise<Readonly<Record<string, string>>> {
  const collection = await updateCollection(made, { pins: PINS, memory, nowMs: Date.now() });
  return Object.fromEntries(signedTags(collection).map(({ tag, digest }) => [tag, digest]));
}

describe('a reader', () => {
  it('that follows a repository sees what was published, after every step', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
        const made = fresh();
        const memory = new PassingMemory();
        for (const one of steps) {
          take(made, one);
          const seen = await tagsOf(made, memory).catch((thrown: unknown) => (thrown as AgentError).code);
          expect(seen).toEqual(isOdd(made, 'targets') ? 'notary.document' : expected(made));
          if (seen === 'notary.document') return;
        }
      }),
      { numRuns: 40 },
    );
  }, 120_000);

  it('of a repository with one byte changed sees the same or nothing', async () => {
    const made = fresh()
      .sign('targets', 'v1', 'a')
      .sign('targets/releases', 'v1', 'b')
      .sign('targets/alice', 'v1', 'b');
    made.rotateRoot(ROOTS.slice(1, 2));
    const honest = await tagsOf(made);
    const files = [...made.files];
    await fc.assert(
      fc.asyncProperty(
        fc.nat(files.length - 1),
        fc.nat(5_000),
        fc.integer({ min: 1, max: 255 }),
        async (which, at, change) => {
          const [name, file] = files[which] ?? ['', Buffer.alloc(0)];
          const changed = Buffer.from(file);
          const offset = at % changed.length;
          changed[offset] = (changed[offset] ?? 0) ^ change;
          made.files.set(name, changed);
          try {
            expect(await tagsOf(made)).toEqual(honest);
          } catch (thrown) {
            if (!(thrown instanceof AgentError)) throw thrown;
            expect(thrown.code).toMatch(/^notary\./);
          } finally {
            made.files.set(name, file);
          }
        },
      ),
      { numRuns: 60 },
    );
  }, 120_000);
});

/** Strict JSON has no such key: the owner's role cannot be read then, and a delegation is left out. */
function isOdd(made: MadeRepository, role: string): boolean {
  return made.role(role).targets.has('__proto__');
}

describe('the team rule', () => {
  const PEOPLE = ['ann', 'ben', 'cy', 'di'] as const;
  const KEYS = PEOPLE.flatMap((_, index) => [`${index}`.repeat(64), `${index + 4}`.repeat(64)]);
  const TEAMS = ['t1', 't2', 't3'] as const;
  const world = fc.record({
    teams: fc.tuple(...TEAMS.map(() => fc.subarray([...PEOPLE], { minLength: 1 }))),
    asked: fc.subarray([...TEAMS], { minLength: 1 }),
    signed: fc.subarray([...KEYS, 'f'.repeat(64)]),
    need: fc.nat(2),
  });

  function policyOf({
    teams,
    asked,
    need,
  }: {
    teams: string[][];
    asked: string[];
    need: number;
  }): TeamPolicy {
    return {
      people: new Map(KEYS.map((key, index) => [key, PEOPLE[Math.floor(index / 2)] ?? ''])),
      teams: new Map(TEAMS.map((team, index) => [team, new Set(teams[index])])),
      rules: [
        {
          id: 'r',
          environments: ['*'],
          repositories: ['*'],
          demand: { kind: 'teams', teams: asked, need: Math.min(need + 1, asked.length) },
        },
      ],
    };
  }

  const ask = (policy: TeamPolicy, keys: readonly string[]): ReturnType<typeof decideByTeams> =>
    decideByTeams(policy, {
      environment: 'e',
      repository: NAME,
      approvals: keys.map((key) => ({ role: 'targets/x', keys: [key] })),
    });

  it('counts teams with a member who signed, and nothing else', () => {
    fc.assert(
      fc.property(world, (given) => {
        const people = new Set(given.signed.map((key) => PEOPLE[Math.floor(KEYS.indexOf(key) / 2)]));
        const covered = given.asked.filter((team) =>
          (given.teams[TEAMS.indexOf(team)] ?? []).some((member) => people.has(member)),
        );
        const decision = ask(policyOf(given), given.signed);
        expect(decision.allowed).toBe(covered.length >= Math.min(given.need + 1, given.asked.length));
        if (!decision.allowed)
          expect(decision.missing).toEqual(given.asked.filter((team) => !covered.includes(team)));
      }),
    );
  });

  it('never takes an approval amiss, and never cares for the order', () => {
    fc.assert(
      fc.property(world, fc.constantFrom(...KEYS), (given, more) => {
        const policy = policyOf(given);
        const before = ask(policy, given.signed);
        if (before.allowed) expect(ask(policy, [...given.signed, more]).allowed).toBe(true);
        expect(ask(policy, [...given.signed].reverse()).allowed).toBe(before.allowed);
      }),
    );
  });

  it('allows nothing when no rule matches', () => {
    fc.assert(
      fc.property(world, (given) => {
        expect(ask({ ...policyOf(given), rules: [] }, KEYS).allowed).toBe(false);
      }),
    );
  });
});
