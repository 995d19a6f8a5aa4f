/** `touchstone policy explain`: asks the agent, because the policy in force and its used-up limits are the agent's. */
import type { Result } from '../../protocol/methods.js';
import { withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';

const MAX_UID = 2 ** 32 - 2;

/** What would be decided, and why. */
export async function policyExplain(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const { options } = invocation;
  const uid = options.integer('uid', { min: 0, max: MAX_UID });
  const question = {
    key: options.requiredText('key'),
    kind: options.requiredText('kind'),
    ...(uid === undefined ? {} : { uid }),
  };
  const result = await withAgent(context, (client) => client.call('policy.explain', question));
  return { json: result, text: renderExplanation(result) };
}

function renderExplanation(result: Result<'policy.explain'>): string {
  const rule = result.rule === null ? 'no rule' : `rule "${result.rule}"`;
  const steps = result.trace.map((step) => `  ${step.matched ? '*' : '-'} ${step.rule}: ${step.why}`);
  return [`${result.outcome}: ${rule}: ${result.reason}`, ...steps].join('\n');
}
