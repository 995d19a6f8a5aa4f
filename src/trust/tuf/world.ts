/** The repository as it will be: which of the new documents can be published together, and which of them wait for others. */
import { readTuf } from '../../formats/tuf/reader.js';
import type { TufFolder } from './folder.js';
import { rootMembers } from './pending.js';
import { readSignedFile, type RootFile } from './signed-file.js';
import { loadState, tolerant, type Candidate, type RoleState, type TufState } from './state.js';

export interface World {
  readonly state: TufState;
  /** The root that comes with it; undefined when it stays as it is. */
  readonly newRoot: RootFile | undefined;
}

/** Makes documents for roles that have none in the world to come; those that lack signatures do not help. */
export type MakeMissing = (roles: readonly RoleState[], root: RootFile) => Promise<readonly Candidate[]>;

/**
 * Everything that can be published now. A document that names a role without a signed document waits, and so does a root without targets:
 * readers would find nothing there.
 * @param before undefined for a repository that begins
 * @returns undefined when there is nothing to publish yet
 */
export async function worldToCome(
  folder: TufFolder,
  before: TufState | undefined,
  given: readonly Candidate[],
  make: MakeMissing,
): Promise<World | undefined> {
  let candidates = [...given];
  const made = new Set<string>();
  for (;;) {
    const newRoot = rootAmong(candidates, before);
    const root = newRoot ?? before?.root;
    if (root === undefined) return undefined;
    const state = loadState(folder, root, candidates);
    const lost = [...state.roles.values()].filter(({ newest }) => newest === undefined);
    const unmade = lost.filter(({ name }) => !made.has(name));
    if (unmade.length > 0) {
      for (const { name } of unmade) made.add(name);
      const known = new Set(candidates.map(({ role }) => role));
      candidates.push(
        ...(await make(
          unmade.filter(({ name }) => !known.has(name)),
          root,
        )),
      );
      continue;
    }
    const held = holdBack(candidates, state, lost);
    if (held.length === candidates.length) return { state, newRoot };
    candidates = held;
  }
}

/** Without the documents that name what is not there. */
function holdBack(
  candidates: readonly Candidate[],
  { roles }: TufState,
  lost: readonly RoleState[],
): Candidate[] {
  const named = new Set<string>();
  for (const { delegator } of lost) {
    if (delegator === undefined) named.add('root');
    else if (roles.get(delegator)?.isNew === true) named.add(delegator);
  }
  return candidates.filter(({ role }) => !named.has(role));
}

/** The root that follows, where one of the documents is it and carries the signatures that it needs. */
export function rootAmong(
  candidates: readonly Candidate[],
  before: TufState | undefined,
): RootFile | undefined {
  for (const { role, bytes } of candidates) {
    if (role !== 'root') continue;
    const root = tolerant(() => nextRoot(bytes, before));
    if (root !== undefined) return root;
  }
  return undefined;
}

/** The root, when it follows the one before and carries the signatures of both. */
function nextRoot(bytes: Buffer, before: TufState | undefined): RootFile | undefined {
  const { signed } = readTuf(bytes);
  const known = before?.root.document;
  if (signed.type !== 'root' || signed.version !== (known?.version ?? 0) + 1) return undefined;
  const files = rootMembers(signed, known).map((members) =>
    readSignedFile(bytes, { role: 'root', type: 'root', members }),
  );
  return files[0];
}
