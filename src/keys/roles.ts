/** What a role is for. The role in a key's record fixes the kinds it may sign; policy can only narrow them. */
import { AgentError } from '../errors/agent-error.js';
import { compileGlob, compileGlobs, type GlobMatcher } from '../encoding/glob.js';

const NONE: readonly string[] = [];
const REPOSITORY_METADATA: readonly string[] = ['notary.*', 'tuf.*'];

/** Kinds per role, as globs. The agent's own roles sign nothing for clients. */
const ROLE_KINDS: ReadonlyMap<string, readonly string[]> = new Map([
  ['cosign', ['oci.simple-signing', 'dsse:*']],
  ['ssh', ['sshsig:*', 'ssh.userauth']],
  ['notation', ['notation.payload']],
  ['x509-ca', ['x509.tbs']],
  ['targets', REPOSITORY_METADATA],
  ['snapshot', REPOSITORY_METADATA],
  ['timestamp', REPOSITORY_METADATA],
  ['audit', NONE],
  ['root', NONE],
  ['derive', NONE],
]);

const DELEGATION_PREFIX = 'targets/';
const TOKEN_ROLES: ReadonlySet<string> = new Set(['x509-ca']);
const AGENT_ROLES: ReadonlySet<string> = new Set(['audit', 'root', 'derive']);

/** Roles a person can ask for, as written in messages. */
const KNOWN_ROLES = [...ROLE_KINDS.keys()]
  .filter((role) => !AGENT_ROLES.has(role))
  .concat(`${DELEGATION_PREFIX}*`);

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

/** Whether keys of this role may sign this kind; false for unknown roles. */
export function roleAllows(role: string, kind: string): boolean {
  return MATCHERS.get(familyOf(role))?.(kind) ?? false;
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
  return role.length > DELEGATION_PREFIX.length && role.startsWith(DELEGATION_PREFIX) ? 'targets' : role;
}
