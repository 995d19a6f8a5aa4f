/** `touchstone ceremony add`: takes signatures that were made elsewhere, and shows the board. */
import { basename } from 'node:path';
import { readSignatureFile } from '../../ceremony/signature-file.js';
import { readTranscript } from '../../ceremony/transcript.js';
import { takeSealsFrom } from '../../ceremony/sealing.js';
import type { CeremonySession } from '../../ceremony/session.js';
import { openCeremony, renderTranscript } from '../ceremony-session.js';
import { boardText } from '../ceremony-text.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { readInput } from '../input-file.js';
import { counted } from '../table.js';

/** Files that are there already change nothing. @throws AgentError `ceremony.file`, `ceremony.signature`, `ceremony.check` */
export async function ceremonyAdd(_context: CliContext, { args }: Invocation): Promise<CommandResult> {
  const [folder, ...files] = args;
  using session = openCeremony(folder);
  const added: string[] = [];
  for (const path of files) {
    if (takeFrom(session, basename(path), await readInput(path))) added.push(basename(path));
  }
  const rows = session.board();
  const text = boardText(rows, session.facts.holders);
  const said =
    files.length === 0
      ? ''
      : `${counted(added.length, 'file')} added, ${files.length - added.length} known\n\n`;
  return { json: { added, board: rows, complete: rows.every(({ isMet }) => isMet) }, text: `${said}${text}` };
}

/** A signature file, or the transcript of a copy that was sealed elsewhere. @returns false when nothing in it is new */
function takeFrom(session: CeremonySession, name: string, bytes: Buffer): boolean {
  if (!name.endsWith('.jsonl')) return session.take(readSignatureFile(bytes, name).value, 'added');
  const isNew = takeSealsFrom(session, readTranscript(bytes));
  if (isNew) {
    renderTranscript(session);
    session.folder.seal();
  }
  return isNew;
}
