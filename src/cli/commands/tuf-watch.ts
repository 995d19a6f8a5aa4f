/** `touchstone tuf watch FOLDER …`: what has to be renewed, for cron and for a calendar. */
import { resolve } from 'node:path';
import type { TopRole } from '../../formats/tuf/document.js';
import { asAgentError } from '../../errors/agent-error.js';
import { calendarText } from '../../trust/tuf/calendar.js';
import {
  checkWindows,
  defaultWindows,
  expiryFacts,
  type ExpiryFacts,
  type ExpiryWindows,
} from '../../trust/tuf/expiry-windows.js';
import { TufFolder } from '../../trust/tuf/folder.js';
import { isTopRole } from '../../trust/tuf/roles.js';
import { DEFAULT_DAYS, MAX_DAYS, type TufDays } from '../../trust/tuf/settings.js';
import { readView } from '../../trust/tuf/view.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import type { OptionValues } from '../option-values.js';
import { writeOutput } from '../output-file.js';
import { renderTable } from '../table.js';
import { oldestRoot, trustedRoot } from '../tuf-root.js';
import { assignments, timeOption, wholeNumber } from '../tuf-session.js';

const EXIT_DUE = 1;
const EXIT_LATE = 6;

interface Watched {
  readonly repository: string;
  readonly roles: readonly ExpiryFacts[];
  readonly faults: readonly { readonly role: string; readonly problem: string }[];
}

/** Exit status 0 when nothing is due, 1 when a window is open, 6 when somebody is late, or a repository is broken. */
export async function tufWatch(context: CliContext, { options, args }: Invocation): Promise<CommandResult> {
  const nowMs = timeOption(options);
  const watched: Watched[] = [];
  for (const path of args) watched.push(await watchOne(context, options, path, nowMs));
  const calendar = options.text('calendar');
  if (calendar !== undefined) {
    writeOutput(
      context,
      calendar,
      watched.map(({ repository, roles }) => calendarText(repository, roles, nowMs)).join(''),
    );
  }
  const states = watched.flatMap(({ roles }) => roles.map(({ state }) => state));
  const isLate =
    watched.some(({ faults }) => faults.length > 0) ||
    states.some((state) => state === 'alarm' || state === 'expired');
  const isDue = states.includes('renew');
  const json = { repositories: watched };
  const text = calendar === '-' ? '' : render(watched);
  if (isLate) return { json, text, exit: EXIT_LATE };
  return isDue ? { json, text, exit: EXIT_DUE } : { json, text };
}

async function watchOne(
  context: CliContext,
  options: OptionValues,
  path: string,
  nowMs: number,
): Promise<Watched> {
  const folder = new TufFolder(resolve(path));
  try {
    const settings = folder.settings();
    const days = settings?.days ?? DEFAULT_DAYS;
    const windows = windowsOf(options, days);
    const trusted = await trustedRoot(context, options, folder);
    const view = readView(folder, trusted ?? oldestRoot(folder), nowMs);
    const roles = view.files.map(({ role, file }) => {
      const { version, expires } = file.document;
      return expiryFacts({ role, version, expires }, windows[isTopRole(role) ? role : 'targets'], nowMs);
    });
    const faults = [...view.faults].map(([role, { message }]) => ({ role, problem: message }));
    return { repository: settings?.repository ?? folder.path, roles, faults };
  } catch (thrown) {
    const error = asAgentError(thrown);
    if (error.code === 'usage.invalid') throw error;
    // One repository that cannot be read must not hide the others.
    return { repository: folder.path, roles: [], faults: [{ role: 'repository', problem: error.message }] };
  }
}

function windowsOf(options: OptionValues, days: TufDays): ExpiryWindows {
  const windows = defaultWindows(days);
  const changed = new Map<TopRole, { opens: number; alarm: number }>();
  const set = (option: 'window' | 'alarm', field: 'opens' | 'alarm'): void => {
    for (const [role, value] of assignments(options, option)) {
      const known = changed.get(role) ?? windows[role];
      changed.set(role, { ...known, [field]: wholeNumber(option, value, MAX_DAYS) });
    }
  };
  set('window', 'opens');
  set('alarm', 'alarm');
  return checkWindows({ ...windows, ...Object.fromEntries(changed) }, days);
}

const WORDS = { fine: 'fine', renew: 'renew it', alarm: 'late', expired: 'expired' } as const;

function render(watched: readonly Watched[]): string {
  const rows = watched.flatMap(({ repository, roles, faults }) => [
    ...roles.map((one) => [
      repository,
      `${one.role} ${one.version}`,
      WORDS[one.state],
      String(one.days),
      one.expires,
      one.opens,
      one.alarm,
    ]),
    ...faults.map(({ role, problem }) => [repository, role, problem, '', '', '', '']),
  ]);
  return renderTable(['repository', 'role', 'state', 'days', 'expires', 'window opens', 'alarm'], rows);
}
