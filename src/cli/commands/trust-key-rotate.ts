/** `touchstone trust key rotate REPOSITORY ROLE`. */
import { AgentError } from '../../errors/agent-error.js';
import {
  delegationRotationPlan,
  rootRotationPlan,
  snapshotRotationPlan,
  targetsRotationPlan,
  timestampRotationPlan,
} from '../../trust/key-rotation.js';
import type { Plan } from '../../trust/publisher.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import type { OptionValues } from '../option-values.js';
import { publishedResult, withPublisher, type PublishingSession } from '../trust-publishing.js';

const MAX_ROOT_KEYS = 16;
const DELEGATION = /^targets\/[-a-z0-9_]+$/;

/** Gives a role a new key and signs with it what the old one signed, in one publish. */
export async function trustKeyRotate(
  context: CliContext,
  { options, args }: Invocation,
): Promise<CommandResult> {
  const [name = '', role = ''] = args;
  const { repository } = parseTrustReference(name);
  return withPublisher(context, options, repository, { roles: [role] }, async (session) => {
    const plan = planFor(session, options, role);
    const published = await session.publisher.publish(wordsFor(options, role), plan);
    const what =
      role === 'root' && options.flag('renew') ? 'new certificates for the same keys' : 'a new key';
    return publishedResult(context, published, `${role} of ${repository} has ${what}`, { role });
  });
}

function planFor(session: PublishingSession, options: OptionValues, role: string): Plan {
  switch (role) {
    case 'root':
      return rootRotationPlan(session, {
        rootKeys: options.list('root-key'),
        threshold: options.integer('threshold', { min: 1, max: MAX_ROOT_KEYS }),
        renew: options.flag('renew'),
        certificateDays: session.certificateDays,
      });
    case 'targets':
      return targetsRotationPlan(session);
    case 'snapshot':
      return snapshotRotationPlan(session, snapshotKeeper(options));
    case 'timestamp':
      return timestampRotationPlan(session);
    default:
      if (DELEGATION.test(role)) return delegationRotationPlan(session, role);
      throw new AgentError('usage.invalid', {
        message: `there is no role ${JSON.stringify(role)}: root, targets, snapshot, timestamp or targets/NAME`,
      });
  }
}

function wordsFor(options: OptionValues, role: string): string {
  const keeper = snapshotKeeper(options);
  return ['rotate', role, ...options.list('root-key'), ...(keeper === undefined ? [] : [keeper])].join(' ');
}

function snapshotKeeper(options: OptionValues): 'server' | 'client' | undefined {
  const isServer = options.flag('server-snapshot');
  const isClient = options.flag('client-snapshot');
  if (isServer && isClient) {
    throw new AgentError('usage.invalid', {
      message: 'options --server-snapshot and --client-snapshot: only one can be used',
    });
  }
  if (isServer) return 'server';
  return isClient ? 'client' : undefined;
}
