import { describe, expect, it } from 'vitest';
import {
  compilePolicy,
  decide,
  explain,
  namesCaller,
  type CompiledPolicy,
  type PolicyRequest,
} from '../../src/policy/decide.js';
import { parsePolicy } from '../../src/policy/document.js';
import { admit, emptyUsage } from '../../src/policy/usage.js';
import { warningsOf } from '../../src/policy/warnings.js';

const REQUEST: PolicyRequest = {
  uid: 1000,
  gid: 100,
  socket: '/run/agent.sock',
  key: 'docker.io/a/b#cosign',
  kind: 'oci.simple-signing',
  blind: false,
  nowMs: Date.parse('2026-01-01T00:00:00Z'),
};

function policyOf(...rules: readonly string[]): CompiledPolicy {
  const text = rules.map((rule, index) => `[[rule]]\nid = "r${index}"\n${rule}\n`).join('');
  return compilePolicy(parsePolicy(`version = 1\n${text}`, 'policy.toml'), { ownerUid: 1000 });
}

const ANY = 'kinds = ["*"]\nkeys = ["*"]';
const ALLOW = `${ANY}\nallow = true`;
const DENY = `${ANY}\ndeny = true`;

function outcome(policy: CompiledPolicy, request: Partial<PolicyRequest> = {}): string {
  const decision = decide(policy, { ...REQUEST, ...request }, emptyUsage());
  return decision.outcome === 'allow'
    ? `allow ${decision.rule}`
    : `${decision.code} ${decision.rule ?? 'none'}`;
}

describe('decide', () => {
  it('denies what no rule names', () => {
    expect(outcome(policyOf())).toBe('policy.denied none');
    expect(outcome(policyOf('kinds = ["digest*"]\nkeys = ["*"]\nallow = true'))).toBe('policy.denied none');
  });

  it('lets the first matching rule decide', () => {
    expect(outcome(policyOf(ALLOW, DENY))).toBe('allow r0');
    expect(outcome(policyOf(DENY, ALLOW))).toBe('policy.denied r0');
  });

  it('means the owner alone when a rule names nobody', () => {
    expect(outcome(policyOf(ALLOW), { uid: 1001 })).toBe('policy.denied none');
    expect(outcome(policyOf(ALLOW), { uid: 0 })).toBe('policy.denied none');
    expect(outcome(policyOf(DENY, `${ALLOW}\nwho = { uid = 1001 }`), { uid: 1001 })).toBe('allow r1');
  });

  it.each([
    ['who = { uid = 1001 }', { uid: 1001 }, true],
    ['who = { uid = 1001 }', { uid: 1000 }, false],
    ['who = { uid = [5, "owner"] }', { uid: 1000 }, true],
    ['who = { uid = [5, "owner"] }', { uid: 5 }, true],
    ['who = { gid = [100] }', { uid: 77 }, true],
    ['who = { gid = 101 }', { uid: 1000 }, false],
    ['who = { uid = 1000, gid = 101 }', {}, false],
    ['who = { socket = "/run/agent.sock" }', { uid: 77 }, true],
    ['who = { socket = "/run/agent.sock" }', { socket: '/run/agent.sock2' }, false],
  ] as const)('%s with %j: %s', (who, request, matches) => {
    expect(outcome(policyOf(`${ALLOW}\n${who}`), request)).toBe(matches ? 'allow r0' : 'policy.denied none');
  });

  it('covers keys and kinds by globs over the whole name', () => {
    const policy = policyOf(
      'kinds = ["sshsig:*", "oci.simple-signing"]\nkeys = ["docker.io/a/*#cosign"]\nallow = true',
    );
    expect(outcome(policy)).toBe('allow r0');
    expect(outcome(policy, { key: 'docker.io/a/b/c#cosign' })).toBe('allow r0');
    expect(outcome(policy, { key: 'xdocker.io/a/b#cosign' })).toBe('policy.denied none');
    expect(outcome(policy, { key: 'docker.io/a/b#cosign/x' })).toBe('policy.denied none');
    expect(outcome(policy, { kind: 'dsse:sshsig:file' })).toBe('policy.denied none');
  });

  it('signs blindly only where a rule says so, and a denial needs no word for it', () => {
    const blind = { kind: 'digest', blind: true };
    expect(outcome(policyOf(ALLOW), blind)).toBe('policy.denied none');
    expect(outcome(policyOf(ALLOW, `${ALLOW}\nblind = true`), blind)).toBe('allow r1');
    expect(outcome(policyOf(DENY, `${ALLOW}\nblind = true`), blind)).toBe('policy.denied r0');
  });

  it.each([
    ['confirm = true'],
    ['touch = true'],
    ['approvals = { k = 1, of = ["alice"] }'],
    ['evidence = ["tests"]'],
    ['who = { grant = "g" }'],
    ['who = { runner = "r" }'],
  ])('fails closed on %s, before a wider rule', (condition) => {
    const policy = policyOf(`${ALLOW}\n${condition}`, ALLOW);
    expect(outcome(policy)).toBe('policy.consent-unavailable r0');
    expect(warningsOf(policy.document, 0).map((warning) => warning.rule)).toContain('r0');
  });

  it('refuses from the moment a rule ends, and does not fall through to a wider one', () => {
    const policy = policyOf(`${ALLOW}\nlimits = { until = 2026-01-01T00:00:00Z }`, ALLOW);
    expect(outcome(policy, { nowMs: REQUEST.nowMs - 1 })).toBe('allow r0');
    expect(outcome(policy)).toBe('policy.limit r0');
  });

  it('refuses when the uses of the matching rule are up', () => {
    const policy = policyOf(`${ALLOW}\nlimits = { count = 2 }`, ALLOW);
    const admission = admit(emptyUsage(), [{ rule: 'r0', limits: { count: 2 }, uses: 2 }], REQUEST.nowMs);
    const state = admission.outcome === 'admitted' ? admission.state : emptyUsage();
    expect(decide(policy, REQUEST, emptyUsage()).outcome).toBe('allow');
    expect(decide(policy, REQUEST, state)).toMatchObject({
      outcome: 'deny',
      rule: 'r0',
      code: 'policy.limit',
    });
  });
});

