/** `touchstone token show`. */
import { AgentError } from '../../errors/agent-error.js';
import type { TokenStatusInfo } from '../../protocol/methods.js';
import { withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { renderFields } from '../table.js';
import { triesWords } from './agent-status.js';

/** One token with everything it says of itself. */
export async function tokenShow(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const { tokens } = await withAgent(context, (client) => client.call('tokens.list', {}));
  const token = chooseToken(tokens, invocation.args[0]);
  return { json: { token }, text: renderToken(token) };
}

/**
 * The token of this name, or the only one.
 * @throws AgentError token.unknown, token.ambiguous
 */
function chooseToken(tokens: readonly TokenStatusInfo[], name: string | undefined): TokenStatusInfo {
  const names = tokens.map((token) => token.name);
  const found = name === undefined ? tokens[0] : tokens.find((token) => token.name === name);
  if (found === undefined) {
    throw new AgentError('token.unknown', {
      message: name === undefined ? 'no token is configured' : `no token "${name}" is configured`,
      ...(names.length === 0 ? {} : { hint: `choose one of: ${names.join(', ')}` }),
    });
  }
  if (name === undefined && tokens.length > 1) {
    throw new AgentError('token.ambiguous', {
      message: 'several tokens are configured',
      hint: `name one of: ${names.join(', ')}`,
      details: { tokens: names },
    });
  }
  return found;
}

function renderToken(token: TokenStatusInfo): string {
  return renderFields([
    ['token', token.name],
    ['state', token.state],
    ['kind', token.kind],
    ['label', token.label],
    ['serial', token.serial],
    ['manufacturer', token.manufacturer],
    ['model', token.model],
    ['firmware', token.firmware],
    ['PIN tries', triesWords(token)],
    ['uri', token.uri],
    ['module', token.module],
    ['on removal', token.onRemoval === 'keep' ? 'keep loaded keys' : 'wipe loaded keys'],
    ['alert', token.alert?.message],
    ['problem', token.reason?.message],
    ['hint', token.alert?.hint ?? token.reason?.hint],
  ]);
}
