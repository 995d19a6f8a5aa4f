/** A ceremony's folder as commands open it: without a network, locked, with who is there. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { arch, release, type } from 'node:os';
import { resolve } from 'node:path';
import { closeNetwork } from '../ceremony/network-guard.js';
import type { EventOf } from '../ceremony/event.js';
import { CeremonySession } from '../ceremony/session.js';
import { transcriptFile } from '../ceremony/file-names.js';
import { OwnLines } from '../ceremony/own-lines.js';
import { transcriptPage, transcriptText } from '../ceremony/transcript-text.js';
import { AgentError } from '../errors/agent-error.js';
import { diffText } from './ceremony-text.js';
import type { CliContext } from './context.js';
import type { OptionValues } from './option-values.js';
import { placesOf } from './places.js';
import { packageVersion } from './version.js';

const PARTS = ['holder', 'leader', 'witness', 'scribe'] as const;
const NAME = /^[a-z][a-z0-9-]{0,31}$/;

/**
 * Shuts the network and opens the folder of the first argument.
 * @param today the date that a person typed, `YYYY-MM-DD`
 */
export function openCeremony(folder: string | undefined, today?: string): CeremonySession {
  closeNetwork();
  return CeremonySession.open(resolve(folder ?? '.'), today);
}

/** What this machine has opened and confirmed itself. */
export async function ownLinesOf(context: CliContext): Promise<OwnLines> {
  return new OwnLines((await placesOf(context)).stateDir);
}

/** Who takes part, from --holder, --leader, --witness and --scribe. @throws AgentError usage.invalid */
export function participantsFrom(options: OptionValues): EventOf<'opened'>['participants'] {
  return PARTS.flatMap((part) =>
    options.list(part).map((name) => {
      if (NAME.test(name)) return { name, part };
      throw new AgentError('usage.invalid', {
        message: `option --${part}: a name has small letters, digits and -`,
      });
    }),
  );
}

/** This program and the machine that it runs on, as the first line of a transcript names them. */
export function toolFacts(
  program: string,
): Pick<EventOf<'opened'>, 'tool' | 'toolSha256' | 'node' | 'system'> {
  return {
    tool: `touchstone ${packageVersion()}`,
    toolSha256: createHash('sha256').update(readFileSync(program)).digest('hex'),
    node: process.version,
    system: `${type()} ${release()} ${arch()}`,
  };
}

/** Writes the transcript as text and as a page beside its lines. */
export function renderTranscript({ folder, transcript, facts }: CeremonySession): void {
  const { rehearsal } = facts.request.value;
  const about = diffText(facts);
  for (const [ending, render] of [
    ['txt', transcriptText],
    ['html', transcriptPage],
  ] as const) {
    folder.write(transcriptFile(rehearsal, ending), Buffer.from(render(transcript.lines, about), 'utf8'));
  }
}

/** Who speaks in the transcript: --by, or the first who takes part. */
export function actorOf(context: CliContext, options: OptionValues, session: CeremonySession): string {
  const named = options.text('by') ?? session.opened?.participants[0]?.name;
  if (named === undefined) return `uid-${context.uid}`;
  if (NAME.test(named)) return named;
  throw new AgentError('usage.invalid', { message: 'option --by: a name has small letters, digits and -' });
}
