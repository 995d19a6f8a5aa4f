/** `touchstone tuf snapshot FOLDER` and `touchstone tuf timestamp FOLDER`. */
import { tufTimeMs } from '../../formats/tuf/expiry.js';
import { isCurrent, isListed, readPublished } from '../../trust/tuf/published.js';
import type { CommandResult, Invocation, RunCommand } from '../command.js';
import type { CliContext } from '../context.js';
import { requireState, tufResult, withTuf, type TufSession } from '../tuf-session.js';

/** A new snapshot and a timestamp for it. */
export const tufSnapshot: RunCommand = (context, invocation) => renew(context, invocation, 'snapshot');

/** A new timestamp. */
export const tufTimestamp: RunCommand = (context, invocation) => renew(context, invocation, 'timestamp');

async function renew(
  context: CliContext,
  { options, args }: Invocation,
  list: 'snapshot' | 'timestamp',
): Promise<CommandResult> {
  const within = options.ahead('within');
  return withTuf(context, options, args[0] ?? '', async (session) => {
    const isDue = within === undefined || isWithin(session, list, within * 1000);
    const report = await session.publisher.publish(isDue ? { renew: list } : {});
    return tufResult(context, session, report);
  });
}

/** Also when readers do not get the newest of everything. */
function isWithin(session: TufSession, list: 'snapshot' | 'timestamp', windowMs: number): boolean {
  const state = requireState(session);
  const lists = readPublished(session.folder, state.root);
  if (!isListed(lists, state) || !isCurrent(lists)) return true;
  const expires = tufTimeMs(lists[list]?.document.expires ?? '');
  return expires === undefined || expires - Date.now() <= windowMs;
}
