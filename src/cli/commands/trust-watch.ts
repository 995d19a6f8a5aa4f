/** `touchstone trust watch`: what expires soon, for cron. */
import { asAgentError } from '../../errors/agent-error.js';
import { rootCertificateOf } from '../../formats/notary1/root-certificate.js';
import type { Collection } from '../../trust/collection.js';
import { NewestTimestamp } from '../../trust/newest-timestamp.js';
import { parseTrustReference } from '../../trust/repository-name.js';
import { roleViews } from '../../trust/role-view.js';
import { PassingMemory } from '../../trust/memory.js';
import { updateCollection } from '../../trust/update.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import type { OptionValues } from '../option-values.js';
import { renderTable } from '../table.js';
import { openTrust } from '../trust-session.js';

const DAY_MS = 86_400_000;
const DEFAULT_WITHIN_SECONDS = 30 * 86_400;

interface Finding {
  readonly repository: string;
  /** A role, or `root certificate`. */
  readonly what: string;
  readonly state: 'soon' | 'expired' | 'broken';
  readonly expires: string | null;
  /** Whole days, rounded down; below 0 when it is past. */
  readonly days: number | null;
  readonly problem: string | null;
}

/** Exit status 0 when nothing is found, 1 when something expires within the window, 6 when something has expired or cannot be verified. */
export async function trustWatch(context: CliContext, { options, args }: Invocation): Promise<CommandResult> {
  const windowMs = 1000 * (options.ahead('within') ?? DEFAULT_WITHIN_SECONDS);
  const findings: Finding[] = [];
  for (const name of args) {
    const { repository } = parseTrustReference(name);
    findings.push(...(await watchOne(context, options, repository, windowMs)));
  }
  const isBroken = findings.some(({ state }) => state !== 'soon');
  const rows = findings.map(({ repository, what, expires, days, problem }) => [
    repository,
    what,
    problem ?? (days === null ? '' : dayWords(days)),
    expires ?? '-',
  ]);
  const text =
    findings.length === 0
      ? `nothing expires within ${windowWords(windowMs)}`
      : renderTable(['repository', 'what', 'state', 'expires'], rows);
  return { json: { findings }, text, ...(findings.length === 0 ? {} : { exit: isBroken ? 6 : 1 }) };
}

async function watchOne(
  context: CliContext,
  options: OptionValues,
  repository: string,
  windowMs: number,
): Promise<readonly Finding[]> {
  const { server, pins, memory } = await openTrust(context, options, repository);
  const nowMs = Date.now();
  const passing = new PassingMemory();
  const seen = memory.load(repository);
  if (seen !== undefined) passing.save(repository, seen);
  try {
    const collection = await updateCollection(new NewestTimestamp(server), {
      pins,
      memory: passing,
      nowMs,
      tolerateExpired: true,
    });
    const found = [...dates(collection)].flatMap(([what, expiresMs]) =>
      judge(repository, what, expiresMs, nowMs, windowMs),
    );
    return [...found, ...broken(collection)];
  } catch (thrown) {
    // One repository that is out of reach must not hide the others.
    const { message } = asAgentError(thrown);
    return [{ repository, what: 'repository', state: 'broken', expires: null, days: null, problem: message }];
  }
}

/** The server renews the timestamp by itself, days before and after every read: of it only the past counts. */
function judge(
  repository: string,
  what: string,
  expiresMs: number,
  nowMs: number,
  windowMs: number,
): readonly Finding[] {
  const leftMs = expiresMs - nowMs;
  if (leftMs > (what === 'timestamp' ? 0 : windowMs)) return [];
  const expires = new Date(expiresMs).toISOString();
  const state = leftMs <= 0 ? 'expired' : 'soon';
  return [{ repository, what, state, expires, days: Math.floor(leftMs / DAY_MS), problem: null }];
}

function* dates(collection: Collection): Iterable<readonly [string, number]> {
  for (const { role, expires } of roleViews(collection)) {
    if (expires !== undefined) yield [role, Date.parse(expires)];
  }
  const { keys, roles } = collection.root.document;
  for (const id of roles.root.keyids) {
    const key = keys.get(id);
    if (key === undefined) continue;
    yield [`root certificate ${id.slice(0, 12)}`, rootCertificateOf(key).notAfter.getTime()];
  }
}

function broken({ repository, faults }: Collection): readonly Finding[] {
  return [...faults]
    .filter(([, { problem }]) => problem === 'under-signed' || problem === 'unreadable')
    .map(([what, { problem }]) => ({
      repository,
      what,
      state: 'broken',
      expires: null,
      days: null,
      problem: problem === 'unreadable' ? 'cannot be read' : 'too few signatures',
    }));
}

function dayWords(days: number): string {
  if (days < 0) return 'expired';
  return days === 0 ? 'expires today' : `expires in ${days} days`;
}

function windowWords(windowMs: number): string {
  return windowMs % DAY_MS === 0 ? `${windowMs / DAY_MS} days` : `${windowMs / 1000} seconds`;
}
