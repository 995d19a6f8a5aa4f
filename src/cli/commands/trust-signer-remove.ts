/** `touchstone trust signer remove NAME REPOSITORY …`. */
import { formatKeyName } from '../../keys/key-name.js';
import { RELEASES } from '../../formats/notary1/role-name.js';
import { planSignerRemove } from '../../trust/signer-changes.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { eachRepository, readNameAndRepositories } from '../several-repositories.js';
import { confirmedRebuilds, publishRebuilding } from '../trust-rebuild.js';
import { publishedResult, withPublisher } from '../trust-publishing.js';

/** Lets a signer go: role, keys and release rights; what they released is signed by the owner. */
export function trustSignerRemove(
  context: CliContext,
  { options, args }: Invocation,
): Promise<CommandResult> {
  const { name, repositories } = readNameAndRepositories(args);
  const confirmed = confirmedRebuilds(options, repositories);
  return eachRepository(context, repositories, (repository) =>
    withPublisher(context, options, repository, {}, async ({ signer, publisher }) => {
      const owner = await signer.derive(formatKeyName({ repository, role: RELEASES }));
      const published = await publishRebuilding(confirmed.has(repository), repository, (agrees) =>
        publisher.publish(`remove signer ${name}`, (input) =>
          planSignerRemove(input, { name, owner, agrees }),
        ),
      );
      return publishedResult(context, published, `${name} no longer signs for ${repository}`, {
        signer: name,
      });
    }),
  );
}
