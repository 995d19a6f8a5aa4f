/** `touchstone paths`. */
import type { CommandResult } from '../command.js';
import type { CliContext } from '../context.js';
import { placesOf } from '../places.js';
import { renderTable } from '../table.js';

/** Every place, and the rule that gave it. */
export async function paths(context: CliContext): Promise<CommandResult> {
  const places = await placesOf(context);
  const { configFile, stateDir, socket } = places.origins;
  const rows = [
    ['configuration', places.configFile, configFile],
    ['policy', places.policyFile, configFile],
    ['state', places.stateDir, stateDir],
    ['audit log', places.auditDir, stateDir],
    ['socket', places.socket, socket],
  ];
  return { json: places, text: renderTable(['what', 'path', 'from'], rows) };
}
