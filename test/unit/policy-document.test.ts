import { describe, expect, it } from 'vitest';
import { defaultPolicy } from '../../src/policy/default-policy.js';
import { compilePolicy, decide } from '../../src/policy/decide.js';
import { parsePolicy } from '../../src/policy/document.js';
import { emptyUsage } from '../../src/policy/usage.js';
import { warningsOf } from '../../src/policy/warnings.js';
import { thrownBy } from '../support/error-code.js';

const RULE = `[[rule]]
id = "a"
kinds = ["sshsig:file"]
keys = ["x#ssh"]
`;

function withRule(lines: string): string {
  return `version = 1\n${RULE}${lines}\n`;
}

describe('policy document', () => {
  it('reads every field', () => {
    const document = parsePolicy(
      `version = 1
[[rule]]
id = "everything"
who = { uid = [0, "owner"], gid = 5, socket = "/run/a.sock", grant = "g", runner = "r" }
kinds = ["digest", "dsse:*"]
keys = ["*#cosign", "a/b:c#targets/releases"]
allow = true
limits = { per_hour = 5, count = 10, until = 2030-01-01T02:00:00+02:00 }
confirm = true
touch = true
blind = true
approvals = { k = 1, of = ["alice", "bob"] }
evidence = ["test-run"]
`,
      'policy.toml',
    );
    expect(document.rules).toEqual([
      {
        id: 'everything',
        effect: 'allow',
        who: { uid: [0, 'owner'], gid: [5], socket: '/run/a.sock', grant: 'g', runner: 'r' },
        kinds: ['digest', 'dsse:*'],
        keys: ['*#cosign', 'a/b:c#targets/releases'],
        limits: { perHour: 5, count: 10, untilMs: Date.parse('2030-01-01T00:00:00Z') },
        confirm: true,
        touch: true,
        blind: true,
        approvals: { k: 1, of: ['alice', 'bob'] },
        evidence: ['test-run'],
      },
    ]);
  });

  it('takes until as text as well', () => {
    const text = withRule('allow = true\nlimits = { until = "2030-01-01T00:00:00Z" }');
    expect(parsePolicy(text, 'p').rules[0]?.limits?.untilMs).toBe(Date.parse('2030-01-01T00:00:00Z'));
  });

  it('may be empty: then nothing is allowed', () => {
    expect(parsePolicy('version = 1', 'p').rules).toEqual([]);
  });

  const table: readonly (readonly [string, string, number, string])[] = [
    ['no version', RULE, 1, 'version'],
    ['another version', `version = 2\n`, 1, 'version'],
    ['an unknown field at the top', 'version = 1\nrules = []\n', 2, 'rules'],
    ['an unknown field of a rule', withRule('allow = true\nconfrim = true'), 7, 'rule[0].confrim'],
    ['an unknown limit', withRule('allow = true\nlimits = { per_day = 1 }'), 7, 'rule[0].limits.per_day'],
    ['an unknown caller fact', withRule('allow = true\nwho = { exe = "/bin/sh" }'), 7, 'rule[0].who.exe'],
    ['neither allow nor deny', withRule(''), 2, 'rule[0]'],
    ['both allow and deny', withRule('allow = true\ndeny = true'), 2, 'rule[0]'],
    ['allow = false', withRule('allow = false'), 6, 'rule[0].allow'],
    ['a duplicate id', withRule('allow = true\n') + RULE + 'deny = true\n', 9, 'rule[1].id'],
    ['the reserved id', 'version = 1\n' + RULE.replace('"a"', '"agent"') + 'allow = true\n', 3, 'rule[0].id'],
    [
      'an id with a space',
      'version = 1\n' + RULE.replace('"a"', '"a b"') + 'allow = true\n',
      3,
      'rule[0].id',
    ],
    ['no kinds', 'version = 1\n[[rule]]\nid = "a"\nkeys = ["*"]\nallow = true\n', 2, 'rule[0].kinds'],
    [
      'empty kinds',
      'version = 1\n[[rule]]\nid = "a"\nkinds = []\nkeys = ["*"]\nallow = true\n',
      4,
      'rule[0].kinds',
    ],
    [
      'a kind with a space',
      'version = 1\n[[rule]]\nid = "a"\nkinds = ["a", "a b"]\nkeys = ["*"]\nallow = true\n',
      4,
      'rule[0].kinds[1]',
    ],
    [
      'a key without role',
      'version = 1\n[[rule]]\nid = "a"\nkinds = ["*"]\nkeys = ["a/b"]\nallow = true\n',
      5,
      'rule[0].keys[0]',
    ],
    [
      'a key in upper case',
      'version = 1\n[[rule]]\nid = "a"\nkinds = ["*"]\nkeys = ["A#b"]\nallow = true\n',
      5,
      'rule[0].keys[0]',
    ],
    [
      'a key with two roles',
      'version = 1\n[[rule]]\nid = "a"\nkinds = ["*"]\nkeys = ["a#b#c"]\nallow = true\n',
      5,
      'rule[0].keys[0]',
    ],
    ['a user name', withRule('allow = true\nwho = { uid = "alice" }'), 7, 'rule[0].who.uid'],
    ['a negative uid', withRule('allow = true\nwho = { uid = -1 }'), 7, 'rule[0].who.uid'],
    ['an empty list of uids', withRule('allow = true\nwho = { uid = [] }'), 7, 'rule[0].who.uid'],
    ['gid = "owner"', withRule('allow = true\nwho = { gid = "owner" }'), 7, 'rule[0].who.gid'],
    ['an empty who', withRule('allow = true\nwho = {}'), 7, 'rule[0].who'],
    ['a relative socket', withRule('allow = true\nwho = { socket = "a.sock" }'), 7, 'rule[0].who.socket'],
    ['empty limits', withRule('allow = true\nlimits = {}'), 7, 'rule[0].limits'],
    ['a limit of nothing', withRule('allow = true\nlimits = { count = 0 }'), 7, 'rule[0].limits.count'],
    ['half a signature', withRule('allow = true\nlimits = { per_hour = 1.5 }'), 7, 'rule[0].limits.per_hour'],
    [
      'a local time',
      withRule('allow = true\nlimits = { until = 2030-01-01T00:00:00 }'),
      7,
      'rule[0].limits.until',
    ],
    ['a date alone', withRule('allow = true\nlimits = { until = 2030-01-01 }'), 7, 'rule[0].limits.until'],
    [
      'a month that does not exist',
      withRule('allow = true\nlimits = { until = "2030-13-01T00:00:00Z" }'),
      7,
      'rule[0].limits.until',
    ],
    ['limits of a denial', withRule('deny = true\nlimits = { count = 1 }'), 7, 'rule[0].limits'],
    ['a blind denial', withRule('deny = true\nblind = true'), 7, 'rule[0].blind'],
    [
      'digest without blind',
      'version = 1\n[[rule]]\nid = "a"\nkinds = ["digest"]\nkeys = ["*"]\nallow = true\n',
      4,
      'rule[0].kinds',
    ],
    [
      'more approvals than approvers',
      withRule('allow = true\napprovals = { k = 2, of = ["a", "a"] }'),
      7,
      'rule[0].approvals',
    ],
    ['confirm as text', withRule('allow = true\nconfirm = "yes"'), 7, 'rule[0].confirm'],
  ];

  it.each(table)('refuses %s and points at it', (_, text, line, field) => {
    const error = thrownBy(() => parsePolicy(text, 'some/policy.toml'));
    expect(error.code).toBe('policy.invalid');
    expect(error.details).toMatchObject({ file: 'some/policy.toml', line, field });
    expect(error.message).toContain(`some/policy.toml, line ${line}, column `);
    expect(error.message).toContain(field);
  });

  it('points at a syntax error', () => {
    const error = thrownBy(() => parsePolicy('version = 1\n[[rule]\n', 'policy.toml'));
    expect(error.code).toBe('policy.invalid');
    expect(error.details).toMatchObject({ file: 'policy.toml', line: 2 });
  });

  it('reports the first of several mistakes', () => {
    const error = thrownBy(() => parsePolicy('version = 1\n[[rule]]\nidd = "a"\nzzz = 1\n', 'p'));
    expect(error.details).toMatchObject({ line: 2 });
  });
});