describe('explain', () => {
  it('tells rule by rule what happened, up to the one that decided', () => {
    const policy = policyOf(
      `${ALLOW}\nwho = { uid = 5 }`,
      'kinds = ["sshsig:*"]\nkeys = ["*"]\nallow = true',
      'kinds = ["*"]\nkeys = ["x#y"]\nallow = true',
      ALLOW,
      DENY,
    );
    const { decision, reason, trace } = explain(policy, REQUEST, emptyUsage());
    expect(decision).toEqual(decide(policy, REQUEST, emptyUsage()));
    expect(reason).toBe('rule "r3" allows it');
    expect(trace.map((entry) => [entry.rule, entry.matched])).toEqual([
      ['r0', false],
      ['r1', false],
      ['r2', false],
      ['r3', true],
    ]);
    expect(trace.map((entry) => entry.why)).toEqual([
      'who.uid does not name uid 1000',
      'kinds do not cover this kind',
      'keys do not cover this key',
      'every condition holds',
    ]);
  });

  it('has a reason for a denial without a rule', () => {
    expect(explain(policyOf(), REQUEST, emptyUsage())).toMatchObject({
      reason: 'no rule of the policy allows this',
      trace: [],
    });
  });
});

describe('namesCaller', () => {
  it('is true for callers that some rule allows something', () => {
    const policy = policyOf(
      `${ALLOW}\nwho = { uid = 1001 }`,
      `${DENY}\nwho = { uid = 1002 }`,
      `${ALLOW}\nwho = { uid = 1003, grant = "g" }`,
    );
    const asked = [1000, 1001, 1002, 1003].filter((uid) =>
      namesCaller(policy, { uid, gid: uid, socket: '/s' }),
    );
    expect(asked).toEqual([1001]);
  });
});

describe('warningsOf', () => {
  const warningsFor = (...rules: readonly string[]): readonly string[] =>
    warningsOf(policyOf(...rules).document, REQUEST.nowMs).map(
      (warning) => `${warning.rule}: ${warning.message}`,
    );

  it('is silent on a plain rule', () => {
    expect(warningsFor('kinds = ["sshsig:*", "dsse:*", "oci.*", "*"]\nkeys = ["*"]\nallow = true')).toEqual(
      [],
    );
  });

  it.each([
    ['a kind nothing is signed of', ['kinds = ["ssigsh:file"]\nkeys = ["*"]\nallow = true'], 'ssigsh:file'],
    ['a blind rule', ['kinds = ["digest"]\nkeys = ["*"]\nallow = true\nblind = true'], 'without knowing'],
    ['blind without digest', ['kinds = ["sshsig:*"]\nkeys = ["*"]\nallow = true\nblind = true'], 'no effect'],
    ['a rule that has ended', [`${ALLOW}\nlimits = { until = 2025-01-01T00:00:00Z }`], 'has passed'],
    [
      'a rule that is never reached',
      [ALLOW, 'kinds = ["sshsig:*"]\nkeys = ["a#*"]\nallow = true'],
      'never reached',
    ],
  ])('names %s', (_, rules, words) => {
    expect(warningsFor(...rules).join('\n')).toContain(words);
  });

  it('knows that rules for others or narrower ones hide nothing', () => {
    expect(warningsFor(`${ALLOW}\nwho = { uid = 5 }`, ALLOW)).toEqual([]);
    expect(warningsFor('kinds = ["*"]\nkeys = ["a#*"]\nallow = true', ALLOW)).toEqual([]);
    expect(
      warningsFor(ALLOW, 'kinds = ["*"]\nkeys = ["*"]\nallow = true\nblind = true').join(),
    ).not.toContain('never reached');
  });
});
