/** What commands of `tuf` need: the folder, the root that is trusted, the agent as signer, and what a person is told afterwards. */
import { resolve } from 'node:path';
import type { AgentClient } from '../client/client.js';
import { AgentError } from '../errors/agent-error.js';
import { tufTimeMs } from '../formats/tuf/expiry.js';
import { TufAgentSigner } from '../trust/tuf/agent-signer.js';
import { TufFolder } from '../trust/tuf/folder.js';
import { TufPins } from '../trust/tuf/pins.js';
import { TufPublisher, type TufReport } from '../trust/tuf/publisher.js';
import { TOP_ROLES, type TopRole } from '../formats/tuf/document.js';
import { MAX_DAYS, type TufDays, type TufSettings } from '../trust/tuf/settings.js';
import type { TufSigner } from '../trust/tuf/signer.js';
import type { TufState } from '../trust/tuf/state.js';
import { requestTimeoutMs, withAgent } from './agent-session.js';
import type { CommandResult } from './command.js';
import type { CliContext } from './context.js';
import { readInput } from './input-file.js';
import type { OptionValues } from './option-values.js';
import { counted } from './table.js';
import { trustFolder } from './trust-session.js';

/** Another command on the same folder is waited for so long, milliseconds. */
const LOCK_MS = 30_000;

export interface TufSession {
  readonly folder: TufFolder;
  readonly settings: TufSettings;
  readonly signer: TufSigner;
  readonly publisher: TufPublisher;
}

/** Takes the folder for one command, and hands it over with the agent. @throws AgentError `tuf.missing`, `state.locked`, of `TufPublisher.open` */
export async function withTuf(
  context: CliContext,
  options: OptionValues,
  path: string,
  use: (session: TufSession) => Promise<CommandResult>,
): Promise<CommandResult> {
  const folder = new TufFolder(resolve(path));
  if (folder.settings() === undefined) throw folder.missing();
  return withAgent(context, (client) => withTufAt(context, client, options, path, use));
}

/** As `withTuf`, with an agent that answers already. */
export async function withTufAt(
  context: CliContext,
  client: AgentClient,
  options: OptionValues,
  path: string,
  use: (session: TufSession) => Promise<CommandResult>,
): Promise<CommandResult> {
  const folder = new TufFolder(resolve(path));
  const settings = folder.settings();
  if (settings === undefined) throw folder.missing();
  const pins = new TufPins(await trustFolder(context, options));
  const root = options.text('root');
  using _lock = await folder.lock(Date.now() + LOCK_MS);
  if (root !== undefined) pins.save(settings.repository, await readInput(root));
  const signer = new TufAgentSigner(client, requestTimeoutMs(context));
  const days = { ...settings.days, ...daysOption(options) };
  const { repository } = settings;
  const publisher = await TufPublisher.open({ folder, repository, signer, pins, days });
  return await use({ folder, settings, signer, publisher });
}

/** The repository as it is. @throws AgentError `tuf.missing` before its first root has all signatures */
export function requireState({ folder, publisher }: Pick<TufSession, 'folder' | 'publisher'>): TufState {
  if (publisher.state !== undefined) return publisher.state;
  throw new AgentError('tuf.missing', {
    message: `reading ${folder.path}: its first root waits for signatures`,
    hint: `sign it with "touchstone tuf sign ${folder.path}"`,
  });
}

/** What was published and what waits, in words on standard error and as JSON. */
export function tufResult(
  context: CliContext,
  { folder, settings }: Pick<TufSession, 'folder' | 'settings'>,
  report: TufReport,
  facts: object = {},
): CommandResult {
  const { published, waiting } = report;
  const what = published.map(({ role, version }) => `${role} ${version}`);
  const shown =
    what.length > 8 ? `${what.slice(0, 4).join(', ')}, … ${what.slice(-3).join(', ')}` : what.join(', ');
  if (published.length > 0) context.note(`touchstone: ${settings.repository}: published ${shown}`);
  else if (waiting.length === 0) context.note(`touchstone: ${settings.repository}: nothing to change`);
  for (const { role, version, good, threshold, file } of waiting) {
    if (version === null) {
      context.note(
        `touchstone: ${role}: its key is not here; run "touchstone tuf ${role} ${folder.path}" where it is`,
      );
    } else if (good >= threshold) {
      context.note(`touchstone: ${role} ${version} is signed, and waits for the roles that it names`);
    } else {
      context.note(
        `touchstone: ${role} ${version} waits: ${good} of ${counted(threshold, 'signature')}; ${file ?? ''}`,
      );
    }
  }
  return { json: { repository: settings.repository, published, waiting, ...facts }, text: '' };
}

/** `--days ROLE=N`. */
export function daysOption(options: OptionValues): Partial<TufDays> {
  const entries = assignments(options, 'days').map(([role, value]) => [
    role,
    wholeNumber('days', value, MAX_DAYS),
  ]);
  return Object.fromEntries(entries) as Partial<TufDays>;
}

/** `--threshold ROLE=N`. */
export function thresholdsOption(options: OptionValues): ReadonlyMap<TopRole, number> {
  return new Map(
    assignments(options, 'threshold').map(([role, value]) => [role, wholeNumber('threshold', value, 64)]),
  );
}

/** Values of the form ROLE=VALUE, in the order given. @throws AgentError `usage.invalid` */
export function assignments(options: OptionValues, name: string): readonly (readonly [TopRole, string])[] {
  return options.list(name).map((text) => {
    const at = text.indexOf('=');
    const role = TOP_ROLES.find((one) => one === text.slice(0, at));
    const value = text.slice(at + 1);
    if (role !== undefined && value !== '') return [role, value] as const;
    throw new AgentError('usage.invalid', {
      message: `option --${name}: ROLE=VALUE is needed, with a role of ${TOP_ROLES.join(', ')}`,
      details: { field: name },
    });
  });
}

/** @throws AgentError `usage.invalid` */
export function wholeNumber(name: string, text: string, max: number): number {
  const value = /^[1-9]\d{0,8}$/.test(text) ? Number(text) : Number.NaN;
  if (value <= max) return value;
  throw new AgentError('usage.invalid', {
    message: `option --${name}: a whole number from 1 to ${max} is needed`,
    details: { field: name },
  });
}

/** `--at`, else now. Milliseconds since 1970. */
export function timeOption(options: OptionValues): number {
  const text = options.text('at');
  const time = text === undefined ? Date.now() : tufTimeMs(text);
  if (time !== undefined) return time;
  throw new AgentError('usage.invalid', {
    message: 'option --at: a time such as 2027-01-31T12:00:00Z is needed',
    details: { field: 'at' },
  });
}
