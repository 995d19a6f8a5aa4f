/** `touchstone trust init REPOSITORY`. */
import { AgentError } from '../../errors/agent-error.js';
import { initPlan } from '../../trust/init.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { publishedResult, withPublisher } from '../trust-publishing.js';

const MAX_ROOT_KEYS = 16;

/** Publishes the first root and empty targets of a repository. */
export async function trustInit(context: CliContext, { options, args }: Invocation): Promise<CommandResult> {
  const { repository } = parseTrustReference(args[0] ?? '');
  if (options.flag('server-snapshot') && options.flag('client-snapshot')) {
    throw new AgentError('usage.invalid', {
      message: 'options --server-snapshot and --client-snapshot: only one can be used',
    });
  }
  const rootKeys = options.list('root-key');
  const threshold = options.integer('threshold', { min: 1, max: MAX_ROOT_KEYS }) ?? 1;
  const snapshot = options.flag('client-snapshot') ? 'client' : 'server';
  return withPublisher(context, options, repository, {}, async (session) => {
    const { publisher, certificateDays } = session;
    const plan = initPlan(session, { rootKeys, threshold, snapshot, certificateDays });
    const published = await publisher.publish('init', plan);
    return publishedResult(context, published, `${repository} has trust data now`, { snapshot });
  });
}
