/** The team rule: the grammar of its file, decisions by example, and the judgement of images by what is signed. */
import { describe, expect, it } from 'vitest';
import { signedTag } from '../../src/trust/approvals.js';
import type { Collection } from '../../src/trust/collection.js';
import { judgeImage } from '../../src/trust/image-judgement.js';
import { PassingMemory } from '../../src/trust/memory.js';
import { PinSet } from '../../src/trust/pins.js';
import { decideByTeams } from '../../src/trust/team-decision.js';
import { parseTeamPolicy, type TeamPolicy } from '../../src/trust/team-policy.js';
import { updateCollection } from '../../src/trust/update.js';
import { thrownBy } from '../support/error-code.js';
import { MadeRepository } from '../support/made-repository.js';
import { SoftwareSigner } from '../support/software-signer.js';

const NAME = 'registry.example/acme/app';
const alice = SoftwareSigner.make();
const bob = SoftwareSigner.make('ed25519');
const carol = SoftwareSigner.make();

function parse(text: string): TeamPolicy {
  return parseTeamPolicy(text, 'teams.toml', (path) => {
    if (path === 'carol.pub') return carol.canonicalId;
    throw new Error(`no ${path}`);
  });
}

const POLICY = parse(`
version = 1
[people.alice]
keys = ["${alice.canonicalId}"]
[people.bob]
keys = ["${bob.canonicalId}"]
[people.carol]
key_files = ["carol.pub"]
[teams]
dev = ["alice", "bob"]
qa = ["carol", "bob"]
ops = ["carol"]
[[rule]]
id = "frozen"
repositories = ["registry.example/frozen/*"]
deny = true
[[rule]]
id = "production"
environments = ["production"]
repositories = ["registry.example/*"]
teams = ["dev", "qa"]
[[rule]]
id = "staging"
environments = ["staging", "stage-*"]
repositories = ["registry.example/*"]
teams = ["dev", "qa", "ops"]
need = 2
[[rule]]
id = "laptops"
repositories = ["registry.example/acme/*"]
signed = true
`);

function repository(): MadeRepository {
  return new MadeRepository(NAME)
    .delegate('targets/releases', [alice, bob])
    .delegate('targets/alice', [alice])
    .delegate('targets/bob', [bob])
    .delegate('targets/carol', [carol.certified('carol')]);
}

function read(made: MadeRepository): Promise<Collection> {
  const options = { pins: new PinSet([], true), memory: new PassingMemory(), nowMs: Date.now() };
  return updateCollection(made.publish(), options);
}

async function judge(made: MadeRepository, environment: string, digest?: string): Promise<string> {
  const judged = judgeImage(
    await read(made),
    { tag: digest === undefined ? 'v1' : undefined, digest, environment },
    POLICY,
  );
  return `${judged.outcome}: ${judged.reason}`;
}

describe('the file', () => {
  it.each([
    ['version = 2', 1, 'version'],
    ['version = 1\nteam = 1', 2, 'team'],
    ['version = 1\n[people.alice]', 2, 'people.alice'],
    ['version = 1\n[people.alice]\nkeys = ["AB"]', 3, 'people.alice.keys[0]'],
    ['version = 1\n[teams]\ndev = ["alice"]', 3, 'teams.dev'],
    ['version = 1\n[[rule]]\nid = "a"\nrepositories = ["*"]\nteams = ["dev"]', 5, 'rule[0].teams'],
    ['version = 1\n[[rule]]\nid = "a"\nrepositories = ["*"]', 2, 'rule[0]'],
    ['version = 1\n[[rule]]\nid = "a"\nrepositories = ["*"]\ndeny = true\nsigned = true', 2, 'rule[0]'],
    ['version = 1\n[[rule]]\nid = "a"\nrepositories = ["*"]\ndeny = true\nneed = 1', 6, 'rule[0].need'],
    [
      `version = 1\n[people.a]\nkeys = ["${'a'.repeat(64)}"]\n[people.b]\nkeys = ["${'a'.repeat(64)}"]`,
      4,
      'people.b',
    ],
  ])('with a mistake says where: %j', (text, line, field) => {
    const error = thrownBy(() => parse(text));
    expect([error.code, error.details?.['line'], error.details?.['field']]).toEqual([
      'notary.policy',
      line,
      field,
    ]);
  });

  it('may ask for no more teams than it names', () => {
    const rule = '[[rule]]\nid = "a"\nrepositories = ["*"]\nteams = ["dev"]\nneed = 2';
    const text = `version = 1\n[people.carol]\nkey_files = ["carol.pub"]\n[teams]\ndev = ["carol"]\n${rule}`;
    expect(thrownBy(() => parse(text)).details?.['field']).toBe('rule[0].need');
  });
});

