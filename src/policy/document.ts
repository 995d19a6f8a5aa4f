/**
 * policy.toml as a value. Text in, value out; every mistake is an error with line and column, because a policy that is
 * understood differently than it was meant is worse than none. Grammar: docs/spec/policy.md.
 */
import { z } from 'zod';
import { tomlProblem } from '../encoding/toml-problem.js';
import { parseToml } from '../encoding/toml.js';
import { AgentError, asAgentError } from '../errors/agent-error.js';

export interface RuleLimits {
  /** Signatures in any 60 minutes. */
  readonly perHour?: number | undefined;
  /** Signatures in all. */
  readonly count?: number | undefined;
  /** Milliseconds since 1970; from then on the rule admits nothing. */
  readonly untilMs?: number | undefined;
}

/** Conditions on the caller; all that are given must hold. */
export interface RuleCaller {
  readonly uid?: readonly (number | 'owner')[] | undefined;
  readonly gid?: readonly number[] | undefined;
  /** Absolute path of the socket. */
  readonly socket?: string | undefined;
  readonly grant?: string | undefined;
  readonly runner?: string | undefined;
}

export interface RuleApprovals {
  readonly k: number;
  readonly of: readonly string[];
}

export interface PolicyRule {
  readonly id: string;
  readonly effect: 'allow' | 'deny';
  /** The owner alone when left out. */
  readonly who?: RuleCaller | undefined;
  readonly kinds: readonly string[];
  readonly keys: readonly string[];
  readonly limits?: RuleLimits | undefined;
  readonly confirm: boolean;
  readonly touch: boolean;
  readonly blind: boolean;
  readonly approvals?: RuleApprovals | undefined;
  readonly evidence?: readonly string[] | undefined;
}

export interface PolicyDocument {
  readonly version: 1;
  readonly rules: readonly PolicyRule[];
}

const MAX_RULES = 1000;
const MAX_GLOBS = 1024;
const MAX_ID = 2 ** 32 - 2;

const uid = z.number().int().min(0).max(MAX_ID);
const label = z.string().min(1).max(128);
const oneOrMany = <T extends z.ZodType>(item: T, error: string): z.ZodUnion<[T, z.ZodArray<T>]> =>
  z.union([item, z.array(item).min(1).max(MAX_GLOBS)], { error });

const callerUid = z.union([uid, z.literal('owner')]);
const socketPath = z.string().max(107).startsWith('/', 'not an absolute path');
const kindGlob = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/, 'not a kind: printable ASCII without spaces, "*" as wildcard');
const keyGlob = z
  .string()
  .regex(/^[a-z0-9._:/#*-]{1,400}$/, 'not a key name: REPOSITORY#ROLE in lower case, "*" as wildcard')
  .refine((glob) => glob.split('#').length <= 2, 'holds more than one "#"')
  .refine((glob) => glob.includes('#') || glob.includes('*'), 'names no role: write REPOSITORY#ROLE');

const RFC3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/;

const instant = z
  .union([z.string(), z.date()], { error: 'not a date and time' })
  .transform((value) => (typeof value === 'string' ? value : value.toISOString()))
  .refine((text) => RFC3339.test(text) && Number.isFinite(Date.parse(text)), {
    error: 'not a date and time with an offset, for example 2027-01-31T12:00:00Z',
  })
  .transform((text) => Date.parse(text));

const whoSchema = z
  .strictObject({
    uid: oneOrMany(callerUid, 'not a uid, "owner", or a list of them').optional(),
    gid: oneOrMany(uid, 'not a gid or a list of them').optional(),
    socket: socketPath.optional(),
    grant: label.optional(),
    runner: label.optional(),
  })
  .refine((who) => Object.keys(who).length > 0, 'names nobody; leave it out to mean the owner');

const limitsSchema = z
  .strictObject({
    per_hour: z.number().int().min(1).max(1_000_000_000).optional(),
    count: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER).optional(),
    until: instant.optional(),
  })
  .refine((limits) => Object.keys(limits).length > 0, 'holds no limit');

const ruleSchema = z.strictObject({
  id: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'not an id: a-z, 0-9, ".", "_", "-", at most 64 characters')
    .refine((id) => id !== 'agent', 'is reserved for what the agent signs itself'),
  who: whoSchema.optional(),
  kinds: z.array(kindGlob).min(1).max(MAX_GLOBS),
  keys: z.array(keyGlob).min(1).max(MAX_GLOBS),
  allow: z.literal(true, 'can only be true; use deny = true to deny').optional(),
  deny: z.literal(true, 'can only be true; use allow = true to allow').optional(),
  limits: limitsSchema.optional(),
  confirm: z.boolean().optional(),
  touch: z.boolean().optional(),
  blind: z.boolean().optional(),
  approvals: z
    .strictObject({ k: z.number().int().min(1), of: z.array(label).min(1).max(64) })
    .refine(({ k, of }) => k <= new Set(of).size, 'asks for more approvals than there are approvers')
    .optional(),
  evidence: z.array(label).min(1).max(64).optional(),
});

