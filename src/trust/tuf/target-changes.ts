/** Targets that come and go: new documents of the roles that hold them. Pure. */
import { printable } from '../../encoding/utf8.js';
import { AgentError } from '../../errors/agent-error.js';
import type { TufTarget, TufTargets } from '../../formats/tuf/document.js';
import { binOf } from './hash-bins.js';
import { isDelegatedTo } from './roles.js';
import type { RoleState, TufState } from './state.js';

/** New documents by role; only roles that change. */
export type TargetDocuments = ReadonlyMap<string, TufTargets>;

/**
 * Adds targets to a role, or to the bins below it, where it has any.
 * @throws AgentError `tuf.role`, `tuf.target` for a name that clients would not look for in that role
 */
export function addTargets(
  state: TufState,
  role: string,
  added: ReadonlyMap<string, TufTarget>,
): TargetDocuments {
  const groups = grouped(state, role, added.keys());
  const changed = new Map<string, TufTargets>();
  for (const [name, targets] of groups) {
    const { document, holder } = documentOf(state, name);
    for (const target of targets) requireFound(state, holder, target);
    const news = targets.filter((target) => !isSame(document.targets.get(target), added.get(target)));
    if (news.length === 0) continue;
    const all = new Map(document.targets);
    for (const target of news) {
      const facts = added.get(target);
      if (facts !== undefined) all.set(target, facts);
    }
    changed.set(name, { ...document, targets: all });
  }
  return changed;
}

/**
 * Takes targets out of a role, or of the bins below it.
 * @throws AgentError `tuf.role`, `tuf.target` for one that is not there
 */
export function removeTargets(state: TufState, role: string, names: readonly string[]): TargetDocuments {
  const changed = new Map<string, TufTargets>();
  for (const [name, targets] of grouped(state, role, names)) {
    const { document } = documentOf(state, name);
    const left = new Map(document.targets);
    for (const target of targets) {
      if (left.delete(target)) continue;
      throw new AgentError('tuf.target', {
        message: `removing "${printable(target, 120)}": role ${name} has no such target`,
        hint: 'see what it has with "touchstone tuf verify FOLDER --json"',
      });
    }
    changed.set(name, { ...document, targets: left });
  }
  return changed;
}

function grouped(
  state: TufState,
  role: string,
  targets: Iterable<string>,
): ReadonlyMap<string, readonly string[]> {
  const bins = documentOf(state, role).document.delegations?.succinctRoles;
  const groups = new Map<string, string[]>();
  for (const target of targets) {
    const name = bins === undefined ? role : binOf(bins, target);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [target]);
    else group.push(target);
  }
  return groups;
}

/** The newest document of a role. @throws AgentError `tuf.role` */
export function documentOf(state: TufState, role: string): { document: TufTargets; holder: RoleState } {
  const holder = state.roles.get(role);
  if (holder === undefined) {
    throw new AgentError('tuf.role', {
      message: `there is no role ${printable(role, 80)} in this repository`,
    });
  }
  const { newest } = holder;
  if (newest !== undefined) return { document: newest.document, holder };
  throw new AgentError('tuf.role', {
    message: `role ${printable(role, 80)}: no document of it carries the signatures that it needs`,
    hint: 'sign it with "touchstone tuf sign FOLDER"',
  });
}

/** Every role on the way down has to delegate the name, else no client gets there. */
function requireFound({ roles }: TufState, holder: RoleState, target: string): void {
  for (let below: RoleState | undefined = holder; below?.delegator !== undefined;) {
    const above: RoleState | undefined = roles.get(below.delegator);
    const document = above?.newest?.document;
    if (document !== undefined && !isDelegatedTo(document, below.name, target)) {
      throw new AgentError('tuf.target', {
        message: `adding "${printable(target, 120)}": ${below.delegator} does not delegate this name to ${below.name}, so clients would not find it there`,
        hint: `choose a name that its paths cover (--prefix), or widen them: touchstone tuf delegate FOLDER ${below.name} --path PATTERN`,
      });
    }
    below = above;
  }
}

function isSame(known: TufTarget | undefined, target: TufTarget | undefined): boolean {
  return (
    known !== undefined &&
    known.length === target?.length &&
    known.hashes['sha256']?.toLowerCase() === target.hashes['sha256']
  );
}
