/** `touchstone tuf sign FOLDER [ROLE]`: signatures for what waits for several, or a new version of a role. */
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { AgentError } from '../../errors/agent-error.js';
import type { TopRole } from '../../formats/tuf/document.js';
import { changeWords } from '../../trust/tuf/change-words.js';
import type { Pending } from '../../trust/tuf/pending.js';
import type { TufReport } from '../../trust/tuf/publisher.js';
import { changedRoot, type WantedRole } from '../../trust/tuf/root-document.js';
import { mergeStaged } from '../../trust/tuf/staging.js';
import { documentOf } from '../../trust/tuf/target-changes.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { readInput } from '../input-file.js';
import type { OptionValues } from '../option-values.js';
import { namedKeys } from '../tuf-keys.js';
import { signTufFile } from '../tuf-file-signing.js';
import {
  assignments,
  requireState,
  thresholdsOption,
  tufResult,
  withTuf,
  type TufSession,
} from '../tuf-session.js';

const STAGED_NAME = /^[1-9]\d*\.(.+)\.json$/;

/** Signs, says what it signs, and publishes what is complete then. */
export async function tufSign(context: CliContext, { options, args }: Invocation): Promise<CommandResult> {
  const [path = '', role] = args;
  if (statSync(path, { throwIfNoEntry: false })?.isFile() === true)
    return signTufFile(context, options, path);
  return withTuf(context, options, path, async (session) => {
    if (options.flag('drop')) return drop(context, session, role);
    const files = options.list('add');
    const report =
      files.length > 0 ? await merged(session, files) : await signed(context, session, { role, options });
    return tufResult(context, session, report);
  });
}

interface Asked {
  readonly role: string | undefined;
  readonly options: OptionValues;
}

async function signed(
  context: CliContext,
  session: TufSession,
  { role, options }: Asked,
): Promise<TufReport> {
  const { publisher } = session;
  const waiting = publisher.staged().filter((one) => role === undefined || one.role === role);
  if (waiting.length > 0) {
    for (const one of waiting) say(context, session, one);
    return publisher.signStaged(waiting);
  }
  if (role === undefined) return publisher.publish({});
  const state = requireState(session);
  switch (role) {
    case 'root':
      return publisher.publish({
        root: changedRoot(state.root.document, await rootChange(session, options)),
      });
    case 'snapshot':
    case 'timestamp':
      return publisher.publish({ renew: role });
    default:
      return publisher.publish({ targets: new Map([[role, documentOf(state, role).document]]) });
  }
}

/** Whoever signs sees what: a file may have been put there by anybody. */
function say(context: CliContext, { publisher }: TufSession, { role, document }: Pending): void {
  const { state } = publisher;
  const before = role === 'root' ? state?.root.document : state?.roles.get(role)?.newest?.document;
  for (const line of changeWords(role, document, before)) context.note(line);
}

async function rootChange(
  { signer, settings, publisher }: TufSession,
  options: OptionValues,
): Promise<Partial<Record<TopRole, WantedRole>>> {
  const { repository } = settings;
  const named = assignments(options, 'key');
  const thresholds = thresholdsOption(options);
  const root = publisher.state?.root.document;
  const change: Partial<Record<TopRole, WantedRole>> = {};
  for (const role of new Set([...named.map(([one]) => one), ...thresholds.keys()])) {
    const texts = named.filter(([one]) => one === role).map(([, text]) => text);
    const before = root?.roles[role];
    const kept = (before?.keyids ?? []).flatMap((id) => root?.keys.get(id) ?? []);
    change[role] = {
      keys: texts.length === 0 ? kept : await namedKeys(signer, texts, { repository, role }),
      threshold: thresholds.get(role) ?? before?.threshold ?? 1,
    };
  }
  return change;
}

async function merged({ folder, publisher }: TufSession, files: readonly string[]): Promise<TufReport> {
  for (const file of files) {
    const role = decodeURIComponent(STAGED_NAME.exec(basename(file))?.[1] ?? '');
    if (role === '') {
      throw new AgentError('usage.invalid', {
        message: `adding ${file}: its name has to be VERSION.ROLE.json, as the staged file has it`,
      });
    }
    const one = mergeStaged(folder, publisher.state, { role, bytes: await readInput(file) });
    publisher.stage(one);
  }
  return publisher.publish({});
}

function drop(context: CliContext, session: TufSession, role: string | undefined): CommandResult {
  const { folder, publisher, settings } = session;
  const dropped = folder.staged().filter((one) => one.role === role);
  if (role === undefined || dropped.length === 0) {
    throw new AgentError('tuf.role', {
      message: `dropping what waits: ${role === undefined ? 'name the role' : `nothing of ${role} waits`}`,
      hint: 'see what waits in the folder staged',
    });
  }
  for (const { version } of dropped) folder.unstage(role, version);
  const versions = dropped.map(({ version }) => version);
  context.note(`touchstone: dropped ${role} ${versions.join(', ')}`);
  if (role === 'root' && publisher.held.some((key) => key.role === 'root')) {
    context.note(
      `touchstone: if the agent has signed it, give it up: touchstone guard abandon '${settings.repository}#root' --folder ${folder.path}`,
    );
  }
  return { json: { repository: settings.repository, dropped: { role, versions } }, text: '' };
}
