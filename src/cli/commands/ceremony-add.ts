/** `touchstone ceremony add`: takes signatures that were made elsewhere, and shows the board. */
import { basename } from 'node:path';
import { readSignatureFile } from '../../ceremony/signature-file.js';
import { openCeremony } from '../ceremony-session.js';
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
    const { value } = readSignatureFile(await readInput(path), basename(path));
    if (session.take(value, 'added')) added.push(basename(path));
  }
  const rows = session.board();
  const text = boardText(rows, session.facts.holders);
  const said =
    files.length === 0
      ? ''
      : `${counted(added.length, 'signature')} added, ${files.length - added.length} known\n\n`;
  return { json: { added, board: rows, complete: rows.every(({ isMet }) => isMet) }, text: `${said}${text}` };
}
