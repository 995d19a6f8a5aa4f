/** `touchstone trust file remove REPOSITORY NAME`. */
import { parseTrustReference } from '../../trust/repository-name.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { publishTargets } from '../trust-changing.js';

/** Takes a file out of every role that readers take it from. */
export async function trustFileRemove(
  context: CliContext,
  { options, args }: Invocation,
): Promise<CommandResult> {
  const [reference = '', name = ''] = args;
  const { repository } = parseTrustReference(reference);
  return publishTargets(context, options, repository, {
    words: `remove file ${JSON.stringify(name)}`,
    noun: 'file',
    changes: () => [{ name, target: undefined }],
    done: `removed from ${repository}: ${name}`,
    facts: { removed: name },
  });
}
