/** `touchstone guard forget REPOSITORY`: after its server has deleted it, or its folder is gone. Readers who knew it will not take the new one for the old. */
import { resolve } from 'node:path';
import { AgentError } from '../../errors/agent-error.js';
import { parseKeyName } from '../../keys/key-name.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import type { TrustServer } from '../../trust/server.js';
import { TufFolder } from '../../trust/tuf/folder.js';
import { TufPins } from '../../trust/tuf/pins.js';
import { withAgent } from '../agent-session.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import type { OptionValues } from '../option-values.js';
import { refuseWithoutFolder } from '../stored-in-folder.js';
import { openTrust, trustFolder } from '../trust-session.js';
import { readTypedLine } from '../typed-line.js';

/** Asks the server, then the person, then the server again: reading takes a while. */
export async function guardForget(
  context: CliContext,
  { args, options }: Invocation,
): Promise<CommandResult> {
  const path = options.text('folder');
  if (path !== undefined) return forgetFolder(context, { args, options }, new TufFolder(resolve(path)));
  const { repository } = parseTrustReference(args[0] ?? '');
  await refuseWithoutFolder(context, options, repository, `forget ${repository}`);
  const { server } = await openTrust(context, options, repository);
  await requireUnknown(server);
  context.warn(`${server.name}: the trust server knows no such repository`);
  await confirm(options, repository);
  await requireUnknown((await openTrust(context, options, repository)).server);
  const { roles } = await withAgent(context, (client) => client.call('guard.forget', { repository }));
  return { json: { repository, roles }, text: `${repository}: forgotten are ${roles.join(', ')}` };
}

/** The root that was trusted goes as well: the new repository begins with another one. */
async function forgetFolder(
  context: CliContext,
  { args, options }: Invocation,
  folder: TufFolder,
): Promise<CommandResult> {
  const { repository } = parseKeyName(`${args[0] ?? ''}#targets`);
  requireGone(folder, repository);
  context.warn(`${folder.path}: there is no repository in it`);
  await confirm(options, repository);
  requireGone(folder, repository);
  const { roles } = await withAgent(context, (client) => client.call('guard.forget', { repository }));
  new TufPins(await trustFolder(context, options)).forget(repository);
  return { json: { repository, roles }, text: `${repository}: forgotten are ${roles.join(', ')}` };
}

function requireGone(folder: TufFolder, repository: string): void {
  if (!folder.isThere) return;
  throw new AgentError('guard.version', {
    message: `forgetting ${repository}: there is a repository in ${folder.path}`,
    hint: `only what is gone can begin anew; see: touchstone tuf verify ${folder.path}`,
  });
}

/** A script gives the name, a person types it. */
async function confirm(options: OptionValues, repository: string): Promise<void> {
  const typed =
    options.text('confirm') ??
    (await readTypedLine(
      `a second version 1 of it may be signed then; type ${repository} to forget the first: `,
      `if that is meant, add --confirm ${repository}`,
    ));
  if (typed === repository) return;
  throw new AgentError('usage.invalid', {
    message: `forgetting ${repository}: another name was given, so nothing was changed`,
    hint: `if it is meant, add --confirm ${repository}`,
  });
}

async function requireUnknown(server: TrustServer): Promise<void> {
  if (await server.isUnknown()) return;
  throw new AgentError('guard.version', {
    message: `forgetting ${server.repository}: the trust server has it`,
    hint: `only what is gone can begin anew; see: touchstone trust status ${server.repository}`,
  });
}