const documentSchema = z.strictObject({
  version: z.literal(1, 'not a version this release knows; write version = 1'),
  rule: z.array(ruleSchema.superRefine(checkEffect)).max(MAX_RULES).default([]).superRefine(checkIds),
});

type WrittenRule = z.output<typeof ruleSchema>;

/**
 * Parses the text of a policy file.
 * @param file its name, for errors.
 * @throws AgentError `policy.invalid` with `file`, `line`, `column` and, where there is one, `field` in the details.
 */
export function parsePolicy(text: string, file: string): PolicyDocument {
  const document = parseTomlOf(text, file);
  const parsed = documentSchema.safeParse(document.value);
  if (!parsed.success) throw tomlProblem({ document, file, code: 'policy.invalid' }, parsed.error.issues);
  return { version: 1, rules: parsed.data.rule.map(ruleOf) };
}

function parseTomlOf(text: string, file: string): ReturnType<typeof parseToml> {
  try {
    return parseToml(text, file, 'policy.invalid');
  } catch (thrown) {
    const error = asAgentError(thrown);
    throw new AgentError(error.code, {
      message: error.message,
      details: { ...error.details, file },
      cause: thrown,
    });
  }
}

const ALLOW_ONLY = ['limits', 'confirm', 'touch', 'blind', 'approvals', 'evidence'] as const;

function checkEffect(rule: WrittenRule, context: z.RefinementCtx): void {
  if ((rule.allow === undefined) === (rule.deny === undefined)) {
    const problem =
      rule.allow === undefined ? 'says neither allow = true nor deny = true' : 'says both allow and deny';
    context.addIssue({ code: 'custom', message: `rule "${rule.id}" ${problem}` });
  }
  if (rule.deny === true) {
    for (const field of ALLOW_ONLY) {
      if (rule[field] === undefined) continue;
      context.addIssue({ code: 'custom', path: [field], message: 'has no meaning in a rule that denies' });
    }
  }
  if (rule.allow === true && rule.blind !== true && rule.kinds.includes('digest')) {
    context.addIssue({ code: 'custom', path: ['kinds'], message: 'names digest, which needs blind = true' });
  }
}

function checkIds(rules: readonly WrittenRule[], context: z.RefinementCtx): void {
  const seen = new Set<string>();
  for (const [index, rule] of rules.entries()) {
    if (seen.has(rule.id))
      context.addIssue({ code: 'custom', path: [index, 'id'], message: `"${rule.id}" is used twice` });
    seen.add(rule.id);
  }
}

function ruleOf(rule: WrittenRule): PolicyRule {
  const { limits, who } = rule;
  return {
    id: rule.id,
    effect: rule.allow === true ? 'allow' : 'deny',
    who: who && { ...who, uid: listOf(who.uid), gid: listOf(who.gid) },
    kinds: rule.kinds,
    keys: rule.keys,
    limits: limits && { perHour: limits.per_hour, count: limits.count, untilMs: limits.until },
    confirm: rule.confirm ?? false,
    touch: rule.touch ?? false,
    blind: rule.blind ?? false,
    approvals: rule.approvals,
    evidence: rule.evidence,
  };
}

function listOf<T>(value: T | readonly T[] | undefined): readonly T[] | undefined {
  if (value === undefined) return undefined;
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}
