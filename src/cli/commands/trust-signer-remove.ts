/** `touchstone trust signer remove REPOSITORY NAME`. */
import { formatKeyName } from '../../keys/key-name.js';
import { RELEASES } from '../../formats/notary1/role-name.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import { planSignerRemove } from '../../trust/signer-changes.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { publishRebuilding } from '../trust-rebuild.js';
import { publishedResult, withPublisher } from '../trust-publishing.js';

/** Lets a signer go: role, keys and release rights; what they released is signed by the owner. */
export async function trustSignerRemove(
  context: CliContext,
  { options, args }: Invocation,
): Promise<CommandResult> {
  const [reference = '', name = ''] = args;
  const { repository } = parseTrustReference(reference);
  return withPublisher(context, options, repository, {}, async ({ signer, publisher }) => {
    const owner = await signer.derive(formatKeyName({ repository, role: RELEASES }));
    const published = await publishRebuilding(options, repository, (agrees) =>
      publisher.publish(`remove signer ${name}`, (input) => planSignerRemove(input, { name, owner, agrees })),
    );
    return publishedResult(context, published, `${name} no longer signs for ${repository}`, { signer: name });
  });
}
