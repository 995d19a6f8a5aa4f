/** The root that a reading command begins with. */
import { AgentError } from '../errors/agent-error.js';
import { versionedFile, type TufFolder } from '../trust/tuf/folder.js';
import { TufPins } from '../trust/tuf/pins.js';
import type { CliContext } from './context.js';
import { readInput } from './input-file.js';
import type { OptionValues } from './option-values.js';
import { trustFolder } from './trust-session.js';

/** `--root`, else the root that is trusted on this machine; undefined when there is none. */
export async function trustedRoot(
  context: CliContext,
  options: OptionValues,
  folder: TufFolder,
): Promise<Buffer | undefined> {
  const file = options.text('root');
  if (file !== undefined) return readInput(file);
  const repository = folder.settings()?.repository;
  if (repository === undefined) return undefined;
  return new TufPins(await trustFolder(context, options)).load(repository);
}

/** As `trustedRoot`. @throws AgentError `tuf.pin` when nobody said which root to trust, `tuf.missing` */
export async function requireTrustedRoot(
  context: CliContext,
  options: OptionValues,
  folder: TufFolder,
): Promise<Buffer> {
  if (!folder.hasRoot) throw folder.missing();
  const root = await trustedRoot(context, options, folder);
  if (root !== undefined) return root;
  throw new AgentError('tuf.pin', {
    message: `verifying ${folder.path}: no root of it is trusted on this machine`,
    hint: 'name one that you have compared: --root FILE',
  });
}

/** The oldest root in a folder, for what needs no trust. @throws AgentError `tuf.missing` */
export function oldestRoot(folder: TufFolder): Buffer {
  const versions = folder.versions().get('root') ?? [];
  const bytes = folder.read(versionedFile('root', versions.at(-1) ?? 1), 'root');
  if (bytes === undefined) throw folder.missing();
  return bytes;
}
