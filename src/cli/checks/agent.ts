/** The running agent: does it answer, who is it, what does it say of its tokens. */
import type { AgentClient } from '../../client/client.js';
import { asAgentError } from '../../errors/agent-error.js';
import type { Result, TokenStatusInfo } from '../../protocol/methods.js';
import { withAgent } from '../agent-session.js';
import type { CliContext } from '../context.js';
import { fail, ok, warn, type Check } from './check.js';

type Status = Result<'status'>;

/** Socket, peer check and tokens, through the agent itself. */
export async function checkAgent(context: CliContext): Promise<readonly Check[]> {
  try {
    return await withAgent(context, async (client) => [
      ...statusChecks(await client.call('status', {})),
      await guardCheck(client),
    ]);
  } catch (thrown) {
    const error = asAgentError(thrown);
    const check = error.code === 'agent.unreachable' ? warn : fail;
    return [check('agent', error.message, error.hint)];
  }
}

/** What a status says about health. */
export function statusChecks(status: Status): readonly Check[] {
  const checks = [ok('agent', `${status.agent}, pid ${status.pid}, socket ${status.socket}`)];
  if (!status.audit.writable) {
    checks.push(fail('audit writing', 'the log cannot be written, so nothing is signed', 'free some space'));
  }
  const { problem } = status.policy;
  if (problem !== null)
    checks.push(fail('policy in force', `the file was refused: ${problem.message}`, problem.hint));
  return [...checks, ...status.tokens.map(tokenCheck)];
}

/** One page is enough: a folder that cannot be used answers nothing. */
async function guardCheck(client: AgentClient): Promise<Check> {
  try {
    await client.call('guard.show', {});
    return ok('guard', 'its folder is in order');
  } catch (thrown) {
    const error = asAgentError(thrown);
    return fail('guard', `no repository metadata is signed: ${error.message}`, error.hint);
  }
}

function tokenCheck(token: TokenStatusInfo): Check {
  const name = `token ${token.name}`;
  const { reason } = token;
  if (token.triesLeft === 'locked')
    return fail(
      name,
      'the PIN is locked',
      'unblock it with the PUK or SO PIN; to reset the token would erase its keys',
    );
  if (token.alert !== undefined) return fail(name, token.alert.message, token.alert.hint);
  if (token.triesLeft === 'last')
    return warn(name, 'one PIN try is left', 'be sure of the PIN before the next unlock');
  if (reason !== undefined) return fail(name, `${token.state}: ${reason.message}`, reason.hint);
  if (token.state === 'absent') return warn(name, 'absent', 'insert it; see "touchstone token list"');
  return ok(name, [token.state, token.label, token.serial].filter((word) => word !== undefined).join(', '));
}
