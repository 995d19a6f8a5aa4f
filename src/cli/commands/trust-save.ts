/** `touchstone trust save`: the metadata of a repository for reading without the server. */
import { resolve } from 'node:path';
import { parseTrustReference } from '../../trust/repository-name.js';
import { saveCopy } from '../../trust/saved-copy.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { counted } from '../table.js';
import { openTrust, readCollection } from '../trust-session.js';

/** Verifies first: what does not verify is not saved. */
export async function trustSave(context: CliContext, { options, args }: Invocation): Promise<CommandResult> {
  const { repository } = parseTrustReference(args[0] ?? '');
  const folder = resolve(args[1] ?? '');
  const session = await openTrust(context, options, repository);
  const collection = await readCollection(context, session);
  const files = await saveCopy(session.server, collection, folder, new Date());
  const { expires } = collection.timestamp.document;
  return {
    json: { repository, folder, files, expires },
    text: `saved ${counted(files.length, 'file')} of ${repository} to ${folder}; good until ${expires}`,
  };
}
