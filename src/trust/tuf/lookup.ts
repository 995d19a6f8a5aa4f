/** Where clients find a target: the order in which they ask roles, with an end where a role is terminating. */
import type { TufTarget, TufTargets } from '../../formats/tuf/document.js';
import { isDelegatedTo } from './roles.js';
import type { TufView } from './view.js';

export interface FoundTarget {
  readonly role: string;
  readonly target: TufTarget;
}

/** Roles that clients ask for one target at most. */
const MAX_ROLES = 32;

/** What a client takes for a name; undefined when no role that it asks has it. */
export function findTarget({ files }: TufView, name: string): FoundTarget | undefined {
  const documents = new Map<string, TufTargets>();
  for (const { role, file } of files)
    if (file.document.type === 'targets') documents.set(role, file.document);
  const open = ['targets'];
  const seen = new Set<string>();
  while (seen.size < MAX_ROLES) {
    const role = open.pop();
    if (role === undefined) return undefined;
    const document = documents.get(role);
    if (document === undefined || seen.has(role)) continue;
    seen.add(role);
    const target = document.targets.get(name);
    if (target !== undefined) return { role, target };
    const below: string[] = [];
    for (const { next, isTerminating } of matching(document, documents, name)) {
      below.push(next);
      if (!isTerminating) continue;
      // What comes after it is not asked any more, and what was to come later neither.
      open.length = 0;
      break;
    }
    open.push(...below.reverse());
  }
  return undefined;
}

function* matching(
  document: TufTargets,
  documents: ReadonlyMap<string, TufTargets>,
  name: string,
): Iterable<{ readonly next: string; readonly isTerminating: boolean }> {
  const { roles, succinctRoles } = document.delegations ?? {};
  if (succinctRoles !== undefined) {
    for (const next of documents.keys()) {
      if (next.startsWith(`${succinctRoles.namePrefix}-`) && isDelegatedTo(document, next, name))
        yield { next, isTerminating: true };
    }
    return;
  }
  for (const { name: next, terminating } of roles ?? []) {
    if (isDelegatedTo(document, next, name)) yield { next, isTerminating: terminating ?? false };
  }
}
