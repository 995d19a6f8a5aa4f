/** `touchstone env`: shell lines that let other programs find the agent. */
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { placesOf } from '../places.js';

const VARIABLE = 'TOUCHSTONE_SOCK';

/** For the shell that was asked for, else the one in $SHELL. */
export async function env(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const { socket } = await placesOf(context);
  const json = { [VARIABLE]: socket };
  if (invocation.options.flag('print-socket')) return { json, text: socket };
  const shell = chosenShell(invocation, context.env['SHELL'] ?? '');
  return { json, text: assignment(shell, socket) };
}

type Shell = 'sh' | 'csh' | 'fish';

function chosenShell(invocation: Invocation, loginShell: string): Shell {
  if (invocation.options.flag('csh')) return 'csh';
  if (invocation.options.flag('fish')) return 'fish';
  if (loginShell.endsWith('csh')) return 'csh';
  return loginShell.endsWith('fish') ? 'fish' : 'sh';
}

function assignment(shell: Shell, value: string): string {
  switch (shell) {
    case 'sh':
      return `${VARIABLE}=${quote(value)}; export ${VARIABLE};`;
    case 'csh':
      // csh takes "!" as history even inside single quotes.
      return `setenv ${VARIABLE} ${quote(value).replaceAll('!', '\\!')};`;
    case 'fish':
      return `set -gx ${VARIABLE} '${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}';`;
  }
}

/** Single quotes stop every expansion; a quote inside is closed, escaped, opened again. */
function quote(value: string): string {
  return /^[A-Za-z0-9_./-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
}
