/** `touchstone env`: shell lines that let other programs find the agent. */
import { existsSync } from 'node:fs';
import { socketPlaces } from '../../config/sockets.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { serverAddress, SERVER_ADDRESS } from '../pkcs11-door.js';
import { placesOf } from '../places.js';
import { readConfig } from './config-show.js';

const CONTROL = 'TOUCHSTONE_SOCK';
const SSH_AGENT = 'SSH_AUTH_SOCK';

/** For the shell that was asked for, else the one in $SHELL. */
export async function env(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const { socket, configFile } = await placesOf(context);
  const json = { [CONTROL]: socket, ...(existsSync(configFile) ? doorVariables(configFile, socket) : {}) };
  if (invocation.options.flag('print-socket')) return { json, text: socket };
  const shell = chosenShell(invocation, context.env['SHELL'] ?? '');
  const lines = Object.entries(json).map(([name, value]) => assignment(shell, name, value));
  return { json, text: lines.join('\n') };
}

/** What leads programs to the doors that touchstone.toml enables. */
function doorVariables(configFile: string, control: string): Readonly<Record<string, string>> {
  const { config } = readConfig(configFile);
  const variables: Record<string, string> = {};
  for (const { name, path } of socketPlaces(config, control)) {
    if (name === 'ssh-agent') variables[SSH_AGENT] = path;
    if (name === 'pkcs11') variables[SERVER_ADDRESS] = serverAddress(path);
  }
  return variables;
}

type Shell = 'sh' | 'csh' | 'fish';

function chosenShell(invocation: Invocation, loginShell: string): Shell {
  if (invocation.options.flag('csh')) return 'csh';
  if (invocation.options.flag('fish')) return 'fish';
  if (loginShell.endsWith('csh')) return 'csh';
  return loginShell.endsWith('fish') ? 'fish' : 'sh';
}

function assignment(shell: Shell, name: string, value: string): string {
  switch (shell) {
    case 'sh':
      return `${name}=${quote(value)}; export ${name};`;
    case 'csh':
      // csh takes "!" as history even inside single quotes.
      return `setenv ${name} ${quote(value).replaceAll('!', '\\!')};`;
    case 'fish':
      return `set -gx ${name} '${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}';`;
  }
}

/** Single quotes stop every expansion; a quote inside is closed, escaped, opened again. */
function quote(value: string): string {
  return /^[A-Za-z0-9_./-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
}
