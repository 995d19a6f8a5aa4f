/** `touchstone trust lookup`: one tag. */
import { AgentError } from '../../errors/agent-error.js';
import { signedTag } from '../../trust/approvals.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { openTrust, readCollection } from '../trust-session.js';
import { targetsIn } from './trust-list.js';

/** Digest and size of a tag. @throws AgentError `notary.unsigned` */
export async function trustLookup(
  context: CliContext,
  { options, args }: Invocation,
): Promise<CommandResult> {
  const { repository } = parseTrustReference(args[0] ?? '');
  const name = args[1] ?? '';
  const collection = await readCollection(context, await openTrust(context, options, repository));
  const roles = options.list('role');
  const released = signedTag(collection, name);
  const found =
    roles.length > 0
      ? targetsIn(collection, roles).find(({ tag }) => tag === name)
      : released && { tag: name, digest: released.digest, size: released.size, role: released.from };
  if (found === undefined) {
    throw new AgentError('notary.unsigned', {
      message: `looking up ${JSON.stringify(name.slice(0, 200))} in ${repository}: nothing is signed under this tag`,
      hint: `see what is signed with "touchstone trust list ${repository}"`,
    });
  }
  return { json: { repository, ...found }, text: `${found.tag} ${found.digest} ${found.size}` };
}
