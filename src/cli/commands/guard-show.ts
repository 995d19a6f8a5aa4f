/** `touchstone guard show [REPOSITORY]`. */
import type { Result } from '../../protocol/methods.js';
import { withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { renderTable } from '../table.js';

type Content = { readonly version: number; readonly sha256: string } | null;

/** What is signed and what is published, of one repository or of all. */
export async function guardShow(context: CliContext, { args }: Invocation): Promise<CommandResult> {
  const [repository] = args;
  const result = await withAgent(context, (client) =>
    client.call('guard.show', repository === undefined ? {} : { repository }),
  );
  return { json: result, text: result.entries.length === 0 ? 'nothing was signed yet' : table(result) };
}

function table({ entries }: Result<'guard.show'>): string {
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
