/** A ceremony looked at afterwards: everything that can be done again is, and compared with what was written down. */
import { isDeepStrictEqual } from 'node:util';
import { CLOSING_CHECKS, ENTRY_CHECKS } from './checks/all.js';
import { fail, pass, type CheckResult } from './checks/check.js';
import { boardOf } from './board.js';
import { completeFacts, madeOf, outputsOf } from './closing.js';
import type { EventOf } from './event.js';
import type { CeremonyFacts } from './facts.js';
import { transcriptFile } from './file-names.js';
import type { CeremonyFolder } from './folder.js';
import { loadFolder } from './loading.js';
import { newestAfter } from './newest.js';
import { sha256Hex } from './one-form.js';
import { isSeal, sealFactsOf } from './sealing.js';
import { judgeWith, waiversIn, type JudgedCheck } from './session.js';
import { readTranscript } from './transcript.js';
import type { TranscriptLine } from './transcript-line.js';

export interface Verified {
  readonly facts: CeremonyFacts | undefined;
  readonly lines: readonly TranscriptLine[];
  readonly checks: readonly JudgedCheck[];
}

/** Replays the transcript of a folder. Nothing is thrown for what is wrong in it: it is among the checks. */
export function verifyCeremony(folder: CeremonyFolder): Verified {
  const first = loadFolder(folder);
  const name = transcriptFile(first.facts?.request.value.rehearsal ?? false);
  const broken = first.facts === undefined || first.results.some(({ passed }) => !passed);
  if (broken) return { facts: first.facts, lines: [], checks: judgeWith(first.results, new Map()) };
  const lines = readTranscript(folder.read(name) ?? Buffer.alloc(0));
  const opened = lastEvent(lines, 'opened');
  const { facts, results } = loadFolder(folder, opened?.today);
  if (facts === undefined) return { facts, lines, checks: judgeWith(results, new Map()) };
  const checks = [
    ...results,
    ...ENTRY_CHECKS.flatMap((check) => check(facts)),
    transcriptResult(lines, facts, opened),
    ...outputResults(folder, lines, facts),
    ...sealResults(lines, facts),
  ];
  return { facts, lines, checks: judgeWith(checks, waiversIn(lines)) };
}

function transcriptResult(
  lines: readonly TranscriptLine[],
  { request, policy, signatures }: CeremonyFacts,
  opened: EventOf<'opened'> | undefined,
): CheckResult {
  const bad = (says: string): CheckResult => fail('TRANSCRIPT-CHAIN', '', says);
  if (opened === undefined) return bad('it was never opened');
  if (opened.request !== request.sha256 || opened.policy !== policy.sha256)
    return bad('it is of another request or policy');
  const said = new Set(lines.flatMap(({ event }) => (event.event === 'signed' ? [event.sha256] : [])));
  const silent = signatures.filter(({ sha256 }) => !said.has(sha256)).length;
  if (silent > 0) return bad(`it says nothing of ${silent} signature files`);
  return pass('TRANSCRIPT-CHAIN', '', `${lines.length} lines follow one from the other`);
}

/** The files that left are those that follow from the signatures, and those that the last line names. */
function outputResults(
  folder: CeremonyFolder,
  lines: readonly TranscriptLine[],
  facts: CeremonyFacts,
): readonly CheckResult[] {
  const closed = lastEvent(lines, 'closed');
  if (closed === undefined) return [fail('OUTPUT-REPRODUCED', '', 'the ceremony was not closed')];
  const rows = boardOf(
    facts.documents,
    facts.signatures.map(({ value }) => value),
  );
  const open = rows.filter(({ isMet }) => !isMet).map(({ document }) => document);
  if (open.join() !== closed.open.join())
    return [fail('OUTPUT-REPRODUCED', '', 'other documents are complete than it says')];
  const complete = completeFacts(facts, rows);
  const walked = CLOSING_CHECKS.flatMap((check) => check(complete));
  if (walked.some(({ passed }) => !passed)) return walked;
  const made = outputsOf(complete, open.length === 0);
  if (!isDeepStrictEqual(newestAfter(facts, madeOf(complete, made)), closed.newest))
    return [fail('OUTPUT-REPRODUCED', '', 'other versions are the newest than it says')];
  const judged = made.map(({ file, bytes }) => {
    const sha256 = sha256Hex(bytes);
    if (folder.read(file)?.equals(bytes) !== true)
      return fail('OUTPUT-REPRODUCED', file, 'made again here it is another file');
    return closed.outputs.some((one) => one.file === file && one.sha256 === sha256)
      ? pass('OUTPUT-REPRODUCED', file, 'made again here, it is the same byte for byte')
      : fail('OUTPUT-REPRODUCED', file, 'the transcript names another file');
  });
  const more = closed.outputs.filter(({ file }) => !made.some((one) => one.file === file));
  return [
    ...walked,
    ...judged,
    ...more.map(({ file }) => fail('OUTPUT-REPRODUCED', file, 'nothing makes this file')),
  ];
}

function sealResults(lines: readonly TranscriptLine[], facts: CeremonyFacts): readonly CheckResult[] {
  const what = sealFactsOf(lines, facts);
  return lines.flatMap(({ seq, event }) => {
    if (event.event !== 'sealed' || what === undefined || seq < what.seq) return [];
    return isSeal(what, event, facts)
      ? [pass('SEAL-VALID', event.holder, 'has signed the transcript')]
      : [fail('SEAL-VALID', event.holder, 'the seal does not verify')];
  });
}

function lastEvent<K extends 'opened' | 'closed'>(
  lines: readonly TranscriptLine[],
  kind: K,
): EventOf<K> | undefined {
  return lines.flatMap(({ event }) => (event.event === kind ? [event as EventOf<K>] : [])).at(-1);
}
