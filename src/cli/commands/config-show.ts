/** `touchstone config show`. */
import { existsSync, readFileSync } from 'node:fs';
import { parseConfig, type Config } from '../../config/document.js';
import { settingsOf, type Setting } from '../../config/settings.js';
import { AgentError } from '../../errors/agent-error.js';
import { fileFault } from '../../platform/errno.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { placesOf } from '../places.js';
import { renderTable } from '../table.js';

interface Shown {
  readonly name: string;
  readonly value: Setting['value'];
  readonly origin: string;
}

/** Every setting with its value; with --origin also where it comes from. */
export async function configShow(context: CliContext, invocation: Invocation): Promise<CommandResult> {
  const places = await placesOf(context);
  const { config, text } = readConfig(places.configFile);
  const settings: readonly Shown[] = [
    { name: 'config-file', value: places.configFile, origin: places.origins.configFile },
    { name: 'state', value: places.stateDir, origin: places.origins.stateDir },
    { name: 'socket', value: places.socket, origin: places.origins.socket },
    ...settingsOf(config, text, places.configFile).filter(({ name }) => name !== 'socket'),
  ];
  const withOrigin = invocation.options.flag('origin');
  const rows = settings.map(({ name, value, origin }) => [
    name,
    JSON.stringify(value),
    ...(withOrigin ? [origin] : []),
  ]);
  const header = ['setting', 'value', ...(withOrigin ? ['origin'] : [])];
  return { json: { settings }, text: renderTable(header, rows) };
}

export interface ReadConfig {
  readonly config: Config;
  readonly text: string;
}

/** @throws AgentError config.missing, config.invalid and what else `parseConfig` finds */
export function readConfig(file: string): ReadConfig {
  if (!existsSync(file))
    throw new AgentError('config.missing', { message: `there is no configuration in ${file}` });
  try {
    const text = readFileSync(file, 'utf8');
    return { config: parseConfig(text, file), text };
  } catch (cause) {
    if (cause instanceof AgentError) throw cause;
    throw new AgentError('usage.file', { message: `reading ${file}: ${fileFault(cause)}`, cause });
  }
}
