/** `touchstone ceremony import`: publishes what came out of the room, after everything was verified once more. */
import { resolve } from 'node:path';
import { calendarOf } from '../../ceremony/calendar.js';
import { outputFile } from '../../ceremony/file-names.js';
import { CeremonyFolder } from '../../ceremony/folder.js';
import { importInto, type SignedOutput } from '../../ceremony/importing.js';
import type { CeremonyFacts } from '../../ceremony/facts.js';
import { requireGood } from '../../ceremony/session.js';
import { verifyCeremony } from '../../ceremony/verifying.js';
import { AgentError } from '../../errors/agent-error.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { writeOutput } from '../output-file.js';

/** @throws AgentError `ceremony.check`, `ceremony.import` */
export function ceremonyImport(context: CliContext, { args, options }: Invocation): Promise<CommandResult> {
  const folder = CeremonyFolder.open(resolve(args[0] ?? '.'));
  const { checks, facts } = verifyCeremony(folder);
  requireGood(checks);
  if (facts === undefined) throw new AgentError('ceremony.check');
  if (facts.request.value.rehearsal)
    throw new AgentError('ceremony.import', { message: 'importing: it was a rehearsal' });
  const imported = importInto(resolve(options.requiredText('to')), outputsIn(folder, facts));
  const calendar = options.text('calendar');
  if (calendar !== undefined) writeOutput(context, calendar, calendarOf(facts));
  const lines = imported.map(({ path, isNew }) => `${path}${isNew ? '' : ' was there already'}`);
  const next = `The next one can be signed from ${facts.policy.value.windows.signingDays} days before ${facts.request.value.expires.slice(0, 10)} on.`;
  return Promise.resolve({
    json: { imported, expires: facts.request.value.expires },
    text: [...lines, next].join('\n'),
  });
}

function outputsIn(folder: CeremonyFolder, { documents }: CeremonyFacts): readonly SignedOutput[] {
  return documents.flatMap((document) => {
    const bytes = folder.read(outputFile(document.order, document.order.version, false));
    return bytes === undefined ? [] : [{ document, bytes }];
  });
}
