/** Deciding by a team policy. Pure; first match, default deny, and every answer says why. */
import { compileGlobs } from '../encoding/glob.js';
import type { Approval } from './approvals.js';
import type { TeamPolicy, TeamRule } from './team-policy.js';

export interface TeamQuestion {
  /** For example `production`; empty when nobody said. */
  readonly environment: string;
  readonly repository: string;
  /** Of the digest in question, under the name in question. */
  readonly approvals: readonly Approval[];
}

export interface TeamSigner {
  readonly person: string;
  /** Canonical id. */
  readonly key: string;
  readonly role: string;
}

export interface TeamVerdict {
  readonly team: string;
  /** Members who signed; empty when the team is missing. */
  readonly signedBy: readonly TeamSigner[];
}

export interface TeamDecision {
  readonly allowed: boolean;
  /** Undefined when no rule matched. */
  readonly rule: string | undefined;
  /** Teams that the rule names. */
  readonly teams: readonly TeamVerdict[];
  /** Teams without a signature of a member; empty when the image is allowed. */
  readonly missing: readonly string[];
  /** Signing keys that are nobody's in the policy. */
  readonly unknownKeys: readonly string[];
  readonly reason: string;
}

/** Whether an image may run, and why. A key counts for its person, and a person for every team they are in. */
export function decideByTeams(policy: TeamPolicy, question: TeamQuestion): TeamDecision {
  const { environment, repository, approvals } = question;
  const rule = policy.rules.find((one) => matches(one, environment, repository));
  const signers = approvals.flatMap(({ role, keys }) => keys.map((key) => ({ role, key })));
  const unknownKeys = [...new Set(signers.map(({ key }) => key).filter((key) => !policy.people.has(key)))];
  const base = { rule: rule?.id, teams: [], missing: [], unknownKeys };
  if (rule === undefined) {
    const where = environment === '' ? 'where no environment is named' : `in the environment ${environment}`;
    return { ...base, allowed: false, reason: `no rule is for ${repository} ${where}` };
  }
  const { demand, id } = rule;
  switch (demand.kind) {
    case 'deny':
      return { ...base, allowed: false, reason: `rule "${id}" denies it` };
    case 'signed':
      return { ...base, allowed: true, reason: `rule "${id}" takes every signed image` };
    case 'teams': {
      const known = signers.flatMap(({ role, key }) => {
        const person = policy.people.get(key);
        return person === undefined ? [] : [{ person, key, role }];
      });
      const teams = demand.teams.map((team) => verdictOf(policy, team, known));
      return { ...base, ...judge(id, demand.need, teams) };
    }
  }
}

function matches(rule: TeamRule, environment: string, repository: string): boolean {
  return compileGlobs(rule.environments)(environment) && compileGlobs(rule.repositories)(repository);
}

function verdictOf(policy: TeamPolicy, team: string, signers: readonly TeamSigner[]): TeamVerdict {
  const members = policy.teams.get(team) ?? new Set();
  return { team, signedBy: signers.filter(({ person }) => members.has(person)) };
}

function judge(
  id: string,
  need: number,
  teams: readonly TeamVerdict[],
): Pick<TeamDecision, 'allowed' | 'teams' | 'missing' | 'reason'> {
  const there = teams.filter(({ signedBy }) => signedBy.length > 0);
  const asked = need === teams.length ? `all of ${teams.length} teams` : `${need} of ${teams.length} teams`;
  const shown = there.map(({ team, signedBy }) => `${team} (${names(signedBy)})`).join(', ');
  if (there.length >= need) {
    return { allowed: true, teams, missing: [], reason: `rule "${id}" wants ${asked}: signed by ${shown}` };
  }
  const missing = teams.filter(({ signedBy }) => signedBy.length === 0).map(({ team }) => team);
  const have = shown === '' ? 'nobody of them signed' : `signed by ${shown}`;
  const gap = `missing ${need === teams.length ? '' : `${need - there.length} of `}${missing.join(', ')}`;
  return { allowed: false, teams, missing, reason: `rule "${id}" wants ${asked}: ${have}, ${gap}` };
}

function names(signers: readonly TeamSigner[]): string {
  return [...new Set(signers.map(({ person }) => person))].join(', ');
}
