/** `touchstone tuf verify FOLDER`: what a client would say. Needs no agent. */
import { resolve } from 'node:path';
import { lintTuf } from '../../formats/tuf/linter.js';
import { countSignatures } from '../../formats/tuf/verify.js';
import { TufFolder } from '../../trust/tuf/folder.js';
import { findTarget } from '../../trust/tuf/lookup.js';
import { checkTargetFiles, type ListedTarget, type TargetProblem } from '../../trust/tuf/target-check.js';
import { readView, type TufView } from '../../trust/tuf/view.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { counted, renderTable } from '../table.js';
import { requireTrustedRoot } from '../tuf-root.js';
import { timeOption } from '../tuf-session.js';

const EXIT_VERIFICATION = 6;

/** Exit status 6 when anything does not verify, has expired, or breaks the profile. */
export async function tufVerify(context: CliContext, { options, args }: Invocation): Promise<CommandResult> {
  const [path = '', ...names] = args;
  const isPortableAsked = options.choice('profile', ['portable']) !== undefined;
  const folder = new TufFolder(resolve(path));
  const view = readView(folder, await requireTrustedRoot(context, options, folder), timeOption(options));
  const listed = names.length === 0 ? allTargets(view) : namedTargets(view, names);
  const targets = await checkTargetFiles(folder.targets, listed.found);
  const report = reportOf(view, [...listed.problems, ...targets, ...(isPortableAsked ? lint(view) : [])]);
  const json = { repository: folder.settings()?.repository ?? null, ...report, targets: listed.found };
  return {
    json,
    text: render(report, listed.found, names.length > 0),
    ...(report.ok ? {} : { exit: EXIT_VERIFICATION }),
  };
}

interface Report {
  readonly ok: boolean;
  readonly roles: readonly RoleReport[];
  readonly problems: readonly TargetProblem[];
}

interface RoleReport {
  readonly role: string;
  readonly version: number;
  readonly expires: string;
  readonly expired: boolean;
  readonly delegator: string | null;
  readonly signedBy: readonly string[];
  readonly threshold: number;
  readonly keys: readonly string[];
}

function reportOf(view: TufView, targets: readonly TargetProblem[]): Report {
  const roles = view.files.map(({ role, delegator, file, members, isExpired }): RoleReport => {
    const { version, expires } = file.document;
    const { good } = countSignatures(file.envelope, members.keys, members.role);
    return {
      role,
      version,
      expires,
      expired: isExpired,
      delegator: delegator ?? null,
      signedBy: good,
      threshold: members.role.threshold,
      keys: members.role.keyids,
    };
  });
  const faults = [...view.faults].map(([name, { message }]) => ({ name, problem: message }));
  const expired = roles.filter(({ expired: isPast }) => isPast);
  const problems = [
    ...faults,
    ...expired.map(({ role, version, expires }) => ({
      name: role,
      problem: `version ${version} expired at ${expires}`,
    })),
    ...targets,
  ];
  return { ok: problems.length === 0, roles, problems };
}

/** What only some clients read, by the rules of docs/spec/tuf-profile.md. */
function lint({ files }: TufView): readonly TargetProblem[] {
  return files.flatMap(({ role, file, members }) =>
    lintTuf(file.envelope, { bytes: file.bytes.length, signers: members.keys }).map(
      ({ rule, where, message }) => ({ name: role, problem: `${rule}: ${where}: ${message}` }),
    ),
  );
}

function allTargets({ files }: TufView): {
  found: readonly ListedTarget[];
  problems: readonly TargetProblem[];
} {
  const found: ListedTarget[] = [];
  for (const { role, file } of files) {
    if (file.document.type !== 'targets') continue;
    for (const [name, { length, hashes }] of file.document.targets)
      found.push({ name, role, length, hashes });
  }
  return { found, problems: [] };
}

function namedTargets(
  view: TufView,
  names: readonly string[],
): { found: readonly ListedTarget[]; problems: readonly TargetProblem[] } {
  const found: ListedTarget[] = [];
  const problems: TargetProblem[] = [];
  for (const name of names) {
    const known = findTarget(view, name);
    if (known === undefined) problems.push({ name, problem: 'no role that clients ask has this target' });
    else found.push({ name, role: known.role, length: known.target.length, hashes: known.target.hashes });
  }
  return { found, problems };
}

function render({ ok, roles, problems }: Report, targets: readonly ListedTarget[], isNamed: boolean): string {
  const rows = roles.map(({ role, version, expires, signedBy, threshold, keys }) => [
    role,
    String(version),
    expires,
    `${signedBy.length} of ${keys.length}, ${threshold} needed`,
  ]);
  const table = renderTable(['role', 'version', 'expires', 'signed by'], rows);
  const named = targets.map(({ name, role, length, hashes }) => [
    name,
    role,
    String(length),
    hashes['sha256'] ?? '',
  ]);
  const found = renderTable(
    ['problem with', 'what'],
    problems.map(({ name, problem }) => [name, problem]),
  );
  return [
    table,
    ...(isNamed && named.length > 0 ? [renderTable(['target', 'role', 'bytes', 'sha256'], named)] : []),
    ok
      ? `verified: ${counted(roles.length, 'role')}, ${counted(targets.length, 'target')} with their files`
      : found,
  ].join('\n\n');
}
