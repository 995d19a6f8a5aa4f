/** Asking a person before `targets/releases` is made anew. */
import { AgentError } from '../errors/agent-error.js';
import type { Published } from '../trust/publisher.js';
import type { Agrees } from '../trust/releases-rebuild.js';
import type { OptionValues } from './option-values.js';
import { readTypedLine } from './typed-line.js';

/** The repositories that --confirm names. @throws AgentError `usage.invalid` when it names another one than these */
export function confirmedRebuilds(
  options: OptionValues,
  repositories: readonly string[],
): ReadonlySet<string> {
  const named = options.list('confirm');
  if (named.every((one) => repositories.includes(one))) return new Set(named);
  throw otherName(repositories.join(', '));
}

/**
 * Publishes; where something would be lost, the person reads what, and types the name of the repository. Only what was read then happens.
 * @throws AgentError `notary.rebuild` with the consequence when nobody can be asked
 */
export async function publishRebuilding(
  isConfirmed: boolean,
  repository: string,
  publish: (agrees: Agrees) => Promise<Published>,
): Promise<Published> {
  if (isConfirmed) return publish(() => true);
  let consequence: string | undefined;
  try {
    return await publish((words) => {
      consequence = words;
      return false;
    });
  } catch (refused) {
    if (consequence === undefined) throw refused;
    await askFor(repository, consequence, refused);
    return publish((words) => words === consequence);
  }
}

async function askFor(repository: string, consequence: string, refused: unknown): Promise<void> {
  const prompt = `${consequence}; type the name of the repository to do it: `;
  const typed = await readTypedLine(prompt, '').catch((cause: unknown) => {
    const isAlone = cause instanceof AgentError && cause.code === 'usage.invalid';
    throw isAlone ? refused : cause;
  });
  if (typed !== repository) throw otherName(repository);
}

function otherName(repository: string): AgentError {
  return new AgentError('usage.invalid', {
    message: `making targets/releases of ${repository} anew: another name was given, so nothing was changed`,
    hint: `if it is meant, add --confirm ${repository}`,
  });
}
