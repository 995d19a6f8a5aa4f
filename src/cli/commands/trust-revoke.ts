/** `touchstone trust revoke REPOSITORY[:TAG]`. */
import { AgentError } from '../../errors/agent-error.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import { signerRole } from '../../trust/reach.js';
import { planTags, tagsOf } from '../../trust/tag-changes.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { publishedResult, signerName, withPublisher } from '../trust-publishing.js';

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
  const signer = signerName(context, options);
  const named = options.list('role');
  const choice = { signer, roles: named.length === 0 ? undefined : named, leave: options.list('leave') };
  const roles = [...(signer === undefined ? [] : [signerRole(signer)]), ...named];
  return withPublisher(context, options, repository, { roles }, async ({ publisher }) => {
    const words = `revoke ${tag ?? 'all tags'}`;
    const published = await publisher.publish(words, (input) => {
      const names = tag === undefined ? tagsOf(input, choice) : [tag];
      const changes = names.map((name) => ({ name, target: undefined }));
      return planTags(input, changes, choice);
    });
    return publishedResult(context, published, `revoked ${tag ?? 'all tags'} of ${repository}`);
  });
}
