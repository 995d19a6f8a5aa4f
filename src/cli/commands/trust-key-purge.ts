/** `touchstone trust key purge ID REPOSITORY …`. */
import { RELEASES } from '../../formats/notary1/role-name.js';
import { formatKeyName } from '../../keys/key-name.js';
import { planKeyPurge } from '../../trust/key-purge.js';
import { signerRole } from '../../trust/reach.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { eachRepository, readNameAndRepositories } from '../several-repositories.js';
import { publishedResult, signerName, withPublisher } from '../trust-publishing.js';

/** Takes one key out of every role of signers, in each of the repositories. */
export function trustKeyPurge(context: CliContext, { options, args }: Invocation): Promise<CommandResult> {
  const { name: id, repositories } = readNameAndRepositories(args);
  const signerHere = signerName(context, options);
  const roles = signerHere === undefined ? [] : [signerRole(signerHere)];
  const leave = options.list('leave');
  return eachRepository(context, repositories, (repository) =>
    withPublisher(context, options, repository, { roles }, async ({ signer, publisher }) => {
      const owner = await signer.derive(formatKeyName({ repository, role: RELEASES }));
      const published = await publisher.publish(`remove key ${id}`, (input) =>
        planKeyPurge(input, { id, owner, leave }),
      );
      return publishedResult(context, published, `no signer of ${repository} has the key ${id}`, { key: id });
    }),
  );
}
