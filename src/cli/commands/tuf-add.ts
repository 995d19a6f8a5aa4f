/** `touchstone tuf add FOLDER FILE …`. */
import { AgentError } from '../../errors/agent-error.js';
import { addTargets, documentOf } from '../../trust/tuf/target-changes.js';
import { namedFiles, storeTargets, type NamedFile } from '../../trust/tuf/target-files.js';
import { checkTargetName } from '../../trust/tuf/target-name.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import type { OptionValues } from '../option-values.js';
import { requireState, tufResult, withTuf } from '../tuf-session.js';

/** Stores the files and publishes them as targets. */
export async function tufAdd(context: CliContext, { options, args }: Invocation): Promise<CommandResult> {
  const [path = '', ...paths] = args;
  const files = await wantedFiles(options, paths);
  const role = options.text('role') ?? 'targets';
  return withTuf(context, options, path, async (session) => {
    const state = requireState(session);
    documentOf(state, role);
    const facts = await storeTargets(session.folder, files);
    const targets = addTargets(state, role, facts);
    const report = await session.publisher.publish({ targets });
    const added = files.map(({ name }) => {
      const { length = 0, hashes = {} } = facts.get(name) ?? {};
      return { name, length, sha256: hashes['sha256'] ?? '' };
    });
    return tufResult(context, session, report, { targets: added });
  });
}

async function wantedFiles(options: OptionValues, paths: readonly string[]): Promise<readonly NamedFile[]> {
  const name = options.text('name');
  const written = options.text('prefix') ?? '';
  const prefix = written === '' || written.endsWith('/') ? written : `${written}/`;
  const [path] = paths;
  if (name === undefined) {
    const files = await namedFiles(paths, prefix);
    if (files.length > 0) return files;
    throw new AgentError('usage.invalid', {
      message: 'there is nothing to add: these folders hold no files',
    });
  }
  if (path === undefined || paths.length > 1) {
    throw new AgentError('usage.invalid', {
      message: 'option --name: it is for one file; use --prefix for several',
    });
  }
  return [{ name: checkTargetName(`${prefix}${name}`), path }];
}
