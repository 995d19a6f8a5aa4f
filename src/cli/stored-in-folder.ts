/** Whether a TUF repository in a folder has a version of a role: what stands in the place of a trust server for it. */
import { resolve } from 'node:path';
import { AgentError } from '../errors/agent-error.js';
import { readTuf } from '../formats/tuf/reader.js';
import { TIMESTAMP_FILE, TufFolder } from '../trust/tuf/folder.js';
import { TufPins } from '../trust/tuf/pins.js';
import { keyRoleOf } from '../trust/tuf/roles.js';
import type { StoredCheck } from './commands/guard-abandon.js';
import type { CliContext } from './context.js';
import type { OptionValues } from './option-values.js';
import { storedOnServer } from './stored-on-server.js';
import { trustFolder } from './trust-session.js';

/** Of bins, which share their keys under the prefix of their names. */
const BIN_SUFFIX = /-[0-9a-f]+$/;

/** Looks into the folder that is named, else asks the trust server. @throws AgentError `tuf.missing`, `tuf.waiting`, `usage.invalid` */
export const storedSomewhere: StoredCheck = async (context, asked, options) => {
  const path = options.text('folder');
  if (path === undefined) {
    await refuseWithoutFolder(
      context,
      options,
      asked.repository,
      `abandon '${asked.repository}#${asked.role}'`,
    );
    return storedOnServer(context, asked, options);
  }
  const folder = new TufFolder(resolve(path));
  const settings = folder.settings();
  if (settings === undefined) throw folder.missing();
  if (settings.repository !== asked.repository) {
    throw new AgentError('usage.invalid', {
      message: `reading ${folder.path}: the repository in it is ${settings.repository}`,
      hint: 'name the folder of the repository that is meant',
    });
  }
  requireNotWaiting(folder, asked);
  return hasVersion(folder, asked) ? 'stored' : 'absent';
};

/** A repository that was begun in a folder has no trust server. @throws AgentError `usage.invalid` */
export async function refuseWithoutFolder(
  context: CliContext,
  options: OptionValues,
  repository: string,
  words: string,
): Promise<void> {
  if (options.text('server') !== undefined) return;
  if (new TufPins(await trustFolder(context, options)).load(repository) === undefined) return;
  throw new AgentError('usage.invalid', {
    message: `${repository} is a TUF repository in a folder: no trust server knows of it`,
    hint: `name its folder: touchstone guard ${words} --folder FOLDER`,
  });
}

type Asked = Parameters<StoredCheck>[1];

/** Somebody may go on to sign a version that waits: it must not get another content meanwhile. */
function requireNotWaiting(folder: TufFolder, asked: Asked): void {
  const waiting = folder
    .staged()
    .find(({ role, version }) => version === asked.version && isMeant(role, asked));
  if (waiting === undefined) return;
  throw new AgentError('tuf.waiting', {
    message: `abandoning version ${asked.version} of ${asked.repository}#${asked.role}: it waits for signatures in ${waiting.path}`,
    hint: `drop it first: touchstone tuf sign ${folder.path} ${waiting.role} --drop`,
  });
}

function hasVersion(folder: TufFolder, asked: Asked): boolean {
  if (asked.role === 'timestamp') {
    const bytes = folder.read(TIMESTAMP_FILE, 'timestamp');
    return bytes !== undefined && readTuf(bytes).signed.version >= asked.version;
  }
  return [...folder.versions()].some(
    ([role, versions]) => isMeant(role, asked) && versions.includes(asked.version),
  );
}

function isMeant(role: string, asked: Asked): boolean {
  return [role, role.replace(BIN_SUFFIX, '')].some((name) => keyRoleOf({ name }) === asked.role);
}
