/**
 * The team rule: this environment runs only digests signed by members of these teams. Text in, value out, and a pure decision; every mistake
 * is an error with line and column. Grammar: docs/spec/trust-policy.md.
 */
import { z } from 'zod';
import { tomlProblem } from '../encoding/toml-problem.js';
import { parseToml } from '../encoding/toml.js';

export interface TeamRule {
  readonly id: string;
  /** Globs. */
  readonly environments: readonly string[];
  /** Globs. */
  readonly repositories: readonly string[];
  readonly demand: TeamDemand;
}

export type TeamDemand =
  | { readonly kind: 'deny' }
  /** Any tag that a trusted pull finds. */
  | { readonly kind: 'signed' }
  /** At least `need` of the teams have a member who signed. */
  | { readonly kind: 'teams'; readonly teams: readonly string[]; readonly need: number };

export interface TeamPolicy {
  /** Name of the person by canonical key id: a key is one person's. */
  readonly people: ReadonlyMap<string, string>;
  /** Names of people by team. */
  readonly teams: ReadonlyMap<string, ReadonlySet<string>>;
  readonly rules: readonly TeamRule[];
}

/** Canonical id of the public key in a file; throws an AgentError when there is none. */
export type ReadKeyFile = (path: string) => string;

const MAX_RULES = 1_000;
const MAX_ENTRIES = 4_096;

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/, 'not a name: letters, digits, ".", "_", "@", "-", at most 64');
const glob = z
  .string()
  .regex(/^[\x21-\x7e]{1,300}$/, 'not a pattern: printable ASCII without spaces, "*" as wildcard');
const globs = z.array(glob).min(1).max(MAX_ENTRIES);

const personSchema = z
  .strictObject({
    keys: z
      .array(z.string().regex(/^[0-9a-f]{64}$/, 'not a canonical key id: 64 lower-case hex digits'))
      .max(MAX_ENTRIES)
      .default([]),
    key_files: z.array(z.string().min(1)).max(MAX_ENTRIES).default([]),
  })
  .refine(({ keys, key_files }) => keys.length + key_files.length > 0, 'has no key');

const ruleSchema = z.strictObject({
  id: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'not an id: a-z, 0-9, ".", "_", "-", at most 64 characters'),
  environments: globs.default(['*']),
  repositories: globs,
  teams: z.array(name).min(1).max(MAX_ENTRIES).optional(),
  need: z.int().min(1).optional(),
  signed: z.literal(true, 'can only be true').optional(),
  deny: z.literal(true, 'can only be true').optional(),
});

const schema = z
  .strictObject({
    version: z.literal(1, 'not a version this release knows; write version = 1'),
    people: z.record(name, personSchema).default({}),
    teams: z.record(name, z.array(name).min(1).max(MAX_ENTRIES)).default({}),
    rule: z.array(ruleSchema.superRefine(checkDemand)).max(MAX_RULES).default([]),
  })
  .superRefine(checkNames);

type Written = z.output<typeof schema>;
type WrittenRule = z.output<typeof ruleSchema>;

/**
 * Parses the text of a trust policy.
 * @param file its name, for errors
 * @param readKeyFile for `key_files`
 * @throws AgentError `notary.policy` with `file`, `line`, `column` and `field`; what `readKeyFile` throws
 */
export function parseTeamPolicy(text: string, file: string, readKeyFile: ReadKeyFile): TeamPolicy {
  const document = parseToml(text, file, 'notary.policy');
  const parsed = schema.safeParse(document.value);
  const source = { document, file, code: 'notary.policy' } as const;
  if (!parsed.success) throw tomlProblem(source, parsed.error.issues);
  const people = new Map<string, string>();
  for (const [person, { keys, key_files }] of Object.entries(parsed.data.people)) {
    for (const key of [...keys, ...key_files.map(readKeyFile)]) {
      const other = people.get(key);
      if (other !== undefined && other !== person) {
        throw tomlProblem(source, [
          {
            path: ['people', person],
            message: `a key of "${person}" is also one of "${other}"`,
            code: 'custom',
          },
        ]);
      }
      people.set(key, person);
    }
  }
  const teams = Object.entries(parsed.data.teams).map(([team, members]) => [team, new Set(members)] as const);
  return { people, teams: new Map(teams), rules: parsed.data.rule.map(ruleOf) };
}

function ruleOf({ id, environments, repositories, ...rest }: WrittenRule): TeamRule {
  return { id, environments, repositories, demand: demandOf(rest) };
}

function demandOf({ teams, need, signed }: Pick<WrittenRule, 'teams' | 'need' | 'signed'>): TeamDemand {
  if (teams !== undefined) return { kind: 'teams', teams, need: need ?? teams.length };
  return signed === true ? { kind: 'signed' } : { kind: 'deny' };
}

function checkDemand(rule: WrittenRule, context: z.RefinementCtx): void {
  const { id, teams, need, signed, deny } = rule;
  const problem = (message: string, ...path: string[]): void => {
    context.addIssue({ code: 'custom', path, message });
  };
  const given = [teams, signed, deny].filter((one) => one !== undefined).length;
  if (given !== 1) problem(`rule "${id}" needs teams, signed = true or deny = true, one of them`);
  if (teams !== undefined && new Set(teams).size !== teams.length) problem('names a team twice', 'teams');
  if (need === undefined) return;
  if (teams === undefined) problem('has no meaning without teams', 'need');
  else if (need > teams.length) problem('asks for more teams than there are', 'need');
}

/** Every name that is used is there: a team that nobody is in would otherwise be a rule that nobody can meet, or a slip of the pen. */
function checkNames(policy: Written, context: z.RefinementCtx): void {
  const problem = (path: (string | number)[], message: string): void => {
    context.addIssue({ code: 'custom', path, message });
  };
  for (const [team, members] of Object.entries(policy.teams)) {
    for (const member of members) {
      if (!Object.hasOwn(policy.people, member))
        problem(['teams', team], `"${member}" is nobody in [people]`);
    }
  }
  const ids = new Set<string>();
  for (const [index, rule] of policy.rule.entries()) {
    if (ids.has(rule.id)) problem(['rule', index, 'id'], `"${rule.id}" is used twice`);
    ids.add(rule.id);
    for (const team of rule.teams ?? []) {
      if (!Object.hasOwn(policy.teams, team)) problem(['rule', index, 'teams'], `there is no team "${team}"`);
    }
  }
}
