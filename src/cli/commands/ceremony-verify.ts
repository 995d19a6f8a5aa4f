/** `touchstone ceremony verify`: the whole ceremony again, from its files. */
import { resolve } from 'node:path';
import { CeremonyFolder } from '../../ceremony/folder.js';
import { closeNetwork } from '../../ceremony/network-guard.js';
import { transcriptPage, transcriptText } from '../../ceremony/transcript-text.js';
import { verifyCeremony } from '../../ceremony/verifying.js';
import { sealCount } from '../../ceremony/vouching.js';
import { checksText, diffText, sealText } from '../ceremony-text.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { writeOutput } from '../output-file.js';

/** @throws AgentError `ceremony.folder`, `ceremony.transcript` naming the line */
export function ceremonyVerify(context: CliContext, { args, options }: Invocation): Promise<CommandResult> {
  closeNetwork();
  const { checks, lines, facts } = verifyCeremony(CeremonyFolder.open(resolve(args[0] ?? '.')));
  const isGood = checks.every(({ passed, waivedBy }) => passed || waivedBy !== '');
  // What does not hold cannot always be put into sentences.
  const about = isGood && facts !== undefined ? diffText(facts) : '';
  const page = options.text('html');
  if (page !== undefined) writeOutput(context, page, transcriptPage(lines, about));
  const sealedBy = checks
    .filter(({ check, passed }) => check === 'SEAL-VALID' && passed)
    .map(({ subject }) => subject);
  const next = facts === undefined ? '' : sealText(sealCount(lines, facts));
  const said = isGood
    ? `Everything holds. ${sealWords(sealedBy)} ${next}`.trimEnd()
    : 'This does not hold: see FAIL.';
  const told = options.flag('transcript') ? `${transcriptText(lines, about)}\n` : '';
  const json = {
    ok: isGood,
    ceremony: facts?.request.value.id ?? null,
    lines: lines.length,
    sealedBy,
    checks,
  };
  const text = `${told}${checksText(checks)}\n\n${said}`;
  return Promise.resolve(isGood ? { json, text } : { json, text, exit: 6 });
}

function sealWords(sealedBy: readonly string[]): string {
  return sealedBy.length === 0
    ? 'Nobody has sealed the transcript: whoever had the folder could have written it anew.'
    : `The transcript is sealed by ${sealedBy.join(', ')}.`;
}
