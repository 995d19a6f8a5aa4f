import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecisionCache } from '../../src/policy/decision-cache.js';
import { compilePolicy, decide, explain, type PolicyRequest } from '../../src/policy/decide.js';
import type { PolicyDocument, PolicyRule } from '../../src/policy/document.js';
import { admit, emptyUsage, recordUses } from '../../src/policy/usage.js';

const UIDS = [0, 1000, 1001] as const;
const KINDS = ['oci.simple-signing', 'sshsig:file', 'sshsig:git', 'digest'] as const;
const KEYS = ['a/b#cosign', 'a/c#cosign', 'a/b#ssh'] as const;

const who = fc.option(
  fc.record({
    uid: fc.option(fc.subarray<number | 'owner'>([...UIDS, 'owner'], { minLength: 1 }), { nil: undefined }),
    gid: fc.option(fc.subarray([10, 20], { minLength: 1 }), { nil: undefined }),
    socket: fc.option(fc.constantFrom('/a', '/b'), { nil: undefined }),
  }),
  { nil: undefined },
);

const ruleBody = fc.record({
  effect: fc.constantFrom('allow' as const, 'deny' as const),
  who,
  kinds: fc.subarray([...KINDS, '*', 'sshsig:*'], { minLength: 1 }),
  keys: fc.subarray([...KEYS, '*', 'a/*', '*#cosign'], { minLength: 1 }),
  limits: fc.option(fc.record({ count: fc.integer({ min: 1, max: 3 }) }), { nil: undefined }),
  confirm: fc.boolean(),
  blind: fc.boolean(),
});

const document: fc.Arbitrary<PolicyDocument> = fc.array(ruleBody, { maxLength: 6 }).map((bodies) => ({
  version: 1,
  rules: bodies.map((body, index): PolicyRule => ({ ...body, id: `r${index}`, touch: false })),
}));

const request: fc.Arbitrary<PolicyRequest> = fc
  .record({
    uid: fc.constantFrom(...UIDS),
    gid: fc.constantFrom(10, 20, 30),
    socket: fc.constantFrom('/a', '/b'),
    key: fc.constantFrom(...KEYS),
    kind: fc.constantFrom(...KINDS),
  })
  .map((fields) => ({ ...fields, blind: fields.kind === 'digest', nowMs: 0 }));

const owner = { ownerUid: 1000 };
const RUNS = { numRuns: 500 };

function globCovers(globs: readonly string[], text: string): boolean {
  return globs.some((glob) =>
    new RegExp(`^${glob.replace(/[.#/]/g, '\\$&').replaceAll('*', '.*')}$`).test(text),
  );
}

/** The grammar of docs/spec/policy.md, said once more in the plainest way. */
function matchesPlainly(rule: PolicyRule, asked: PolicyRequest): boolean {
  const caller = rule.who ?? { uid: ['owner' as const] };
  const uids = caller.uid?.map((uid) => (uid === 'owner' ? owner.ownerUid : uid));
  return (
    (uids === undefined || uids.includes(asked.uid)) &&
    (caller.gid === undefined || caller.gid.includes(asked.gid)) &&
    (caller.socket === undefined || caller.socket === asked.socket) &&
    globCovers(rule.kinds, asked.kind) &&
    globCovers(rule.keys, asked.key) &&
    !(asked.blind && rule.effect === 'allow' && !rule.blind)
  );
}

describe('a policy', () => {
  it('decides by the first rule that matches, and denies without one', () => {
    fc.assert(
      fc.property(document, request, (policy, asked) => {
        const decision = decide(compilePolicy(policy, owner), asked, emptyUsage());
        const rule = policy.rules.find((candidate) => matchesPlainly(candidate, asked));
        expect(decision.rule).toBe(rule?.id ?? null);
        expect(decision.outcome).toBe(rule?.effect === 'allow' && !rule.confirm ? 'allow' : 'deny');
      }),
      RUNS,
    );
  });

  it('never allows what it denied because rules were added at its end', () => {
    fc.assert(
      fc.property(document, document, request, (policy, more, asked) => {
        const before = decide(compilePolicy(policy, owner), asked, emptyUsage());
        const added = more.rules.map((rule) => ({ ...rule, id: `late-${rule.id}` }));
        const after = decide(
          compilePolicy({ version: 1, rules: [...policy.rules, ...added] }, owner),
          asked,
          emptyUsage(),
        );
        if (before.rule !== null) expect(after).toEqual(before);
      }),
      RUNS,
    );
  });

  it('with a denial of everything in front denies everything', () => {
    const uid = [...UIDS];
    const all: PolicyRule = {
      id: 'none',
      effect: 'deny',
      who: { uid },
      kinds: ['*'],
      keys: ['*'],
      confirm: false,
      touch: false,
      blind: false,
    };
    fc.assert(
      fc.property(document, request, (policy, asked) => {
        const decision = decide(
          compilePolicy({ version: 1, rules: [all, ...policy.rules] }, owner),
          asked,
          emptyUsage(),
        );
        expect(decision).toMatchObject({ outcome: 'deny', rule: 'none' });
      }),
      RUNS,
    );
  });

  it('decides the same from the cache, whatever was asked before, and explains the same', () => {
    fc.assert(
      fc.property(document, fc.array(request, { minLength: 1, maxLength: 30 }), (policy, asked) => {
        const compiled = compilePolicy(policy, owner);
        const cache = new DecisionCache(compiled);
        const usage = recordUses(emptyUsage(), [{ rule: 'r0', uses: 2 }], 0);
        for (const one of [...asked, ...asked]) {
          const decision = decide(compiled, one, usage);
          expect(cache.decide(one, usage)).toEqual(decision);
          expect(explain(compiled, one, usage).decision).toEqual(decision);
        }
      }),
      RUNS,
    );
  });
});

describe('usage', () => {
  it('never admits more than per_hour in any 60 minutes, and never more than count in all', () => {
    const step = fc.record({
      waitMs: fc.integer({ min: 0, max: 1_500_000 }),
      uses: fc.integer({ min: 1, max: 4 }),
    });
    const limits = fc.record({
      perHour: fc.integer({ min: 1, max: 12 }),
      count: fc.integer({ min: 1, max: 60 }),
    });
    fc.assert(
      fc.property(limits, fc.nat(3_600_000), fc.array(step, { maxLength: 60 }), (limit, startMs, steps) => {
        const admitted: { readonly atMs: number; readonly uses: number }[] = [];
        let state = emptyUsage();
        let nowMs = startMs + 1_700_000_000_000;
        for (const { waitMs, uses } of steps) {
          nowMs += waitMs;
          const admission = admit(state, [{ rule: 'r', limits: limit, uses }], nowMs);
          if (admission.outcome === 'exceeded') {
            if (admission.freesAtMs !== null) {
              expect(admission.freesAtMs).toBeGreaterThan(nowMs);
              const again = admit(
                state,
                [{ rule: 'r', limits: { perHour: limit.perHour }, uses }],
                admission.freesAtMs,
              );
              expect(again.outcome).toBe('admitted');
            }
            continue;
          }
          state = admission.state;
          admitted.push({ atMs: nowMs, uses });
        }
        for (const { atMs } of admitted) {
          const window = admitted.filter((one) => one.atMs >= atMs && one.atMs <= atMs + 3_600_000);
          expect(window.reduce((sum, one) => sum + one.uses, 0)).toBeLessThanOrEqual(limit.perHour);
        }
        expect(admitted.reduce((sum, one) => sum + one.uses, 0)).toBeLessThanOrEqual(limit.count);
      }),
      RUNS,
    );
  });
});
