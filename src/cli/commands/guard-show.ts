/** `touchstone guard show [REPOSITORY]`. */
import { listGuard } from '../../client/guard-list.js';
import type { Result } from '../../protocol/methods.js';
import { withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { renderTable } from '../table.js';

type Content = { readonly version: number; readonly sha256: string } | null;

/** What is signed and what is published, of one repository or of all. */
export async function guardShow(context: CliContext, { args }: Invocation): Promise<CommandResult> {
  const [repository] = args;
  const entries = await withAgent(context, (client) =>
    listGuard((page) => client.call('guard.show', page), repository === undefined ? {} : { repository }),
  );
  return { json: { entries }, text: entries.length === 0 ? 'nothing was signed yet' : table(entries) };
}

function table(entries: Result<'guard.show'>['entries']): string {
  const rows = entries.map(({ repository, role, published, signed }) => [
    repository,
    role,
    shown(published),
    shown(signed),
  ]);
  return renderTable(['repository', 'role', 'published', 'signed, not published'], rows);
}

function shown(content: Content): string {
  return content === null ? '-' : `version ${content.version} sha256:${content.sha256.slice(0, 16)}`;
}
