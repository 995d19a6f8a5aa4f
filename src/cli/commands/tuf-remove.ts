/** `touchstone tuf remove FOLDER NAME …`. */
import { storedPath } from '../../trust/tuf/target-name.js';
import { removeTargets } from '../../trust/tuf/target-changes.js';
import type { TufState } from '../../trust/tuf/state.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { requireState, tufResult, withTuf } from '../tuf-session.js';

/** Publishes the role without these targets; says which files nobody refers to any more. */
export async function tufRemove(context: CliContext, { options, args }: Invocation): Promise<CommandResult> {
  const [path = '', ...names] = args;
  return withTuf(context, options, path, async (session) => {
    const state = requireState(session);
    const targets = removeTargets(state, options.text('role') ?? 'targets', names);
    const left = new Set(
      storedFiles({ ...state, roles: new Map([...state.roles].filter(([role]) => !targets.has(role))) }),
    );
    for (const document of targets.values()) {
      for (const [name, { hashes }] of document.targets) left.add(storedPath(name, hashes['sha256'] ?? ''));
    }
    const wanted = new Set(names);
    const unused = [...storedFiles(state)].filter((file) => !left.has(file) && wanted.has(nameOf(file)));
    const report = await session.publisher.publish({ targets });
    for (const file of unused) context.note(`touchstone: nobody needs this file any more: targets/${file}`);
    return tufResult(context, session, report, { removed: names, unusedFiles: unused });
  });
}

function* storedFiles({ roles }: Pick<TufState, 'roles'>): Iterable<string> {
  for (const { newest } of roles.values()) {
    for (const [name, { hashes }] of newest?.document.targets ?? [])
      yield storedPath(name, hashes['sha256'] ?? '');
  }
}

/** Without the hash in front of the last part. */
function nameOf(file: string): string {
  const slash = file.lastIndexOf('/') + 1;
  return `${file.slice(0, slash)}${file.slice(slash).replace(/^[0-9a-f]*\./, '')}`;
}
