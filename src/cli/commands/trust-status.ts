/** `touchstone trust status`: the server beside what this machine saw last, and what is under way. */
import { asAgentError, type AgentError } from '../../errors/agent-error.js';
import type { Collection } from '../../trust/collection.js';
import { Journal, type PendingPublish } from '../../trust/journal.js';
import { PassingMemory, type SeenCollection } from '../../trust/memory.js';
import { NewestTimestamp } from '../../trust/newest-timestamp.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import { roleViews } from '../../trust/role-view.js';
import { updateCollection } from '../../trust/update.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { renderTable } from '../table.js';
import { openTrust, type TrustSession } from '../trust-session.js';

interface RoleStatus {
  readonly role: string;
  readonly version: number | null;
  readonly seen: number | null;
  readonly expires: string | null;
  readonly problem: string | null;
}

/** Nothing is remembered and nothing changed; exit status 6 when the repository does not verify. */
export async function trustStatus(
  context: CliContext,
  { options, args }: Invocation,
): Promise<CommandResult> {
  const { repository } = parseTrustReference(args[0] ?? '');
  const session = await openTrust(context, options, repository);
  const seen = session.memory.load(repository);
  const pending = new Journal(session.trustDir, repository).read();
  const found = await look(session, seen);
  const roles = found.collection === undefined ? [] : roleStatuses(found.collection, seen);
  const problem = found.problem ?? expiry(roles);
  for (const warning of found.collection?.warnings ?? []) context.warn(`warning: ${warning}`);
  const json = {
    repository,
    verified: problem === undefined,
    problem: problem ?? null,
    roles,
    pending: pending === undefined ? null : pendingFacts(pending),
  };
  const text = [
    `${repository}: ${problem ?? 'verifies'}`,
    ...(roles.length === 0 ? [] : ['', renderRoles(roles)]),
    ...(pending === undefined ? [] : ['', renderPending(pending)]),
  ].join('\n');
  return { json, text, ...(problem === undefined ? {} : { exit: 6 as const }) };
}

interface Found {
  readonly collection?: Collection;
  readonly problem?: string;
}

async function look({ server, pins }: TrustSession, seen: SeenCollection | undefined): Promise<Found> {
  const memory = new PassingMemory();
  if (seen !== undefined) memory.save(server.repository, seen);
  try {
    return {
      collection: await updateCollection(new NewestTimestamp(server), {
        pins,
        memory,
        nowMs: Date.now(),
        tolerateExpired: true,
      }),
    };
  } catch (thrown) {
    const error: AgentError = asAgentError(thrown);
    if (error.row.exit !== 6) throw thrown;
    return { problem: error.message };
  }
}

function roleStatuses(collection: Collection, seen: SeenCollection | undefined): readonly RoleStatus[] {
  return roleViews(collection).map(({ role, version, expires, problem }) => ({
    role,
    version: version ?? null,
    seen: seen?.roles.get(role)?.version ?? null,
    expires: expires ?? null,
    problem: problem ?? null,
  }));
}

/** A delegation past its date leaves the rest readable. */
function expiry(roles: readonly RoleStatus[]): string | undefined {
  const expired = roles.filter(({ role, problem }) => problem === 'expired' && !role.startsWith('targets/'));
  if (expired.length === 0) return undefined;
  return `${expired.map(({ role }) => role).join(', ')} expired; renew with "touchstone trust heal"`;
}

function renderRoles(roles: readonly RoleStatus[]): string {
  const rows = roles.map(({ role, version, seen, expires, problem }) => [
    role,
    version === null ? '-' : String(version),
    seen === null ? '-' : String(seen),
    expires ?? '-',
    problem ?? '',
  ]);
  return renderTable(['role', 'server', 'seen here', 'expires', ''], rows);
}

function pendingFacts({ words, begun, documents }: PendingPublish): object {
  return { words, begun, roles: documents.map(({ role, version }) => ({ role, version })) };
}

function renderPending({ words, begun, documents }: PendingPublish): string {
  const roles = documents.map(({ role, version }) => `${role} ${version}`).join(', ');
  return `under way since ${begun}: ${words} (${roles}); the next publishing command finishes or drops it`;
}