describe('default policy', () => {
  const document = parsePolicy(defaultPolicy(), 'policy.toml');
  const policy = compilePolicy(document, { ownerUid: 1000 });
  const ask = (key: string, kind: string, uid = 1000): string =>
    decide(
      policy,
      { uid, gid: 1000, socket: '/s', key, kind, blind: kind === 'digest', nowMs: 0 },
      emptyUsage(),
    ).outcome;

  it('has nothing to warn about', () => {
    expect(warningsOf(document, 0)).toEqual([]);
  });

  it('lets the owner do what the quickstart needs, and nobody else anything', () => {
    const allowed = [
      ['docker.io/library/hello#cosign', 'oci.simple-signing'],
      ['docker.io/library/hello#cosign', 'dsse:application/vnd.in-toto+json'],
      ['touchstone/release#ssh', 'sshsig:file'],
      ['touchstone/release#ssh', 'sshsig:git'],
      ['docker.io/library/hello#notation', 'notation.payload'],
      ['touchstone/ca#x509-ca', 'x509.tbs'],
      ['docker.io/acme/app#root', 'notary.root'],
      ['docker.io/acme/app#root', 'x509.tbs'],
      ['docker.io/acme/app#root', 'dsse:application/vnd.touchstone.key-certificate+json'],
      ['docker.io/acme/app#root', 'dsse:application/vnd.touchstone.ceremony-seal+json'],
      ['docker.io/acme/app#targets', 'notary.targets'],
      ['docker.io/acme/app#targets/releases', 'notary.delegation'],
      ['docker.io/acme/app#snapshot', 'notary.snapshot'],
      ['docker.io/acme/app#timestamp', 'notary.timestamp'],
    ] as const;
    for (const [key, kind] of allowed) {
      expect(ask(key, kind)).toBe('allow');
      expect(ask(key, kind, 1001)).toBe('deny');
      expect(ask(key, kind, 0)).toBe('deny');
    }
    expect(ask('docker.io/library/hello#cosign', 'digest')).toBe('deny');
    expect(ask('docker.io/library/hello#cosign', 'sshsig:file')).toBe('deny');
    expect(ask('touchstone/release#ssh', 'sshsig:email')).toBe('deny');
    expect(ask('docker.io/library/hello#cosign', 'dsse:text/plain')).toBe('deny');
  });

  it('shows examples that are valid when uncommented', () => {
    const uncommented = defaultPolicy().replace(/^# ?(?=\[\[rule\]\]|[a-z_]+ = )/gm, '');
    expect(parsePolicy(uncommented, 'p').rules.length).toBe(13);
  });
});
