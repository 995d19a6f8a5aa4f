/** `touchstone trust list`: what a trusted pull finds, or what single roles hold. */
import { AgentError } from '../../errors/agent-error.js';
import { signedTags, signerName } from '../../trust/approvals.js';
import { targetsOf, visibleTargets, type Collection } from '../../trust/collection.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { renderTable } from '../table.js';
import { openTrust, readCollection } from '../trust-session.js';

/** Tags of a repository. */
export async function trustList(context: CliContext, { options, args }: Invocation): Promise<CommandResult> {
  const { repository } = parseTrustReference(args[0] ?? '');
  const collection = await readCollection(context, await openTrust(context, options, repository));
  const roles = options.list('role');
  if (roles.length > 0) return listRoles(collection, roles);
  const tags = signedTags(collection);
  const rows = tags.map(({ tag, digest, size, approvals }) => [
    tag,
    digest,
    String(size),
    approvals.map(({ role }) => signerName(role)).join(', ') || '-',
  ]);
  const text =
    rows.length === 0 ? 'nothing is signed' : renderTable(['tag', 'digest', 'size', 'signers'], rows);
  return { json: { repository, tags }, text };
}

export interface RoleTarget {
  readonly tag: string;
  readonly digest: string;
  readonly size: number;
  readonly role: string;
}

/** What roles hold, in the order given; of a tag in several the first counts. @throws AgentError `notary.role` */
export function targetsIn(collection: Collection, roles: readonly string[]): readonly RoleTarget[] {
  const found = new Map<string, RoleTarget>();
  for (const role of roles) {
    if (targetsOf(collection, role) === undefined) throw noSuchRole(collection.repository, role);
    for (const [tag, { hashes, length }] of visibleTargets(collection, role)) {
      if (!found.has(tag)) found.set(tag, { tag, digest: `sha256:${hashes.sha256}`, size: length, role });
    }
  }
  return [...found.values()].sort((a, b) => (a.tag < b.tag ? -1 : 1));
}

function listRoles(collection: Collection, roles: readonly string[]): CommandResult {
  const tags = targetsIn(collection, roles);
  const rows = tags.map(({ tag, digest, size, role }) => [tag, digest, String(size), role]);
  const text = rows.length === 0 ? 'nothing is signed' : renderTable(['tag', 'digest', 'size', 'role'], rows);
  return { json: { repository: collection.repository, tags }, text };
}

function noSuchRole(repository: string, role: string): AgentError {
  return new AgentError('notary.role', {
    message: `reading ${repository}: it has no role ${JSON.stringify(role.slice(0, 80))} that counts`,
  });
}
