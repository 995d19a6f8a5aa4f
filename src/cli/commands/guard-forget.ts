/** `touchstone guard forget REPOSITORY`: after its server has deleted it. Readers who knew it will not take the new one for the old. */
import { AgentError } from '../../errors/agent-error.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import type { TrustServer } from '../../trust/server.js';
import { withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { openTrust } from '../trust-session.js';
import { readTypedLine } from '../typed-line.js';

/** Asks the server, then the person, then the server again: reading takes a while. */
export async function guardForget(
  context: CliContext,
  { args, options }: Invocation,
): Promise<CommandResult> {
  const { repository } = parseTrustReference(args[0] ?? '');
  const { server } = await openTrust(context, options, repository);
  await requireUnknown(server);
  context.warn(`${server.name}: the trust server knows no such repository`);
  const typed =
    options.text('confirm') ??
    (await readTypedLine(
      `a second version 1 of it may be signed then; type ${repository} to forget the first: `,
      `if that is meant, add --confirm ${repository}`,
    ));
  if (typed !== repository) {
    throw new AgentError('usage.invalid', {
      message: `forgetting ${repository}: another name was given, so nothing was changed`,
      hint: `if it is meant, add --confirm ${repository}`,
    });
  }
  await requireUnknown((await openTrust(context, options, repository)).server);
  const { roles } = await withAgent(context, (client) => client.call('guard.forget', { repository }));
  return { json: { repository, roles }, text: `${repository}: forgotten are ${roles.join(', ')}` };
}

async function requireUnknown(server: TrustServer): Promise<void> {
  if (await server.isUnknown()) return;
  throw new AgentError('guard.version', {
    message: `forgetting ${server.repository}: the trust server has it`,
    hint: `only what is gone can begin anew; see: touchstone trust status ${server.repository}`,
  });
}
