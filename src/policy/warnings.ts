/** What is valid in a policy but probably not meant, or not available in this release: for `touchstone policy check`. */
import { compileGlob, compileGlobs, isGlob } from '../encoding/glob.js';
import { unavailableConditions } from './decide.js';
import type { PolicyDocument, PolicyRule } from './document.js';

export interface PolicyWarning {
  readonly rule: string;
  readonly message: string;
}

const KNOWN_KINDS: readonly string[] = [
  'oci.simple-signing',
  'digest',
  'ssh.userauth',
  'notation.payload',
  'x509.tbs',
  'notary.root',
  'notary.targets',
  'notary.delegation',
  'notary.snapshot',
  'notary.timestamp',
  'tuf.root',
  'tuf.targets',
  'tuf.snapshot',
  'tuf.timestamp',
];
const KNOWN_FAMILIES: readonly string[] = ['dsse:', 'sshsig:'];

/** All warnings, in the order of the rules. `nowMs` in milliseconds since 1970 tells which rules have ended. */
export function warningsOf(policy: PolicyDocument, nowMs: number): readonly PolicyWarning[] {
  return policy.rules.flatMap((rule, index) => {
    const messages = [
      ...unavailable(rule),
      ...unknownKinds(rule),
      ...blindness(rule),
      ...ended(rule, nowMs),
      ...shadow(rule, policy.rules.slice(0, index)),
    ];
    return messages.map((message) => ({ rule: rule.id, message }));
  });
}

function unavailable(rule: PolicyRule): readonly string[] {
  return unavailableConditions(rule).map((condition) =>
    rule.effect === 'deny'
      ? `${condition} is not available in this release; the rule denies every caller its other conditions name`
      : `${condition} is not available in this release; what the rule matches is refused`,
  );
}

function unknownKinds(rule: PolicyRule): readonly string[] {
  return rule.kinds
    .filter((glob) => !coversKnownKind(glob))
    .map((glob) => `kinds: this release signs nothing that "${glob}" covers`);
}

function coversKnownKind(glob: string): boolean {
  const matches = compileGlob(glob);
  if (KNOWN_KINDS.some(matches)) return true;
  const head = glob.split('*')[0] ?? '';
  const isOpen = isGlob(glob);
  return KNOWN_FAMILIES.some((family) => head.startsWith(family) || (isOpen && family.startsWith(head)));
}

function blindness(rule: PolicyRule): readonly string[] {
  if (!rule.blind) return [];
  if (!compileGlobs(rule.kinds)('digest')) return ['blind = true has no effect: kinds do not cover digest'];
  return ['blind = true: the agent signs digests without knowing what they are of'];
}

function ended(rule: PolicyRule, nowMs: number): readonly string[] {
  const until = rule.limits?.untilMs;
  return until !== undefined && until <= nowMs
    ? ['limits.until has passed; what the rule matches is refused']
    : [];
}

/** An earlier rule for the same caller whose globs are at least as wide takes everything away from this one. */
function shadow(rule: PolicyRule, earlier: readonly PolicyRule[]): readonly string[] {
  const wider = earlier.find(
    (other) =>
      (other.effect === 'deny' || other.blind || !rule.blind) &&
      JSON.stringify(other.who ?? null) === JSON.stringify(rule.who ?? null) &&
      covers(other.kinds, rule.kinds) &&
      covers(other.keys, rule.keys),
  );
  return wider === undefined
    ? []
    : [`never reached: rule "${wider.id}" before it matches everything it does`];
}

// A glob taken as text is matched by another one only when that one matches all that it stands for.
function covers(wide: readonly string[], narrow: readonly string[]): boolean {
  const matches = compileGlobs(wide);
  return narrow.every(matches);
}
