/** `touchstone trust lookup`: one tag, or one file. */
import { printable } from '../../encoding/utf8.js';
import { factsOf } from '../../trust/approvals.js';
import { customText } from '../../trust/file-target.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { openTrust, readCollection } from '../trust-session.js';
import { requireTargetOf } from '../trust-target.js';

/** Digest, size and custom data of a tag. @throws AgentError `notary.unsigned` */
export async function trustLookup(
  context: CliContext,
  { options, args }: Invocation,
): Promise<CommandResult> {
  const { repository } = parseTrustReference(args[0] ?? '');
  const tag = args[1] ?? '';
  const collection = await readCollection(context, await openTrust(context, options, repository));
  const { role, target } = requireTargetOf(collection, tag, options.list('role'));
  const facts = factsOf(target);
  const custom = customText(target.custom);
  const more = custom === undefined ? '' : ` ${printable(custom, custom.length)}`;
  return {
    json: { repository, tag, ...facts, role },
    text: `${printable(tag, tag.length)} ${facts.digest} ${facts.size}${more}`,
  };
}
