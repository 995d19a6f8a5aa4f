/** `touchstone trust heal REPOSITORY`: signs anew what has expired, which stock tools cannot, or what soon will. */
import { healPlan } from '../../trust/renewal.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import { signerRole } from '../../trust/reach.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { confirmedRebuilds } from '../trust-rebuild.js';
import { publishedResult, signerName, withPublisher } from '../trust-publishing.js';

/** Renews within reach, and says what others have to renew. */
export async function trustHeal(context: CliContext, { options, args }: Invocation): Promise<CommandResult> {
  const { repository } = parseTrustReference(args[0] ?? '');
  const within = options.ahead('within') ?? 0;
  const signer = signerName(context, options);
  const roles = signer === undefined ? [] : [signerRole(signer)];
  const isConfirmed = confirmedRebuilds(options, [repository]).has(repository);
  const needs = { roles, tolerateExpired: true };
  return withPublisher(context, options, repository, needs, async (session) => {
    const plan = healPlan(
      session,
      { untilMs: Date.now() + within * 1000, agrees: () => isConfirmed },
      session.certificateDays,
    );
    const published = await session.publisher.publish('heal', plan);
    return publishedResult(context, published, `${repository} is renewed`);
  });
}
