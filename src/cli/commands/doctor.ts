/** `touchstone doctor`: every part looked at, a fix for everything that is not well. Exit status 1 when something fails. */
import { asAgentError } from '../../errors/agent-error.js';
import type { AgentPaths } from '../../platform/paths.js';
import { checkAgent } from '../checks/agent.js';
import { fail, ok, type Check } from '../checks/check.js';
import { checkDevices } from '../checks/devices.js';
import { checkDrivers, checkInstallation } from '../checks/installation.js';
import { checkPlaces } from '../checks/places.js';
import { checkRecords } from '../checks/records.js';
import type { CommandResult } from '../command.js';
import type { CliContext } from '../context.js';
import { placesOf } from '../places.js';
import { paint, type Paint } from '../style.js';
import { counted } from '../table.js';
import { readConfig } from './config-show.js';

const COLOURS: Readonly<Record<Check['outcome'], Paint>> = { ok: 'green', warn: 'yellow', fail: 'red' };

/** Runs all checks. */
export async function doctor(context: CliContext): Promise<CommandResult> {
  const places = await placesOf(context);
  const checks = [
    ...checkInstallation(),
    ...(await checkConfig(places)),
    ...checkPlaces(places, context.uid),
    ...(await checkRecords(context, places)),
    ...(await checkAgent(context)),
  ];
  const failed = checks.filter(({ outcome }) => outcome === 'fail').length;
  const text = checks
    .map((check) => renderCheck(check, context.flags.colour && context.stdoutIsTerminal))
    .join('\n');
  return { json: { ok: failed === 0, checks }, text, ...(failed === 0 ? {} : { exit: 1 }) };
}

async function checkConfig(places: AgentPaths): Promise<readonly Check[]> {
  try {
    const { config } = readConfig(places.configFile);
    return [
      ok('config', `domain ${config.domain}, ${counted(config.tokens.length, 'token')}`),
      ...checkDrivers(config),
      ...(await checkDevices(config)),
    ];
  } catch (thrown) {
    const error = asAgentError(thrown);
    return [fail('config', error.message, error.hint)];
  }
}

function renderCheck({ name, outcome, message, fix }: Check, colour: boolean): string {
  const line = `${paint(outcome.padEnd(4), COLOURS[outcome], colour)}  ${name}: ${message}`;
  return fix === undefined ? line : `${line}\n      fix: ${fix}`;
}
