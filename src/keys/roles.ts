/** What a role is for. The role in a key's record fixes the kinds it may sign; policy can only narrow them. */
import { AgentError } from '../errors/agent-error.js';
import { compileGlob, compileGlobs, type GlobMatcher } from '../encoding/glob.js';

const NONE: readonly string[] = [];
/** Keys `targets/NAME`. Their documents have the same bytes as those of `targets`: only the role tells them apart (docs/decisions/0011). */
const DELEGATION = 'targets/*';
const DELEGATION_PREFIX = 'targets/';
/** The role of what signs roots of repositories. */
export const ROOT_ROLE = 'root';
/** The role of what signs the top-level targets. */
export const TARGETS_ROLE = 'targets';

/** Kinds per role, as globs. The agent's own roles sign nothing for clients. */
const ROLE_KINDS: ReadonlyMap<string, readonly string[]> = new Map([
  ['cosign', ['oci.simple-signing', 'dsse:*']],
  ['ssh', ['sshsig:*', 'ssh.userauth']],
  ['notation', ['notation.payload']],
  ['x509-ca', ['x509.tbs']],
  [
    ROOT_ROLE,
    [
      'notary.root',
      'tuf.root',
      'x509.tbs',
      'dsse:application/vnd.touchstone.key-certificate+json',
      'dsse:application/vnd.touchstone.ceremony-*',
    ],
  ],
  [TARGETS_ROLE, ['notary.targets', 'tuf.targets']],
  [DELEGATION, ['notary.delegation', 'tuf.targets']],
  ['snapshot', ['notary.snapshot', 'tuf.snapshot']],
  ['timestamp', ['notary.timestamp', 'tuf.timestamp']],
  ['audit', NONE],
  ['derive', NONE],
]);

const TOKEN_ROLES: ReadonlySet<string> = new Set(['x509-ca', ROOT_ROLE]);
const AGENT_ROLES: ReadonlySet<string> = new Set(['audit', 'derive']);

/** Roles a person can ask for, as written in messages. */
const KNOWN_ROLES = [...ROLE_KINDS.keys()].filter((role) => !AGENT_ROLES.has(role));

const MATCHERS: ReadonlyMap<string, GlobMatcher> = new Map(
  [...ROLE_KINDS].map(([role, kinds]) => [role, compileGlobs(kinds)]),
);

/**
 * Globs of the kinds that keys of this role may sign.
 * @throws AgentError `key.field-invalid` for an unknown role.
 */
export function kindsOfRole(role: string): readonly string[] {
  const kinds = ROLE_KINDS.get(familyOf(role));
  if (kinds === undefined) {
    throw new AgentError('key.field-invalid', {
      message: `role: no such role; known are ${KNOWN_ROLES.join(', ')}`,
      details: { field: 'role', known: KNOWN_ROLES },
    });
  }
  return kinds;
}

/** Whether keys of this role may sign this kind; false for unknown roles, and for bare digests. */
export function roleAllows(role: string, kind: string): boolean {
  return MATCHERS.get(familyOf(role))?.(kind) ?? false;
}

/** Whether a rule can let keys of this role sign bare digests. Never a root: what it signs, everybody has to be able to read. */
export function maySignBlind(role: string): boolean {
  return role !== ROOT_ROLE && !isAgentRole(role);
}

/** Whether the role belongs to the agent itself, so that no client signs with it or derives it. */
export function isAgentRole(role: string): boolean {
  return AGENT_ROLES.has(role);
}

/** Whether keys of this role are made on a token and exist nowhere else: derived ones could be made again by whoever holds the derivation key. */
export function isTokenRole(role: string): boolean {
  return TOKEN_ROLES.has(role);
}

/** Whether one kind glob covers a kind. */
export function matchesKind(glob: string, kind: string): boolean {
  return compileGlob(glob)(kind);
}

function familyOf(role: string): string {
  return role.startsWith(DELEGATION_PREFIX) && role.length > DELEGATION_PREFIX.length ? DELEGATION : role;
}
