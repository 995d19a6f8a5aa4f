/** `touchstone trust revoke REPOSITORY[:TAG]`. */
import { AgentError } from '../../errors/agent-error.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import { tagsOf } from '../../trust/tag-changes.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { publishTargets } from '../trust-changing.js';

/** Takes a tag, or with --all every tag, out of all roles that readers pull from. */
export async function trustRevoke(
  context: CliContext,
  { options, args }: Invocation,
): Promise<CommandResult> {
  const { repository, tag } = parseTrustReference(args[0] ?? '');
  if ((tag === undefined) !== options.flag('all')) {
    throw new AgentError('usage.invalid', {
      message: 'name one tag (REPOSITORY:TAG), or all of them with --all',
    });
  }
  return publishTargets(context, options, repository, {
    words: `revoke ${tag ?? 'all tags'}`,
    noun: 'image',
    changes: (input, choice) => {
      const names = tag === undefined ? tagsOf(input, choice) : [tag];
      return names.map((name) => ({ name, target: undefined }));
    },
    done: `revoked ${tag ?? 'all tags'} of ${repository}`,
  });
}
