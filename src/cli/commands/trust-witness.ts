/** `touchstone trust witness REPOSITORY ROLE…`. */
import { parseTrustReference } from '../../trust/repository-name.js';
import { planWitness } from '../../trust/renewal.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { publishedResult, withPublisher } from '../trust-publishing.js';

/** Signs roles anew with what stands in them. */
export async function trustWitness(
  context: CliContext,
  { options, args }: Invocation,
): Promise<CommandResult> {
  const [name = '', ...roles] = args;
  const { repository } = parseTrustReference(name);
  return withPublisher(context, options, repository, { roles }, async ({ publisher }) => {
    const published = await publisher.publish(`witness ${roles.join(' ')}`, (input) =>
      planWitness(input, roles),
    );
    return publishedResult(context, published, `signed again: ${repository}`);
  });
}
