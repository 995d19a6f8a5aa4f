/** `touchstone ceremony inventory FOLDER …`: who holds which token, and whose is too old; for cron, and for a bad day. */
import { resolve } from 'node:path';
import { CeremonyFolder } from '../../ceremony/folder.js';
import {
  readStored,
  takeInventory,
  type Inventory,
  type InventoryRow,
  type StoredCeremony,
} from '../../ceremony/inventory.js';
import { asAgentError } from '../../errors/agent-error.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { renderTable } from '../table.js';
import { firmwareOption } from '../token-rules.js';

const EXIT_AFFECTED = 1;
const EXIT_BROKEN = 6;

interface Fault {
  readonly folder: string;
  readonly problem: string;
}

/** Exit status 0 when every token is new enough, 1 when one is not, 6 when a folder cannot be read. */
export function ceremonyInventory(
  _context: CliContext,
  { args, options }: Invocation,
): Promise<CommandResult> {
  const minimum = firmwareOption(options);
  const stored: StoredCeremony[] = [];
  const faults: Fault[] = [];
  for (const path of args) {
    // One folder that cannot be read must not hide the others.
    try {
      stored.push(readStored(CeremonyFolder.open(resolve(path))));
    } catch (thrown) {
      faults.push({ folder: path, problem: asAgentError(thrown).message });
    }
  }
  const roots = takeInventory(stored, minimum);
  const isAffected = roots.some(({ tokens }) => tokens.some((token) => token.isAffected));
  const json = { minimumFirmware: minimum ?? null, roots, faults };
  const text = [
    ...roots.map((root) => inventoryText(root, minimum)),
    ...faults.map(({ folder, problem }) => `${folder}: ${problem}`),
  ].join('\n\n');
  if (faults.length > 0) return Promise.resolve({ json, text, exit: EXIT_BROKEN });
  return Promise.resolve(isAffected ? { json, text, exit: EXIT_AFFECTED } : { json, text });
}

function inventoryText({ name, ceremony, tokens }: Inventory, minimum: string | undefined): string {
  const affected = tokens.filter(({ isAffected }) => isAffected);
  const shown = minimum === undefined ? tokens : affected;
  const title = `${name}, after ${ceremony}`;
  if (minimum === undefined) return `${title}\n${tableOf(shown)}`;
  const count = `${affected.length} of ${tokens.length} tokens have firmware before ${minimum}, or nobody knows`;
  return shown.length === 0 ? `${title}: ${count}` : `${title}: ${count}\n${tableOf(shown)}`;
}

function tableOf(rows: readonly InventoryRow[]): string {
  const header = ['holder', 'serial', 'model', 'firmware', 'pin', 'touch', 'attested', 'enrolled for', 'key'];
  return renderTable(
    header,
    rows.map((row) => [
      row.holder,
      row.serial,
      row.model,
      row.firmware ?? 'unknown',
      row.pinPolicy,
      row.touchPolicy,
      row.isAttested ? 'yes' : 'no',
      row.enrolledFor ?? 'unknown',
      row.keyId.slice(0, 16),
    ]),
  );
}
