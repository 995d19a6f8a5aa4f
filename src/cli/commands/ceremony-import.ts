/** `touchstone ceremony import`: publishes what came out of the room, after everything was verified once more. */
import { resolve } from 'node:path';
import { calendarOf } from '../../ceremony/calendar.js';
import type { CeremonyFacts } from '../../ceremony/facts.js';
import { outputFile } from '../../ceremony/file-names.js';
import { CeremonyFolder } from '../../ceremony/folder.js';
import { importInto, type SignedOutput } from '../../ceremony/importing.js';
import { requireGood } from '../../ceremony/session.js';
import { verifyCeremony } from '../../ceremony/verifying.js';
import { AgentError } from '../../errors/agent-error.js';
import type { CommandResult, Invocation } from '../command.js';
import type { CliContext } from '../context.js';
import { importRoots, type RootImport } from '../notary-import.js';
import type { OptionValues } from '../option-values.js';
import { writeOutput } from '../output-file.js';

/** Where documents go: roots of a notary-server to that server, everything else into a directory. */
interface Sorted {
  readonly roots: readonly SignedOutput[];
  readonly files: readonly SignedOutput[];
}

/** @throws AgentError `ceremony.check`, `ceremony.import`, `usage.invalid` without --to where it is needed */
export async function ceremonyImport(
  context: CliContext,
  { args, options }: Invocation,
): Promise<CommandResult> {
  const folder = CeremonyFolder.open(resolve(args[0] ?? '.'));
  const { checks, facts } = verifyCeremony(folder);
  requireGood(checks);
  if (facts === undefined) throw new AgentError('ceremony.check');
  if (facts.request.value.rehearsal)
    throw new AgentError('ceremony.import', {
      message: 'importing: it was a rehearsal',
      hint: 'import the folder of the ceremony itself',
    });
  const { roots, files } = sortedOutputs(folder, facts);
  const imported = files.length === 0 ? [] : importInto(resolve(options.requiredText('to')), files);
  const published = await importRoots(context, options, roots);
  const failed = failuresIn(published);
  if (failed.length === 0) writeCalendar(context, options, facts);
  return {
    json: { imported, published: published.map(jsonOf), expires: facts.request.value.expires },
    text: [
      ...imported.map(({ path, isNew }) => `${path}${isNew ? '' : ' was there already'}`),
      ...published.map(({ repository, says }) => `${repository}: ${says}`),
      failed.length === 0
        ? nextWords(facts)
        : 'Put right what is named, then import it again: what is published stays.',
    ].join('\n'),
    ...(failed.length === 0 ? {} : { exit: 1 }),
  };
}

function sortedOutputs(folder: CeremonyFolder, { documents }: CeremonyFacts): Sorted {
  const outputs = documents.flatMap((document) => {
    const bytes = folder.read(outputFile(document.order, document.order.version, false));
    return bytes === undefined ? [] : [{ document, bytes }];
  });
  const isRoot = ({ document }: SignedOutput): boolean => document.order.format === 'notary1';
  return { roots: outputs.filter(isRoot), files: outputs.filter((one) => !isRoot(one)) };
}

/** @throws AgentError the reason, where there is only one repository to speak of */
function failuresIn(published: readonly RootImport[]): readonly AgentError[] {
  const failed = published.flatMap(({ error }) => error ?? []);
  const [first] = failed;
  if (published.length === 1 && first !== undefined) throw first;
  return failed;
}

function writeCalendar(context: CliContext, options: OptionValues, facts: CeremonyFacts): void {
  const calendar = options.text('calendar');
  if (calendar !== undefined) writeOutput(context, calendar, calendarOf(facts));
}

function jsonOf({ repository, version, published, error }: RootImport): object {
  return { repository, version, published, error: error?.toData() ?? null };
}

function nextWords({ policy, request }: CeremonyFacts): string {
  const { windows } = policy.value;
  return `The next one can be signed from ${windows.signingDays} days before ${request.value.expires.slice(0, 10)} on.`;
}
