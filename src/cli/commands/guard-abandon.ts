/** `touchstone guard abandon REPOSITORY#ROLE`. */
import { AgentError } from '../../errors/agent-error.js';
import { parseKeyName } from '../../keys/key-name.js';
import type { Result } from '../../protocol/methods.js';
import { withAgent } from '../agent-session.js';
import type { CommandResult, Invocation, RunCommand } from '../command.js';
import type { CliContext } from '../context.js';
import type { OptionValues } from '../option-values.js';
import { readTypedLine } from '../typed-line.js';

/** Whether the server, or the folder that is named, has a version; `unknown` when it was not asked, or did not say. */
export type StoredCheck = (
  context: CliContext,
  asked: { readonly repository: string; readonly role: string; readonly version: number },
  options: OptionValues,
) => Promise<'stored' | 'absent' | 'unknown'>;

type Signed = NonNullable<Result<'guard.show'>['entries'][number]['signed']>;

const UNKNOWN =
  'nobody asked the server: should it have this version after all, readers may see two contents of it';

/** The command, with the check that it makes before it asks the person. */
export function guardAbandon(check: StoredCheck): RunCommand {
  return async (context, invocation) => abandon(context, invocation, check);
}

async function abandon(
  context: CliContext,
  { args, options }: Invocation,
  check: StoredCheck,
): Promise<CommandResult> {
  const { repository, role } = parseKeyName(args[0] ?? '');
  const given = options.integer('version', { min: 1, max: Number.MAX_SAFE_INTEGER });
  const name = `${repository}#${role}`;
  return withAgent(context, async (client) => {
    const { entries } = await client.call('guard.show', { repository, role });
    const signed = entries[0]?.signed ?? undefined;
    if (signed === undefined) {
      throw new AgentError('guard.version', {
        message: `abandoning what is signed for ${name}: nothing is signed and unpublished`,
        hint: `see: touchstone guard show ${repository}`,
      });
    }
    const { version, sha256 } = signed;
    context.warn(`${name}: version ${version} is signed and not published, sha256 ${sha256}`);
    const server = await check(context, { repository, role, version }, options);
    const place = options.text('folder') === undefined ? 'the server' : 'the folder';
    if (server === 'stored') throw stored(name, version, place);
    context.warn(server === 'absent' ? `${place} does not have this version` : UNKNOWN);
    await confirm(signed, given);
    await client.call('guard.abandon', { repository, role, version, sha256 });
    const text = `${name}: version ${version} is given up and may be signed with another content`;
    return { json: { repository, role, version, sha256, server }, text };
  });
}

/** A script gives the version, a person types it: neither can mean another one. */
async function confirm({ version }: Signed, given: number | undefined): Promise<void> {
  const typed =
    given === undefined
      ? await readTypedLine(`type ${version} to give it up: `, `add --version ${version} if you mean it`)
      : String(given);
  if (typed === String(version)) return;
  throw new AgentError('usage.invalid', {
    message: `abandoning version ${version}: ${typed === '' ? 'nothing' : 'another version'} was given, so nothing was changed`,
    hint: 'give the version that "touchstone guard show" shows as signed',
  });
}

function stored(name: string, version: number, place: string): AgentError {
  return new AgentError('guard.version', {
    message: `abandoning version ${version} of ${name}: ${place} has it`,
    hint: 'it is published; sign the next version instead',
  });
}
