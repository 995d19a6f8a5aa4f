/** `touchstone trust reset REPOSITORY`: drops a publish that was interrupted, instead of ending it with the next command. */
import { Journal } from '../../trust/journal.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { trustFolder } from '../trust-session.js';

const LOCK_MS = 30_000;

/** Answers whether there was anything to drop. Needs neither agent nor server. */
export async function trustReset(context: CliContext, { options, args }: Invocation): Promise<CommandResult> {
  const { repository } = parseTrustReference(args[0] ?? '');
  const journal = new Journal(await trustFolder(context, options), repository);
  using _lock = await journal.lock(Date.now() + LOCK_MS);
  const dropped = journal.clear();
  context.note(
    dropped
      ? `touchstone: dropped. Should a root have been signed, its version is free again after "touchstone guard abandon ${repository}#root"`
      : 'touchstone: there was nothing',
  );
  return { json: { repository, dropped }, text: '' };
}
