/** `touchstone trust delete REPOSITORY`: everything that the server has of it. No signature protects from this, so the name is asked for. */
import { AgentError } from '../../errors/agent-error.js';
import { Journal } from '../../trust/journal.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { openTrust } from '../trust-session.js';
import { readTypedLine } from '../typed-line.js';

/** Deletes after the repository was named a second time. */
export async function trustDelete(
  context: CliContext,
  { options, args }: Invocation,
): Promise<CommandResult> {
  const { repository } = parseTrustReference(args[0] ?? '');
  const typed =
    options.text('confirm') ??
    (await readTypedLine(
      `every reader will refuse images of ${repository}; type its name to delete its trust data: `,
      `if that is meant, add --confirm ${repository}`,
    ));
  if (typed !== repository) {
    throw new AgentError('usage.invalid', {
      message: `deleting the trust data of ${repository}: another name was given, so nothing was changed`,
      hint: `if it is meant, add --confirm ${repository}`,
    });
  }
  const session = await openTrust(context, options, repository);
  await session.server.deleteAll();
  new Journal(session.trustDir, repository).clear();
  context.note(
    `touchstone: the server has no trust data of ${repository} any more; keys stay where they are; ` +
      `to begin it anew: touchstone guard forget ${repository}`,
  );
  return { json: { repository, deleted: true }, text: '' };
}
