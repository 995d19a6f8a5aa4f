/** `touchstone ceremony open`: all that is looked at before a token is touched. */
import { resolve } from 'node:path';
import { WAIVABLE } from '../../ceremony/checks/all.js';
import type { CheckName } from '../../ceremony/checks/check.js';
import { checkEvent } from '../../ceremony/closing.js';
import { CeremonyFolder } from '../../ceremony/folder.js';
import { MANIFEST_FILE } from '../../ceremony/file-names.js';
import { loadFolder } from '../../ceremony/loading.js';
import { closeNetwork } from '../../ceremony/network-guard.js';
import { sha256Hex } from '../../ceremony/one-form.js';
import { judgeWith, type CeremonySession, type JudgedCheck } from '../../ceremony/session.js';
import { TOOL_ACTOR } from '../../ceremony/transcript.js';
import { pgpWords } from '../../ceremony/words.js';
import { AgentError } from '../../errors/agent-error.js';
import { openCeremony, ownLinesOf, participantsFrom, toolFacts } from '../ceremony-session.js';
import { checksText, hashText } from '../ceremony-text.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import type { OptionValues } from '../option-values.js';
import { readTypedLine } from '../typed-line.js';

/** What going by an unsealed transcript means. */
const UNSEALED_PHRASE = 'anybody can have written it';

/** @throws AgentError `ceremony.folder`, `usage.invalid` */
export async function ceremonyOpen(
  context: CliContext,
  { args, options }: Invocation,
): Promise<CommandResult> {
  closeNetwork();
  const path = resolve(args[0] ?? '.');
  const participants = participantsFrom(options);
  const waivers = waiversFrom(options);
  if (waivers.has('PREVIOUS-SEALED')) await acceptUnsealed(options);
  const manifest = sha256Hex(CeremonyFolder.open(path).require(MANIFEST_FILE));
  requireManifest(options.text('manifest'), manifest);
  const { facts, results } = loadFolder(CeremonyFolder.open(path));
  const read = judgeWith(results, new Map());
  if (facts === undefined || isBad(read)) return report(read, manifest, facts?.request.sha256);
  const today = await typedDate(options.text('today'));
  using session = openCeremony(path, today);
  const { request, policy } = session.facts;
  session.transcript.add(TOOL_ACTOR, {
    event: 'opened',
    ceremony: request.value.id,
    ...toolFacts(context.program),
    request: request.sha256,
    policy: policy.sha256,
    manifest,
    today,
    participants,
  });
  const checks = session.judge(waivers);
  writeDown(session, checks);
  (await ownLinesOf(context)).note(session.transcript.head);
  return report(checks, manifest, request.sha256);
}

function writeDown({ transcript, facts }: CeremonySession, checks: readonly JudgedCheck[]): void {
  for (const check of checks)
    transcript.add(check.waivedBy === '' ? TOOL_ACTOR : check.waivedBy, checkEvent(check, check.waivedBy));
  if (isBad(checks)) transcript.add(TOOL_ACTOR, { event: 'aborted', reason: 'a check failed' });
  else transcript.add(TOOL_ACTOR, { event: 'shown', what: 'request.json', sha256: facts.request.sha256 });
}

function report(
  checks: readonly JudgedCheck[],
  manifest: string,
  request: string | undefined,
): CommandResult {
  const isGood = !isBad(checks);
  const text = [
    hashText('MANIFEST', manifest),
    ...(request === undefined ? [] : [hashText('request', request)]),
    checksText(checks),
    isGood
      ? 'All checks are good. Compare both hashes aloud with what was reviewed; "touchstone ceremony review" is next.'
      : 'The ceremony ends here: no token was touched.',
  ].join('\n\n');
  const json = { ok: isGood, manifest, manifestWords: pgpWords(manifest), request: request ?? null, checks };
  return isGood ? { json, text } : { json, text, exit: 6 };
}

function isBad(checks: readonly JudgedCheck[]): boolean {
  return checks.some(({ passed, waivedBy }) => !passed && waivedBy === '');
}

/** The hash that somebody reads from the paper, in hex; white space does not matter. */
function requireManifest(said: string | undefined, manifest: string): void {
  if (said === undefined || said.replaceAll(/\s/g, '').toLowerCase() === manifest) return;
  throw new AgentError('ceremony.check', {
    message: 'MANIFEST-HASH: the hash of MANIFEST is not the one that was given',
    details: { check: 'MANIFEST-HASH' },
  });
}

/** What was carried in as history may be somebody's invention: whoever goes on says so. @throws AgentError `usage.invalid` */
async function acceptUnsealed(options: OptionValues): Promise<void> {
  const hint = `have the transcript sealed: "touchstone ceremony seal"; or add --unsealed "${UNSEALED_PHRASE}"`;
  const prompt = `Type "${UNSEALED_PHRASE}" to go by a transcript without seals: `;
  const typed = options.text('unsealed') ?? (await readTypedLine(prompt, hint));
  if (typed === UNSEALED_PHRASE) return;
  throw new AgentError('usage.invalid', {
    message: 'waiving PREVIOUS-SEALED: what it means was not typed',
    hint: `${hint}; nothing was opened`,
  });
}

async function typedDate(given: string | undefined): Promise<string> {
  const hint = 'give the date with --today YYYY-MM-DD';
  const text = given ?? (await readTypedLine('What day is it today (YYYY-MM-DD)? ', hint));
  const time = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  const isDay = !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
  if (isDay) return text;
  throw new AgentError('usage.invalid', {
    message: `${given === undefined ? 'the date' : 'option --today'}: ${hint}`,
  });
}

function waiversFrom(options: OptionValues): ReadonlyMap<string, string> {
  return new Map(
    options.list('waive').map((text) => {
      const [check = '', by = ''] = text.split('=', 2);
      if (WAIVABLE.has(check as CheckName) && /^[a-z][a-z0-9-]{0,31}$/.test(by)) return [check, by] as const;
      throw new AgentError('usage.invalid', {
        message: `option --waive: CHECK=NAME, for one of ${[...WAIVABLE].join(', ')}`,
      });
    }),
  );
}