describe('a decision', () => {
  const by = (...signers: SoftwareSigner[]) =>
    signers.map((signer) => ({ role: 'targets/x', keys: [signer.canonicalId] }));

  it.each([
    ['production', NAME, [alice, carol], true],
    ['production', NAME, [bob], true],
    ['production', NAME, [alice], false],
    ['production', NAME, [], false],
    ['staging', NAME, [carol], true],
    ['stage-7', NAME, [alice], false],
    ['', NAME, [], true],
    ['elsewhere', 'registry.example/other/app', [alice, bob, carol], false],
    ['production', 'registry.example/frozen/app', [alice, bob, carol], false],
    ['production', 'other.example/acme/app', [alice, bob, carol], false],
  ] as const)('in %j for %s', (environment, name, signers, allowed) => {
    expect(decideByTeams(POLICY, { environment, repository: name, approvals: by(...signers) }).allowed).toBe(
      allowed,
    );
  });

  it('names the teams that are missing, who signed for the others, and keys of nobody', () => {
    const stranger = SoftwareSigner.make();
    const decision = decideByTeams(POLICY, {
      environment: 'production',
      repository: NAME,
      approvals: by(alice, stranger),
    });
    expect(decision.missing).toEqual(['qa']);
    expect(decision.unknownKeys).toEqual([stranger.canonicalId]);
    expect(decision.reason).toBe('rule "production" wants all of 2 teams: signed by dev (alice), missing qa');
  });
});

describe('an image', () => {
  it('runs as the digest that every team has signed under its name', async () => {
    const made = repository().sign('targets/releases', 'v1', 'a').sign('targets/alice', 'v1', 'a');
    expect(await judge(made, 'production')).toContain('denied: rule "production" wants all of 2 teams');
    made.sign('targets/carol', 'v1', 'a');
    expect(await judge(made, 'production')).toContain('allowed: rule "production"');
    expect(await judge(made, 'production', `sha256:${'a'.repeat(64)}`)).toContain('allowed');
    expect(await judge(made, 'production', `sha256:${'b'.repeat(64)}`)).toContain('unsigned');
  });

  it('is not approved by who has signed another digest, or another name', async () => {
    const made = repository().sign('targets/releases', 'v1', 'a').sign('targets/alice', 'v1', 'a');
    made.sign('targets/carol', 'v1', 'b').sign('targets/carol', 'v2', 'a');
    expect(await judge(made, 'production')).toMatch(
      /^denied: .*missing qa; .*targets\/carol holds sha256:bbbb/,
    );
  });

  it('is not approved by a signature on what everybody releases', async () => {
    const made = repository().sign('targets/releases', 'v1', 'a');
    expect(await judge(made, 'production')).toContain('nobody of them signed');
  });

  it('is not approved by a key that may sign a role but did not', async () => {
    const made = repository().delegate('targets/both', [alice, carol]);
    made.role('targets/both').signing = [alice];
    made.sign('targets/releases', 'v1', 'a').sign('targets/both', 'v1', 'a');
    const view = await read(made);
    expect(signedTag(view, 'v1')?.approvals).toEqual([{ role: 'targets/both', keys: [alice.canonicalId] }]);
  });

  it('is approved by the key, whatever its delegation is called and whatever certificate it comes in', async () => {
    const made = repository().delegate('targets/zz', [bob]);
    made.sign('targets/releases', 'v1', 'a').sign('targets/zz', 'v1', 'a');
    expect(await judge(made, 'production')).toContain('signed by dev (bob), qa (bob)');
  });

  it('that no pull would find is not signed', async () => {
    const made = repository().sign('targets/alice', 'v1', 'a').sign('targets/carol', 'v1', 'a');
    expect(await judge(made, 'production')).toBe(
      'unsigned: nothing is signed as v1; only targets/alice, targets/carol holds it, which no pull looks at',
    );
  });

  it('is the one that is released, not the one of the owner', async () => {
    const made = repository().sign('targets', 'v1', 'b').sign('targets/releases', 'v1', 'a');
    const signed = signedTag(await read(made), 'v1');
    expect([signed?.from, signed?.digest.slice(7, 8), signed?.others.map(({ role }) => role)]).toEqual([
      'targets/releases',
      'a',
      ['targets'],
    ]);
  });

  it('without a policy only has to be signed', async () => {
    const view = await read(repository().sign('targets', 'latest', 'a'));
    expect(judgeImage(view, { environment: '' }, undefined)).toMatchObject({ outcome: 'allowed' });
    expect(judgeImage(view, { tag: 'v1', environment: '' }, undefined)).toMatchObject({
      outcome: 'unsigned',
    });
  });
});
