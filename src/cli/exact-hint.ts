/** Hints of the error table made exact where the command line says what they are about: a next command is to be pasted. */
import type { AgentError } from '../errors/agent-error.js';
import { isDelegation } from '../formats/notary1/role-name.js';
import { parseTrustReference } from '../trust/repository-name.js';

const PLACEHOLDER = /\bREPOSITORY\b/g;
const TRUST = 'touchstone trust ';

/**
 * The hint of an error as it is shown.
 * @param words the command, for example `touchstone trust list`
 * @param args its arguments, without options
 */
export function exactHint(error: AgentError, words: string, args: readonly string[]): string {
  const { hint, row } = error;
  if (error.code === 'usage.invalid' && hint === row.hint) return `see "${words} --help"`;
  if (!words.startsWith(TRUST) || hint !== row.hint) return hint;
  const repository = repositoryOf(error, args);
  return repository === undefined ? hint : hint.replace(PLACEHOLDER, repository);
}

/** Undefined when there are several, because nobody knows which of them is meant. */
function repositoryOf({ details }: AgentError, args: readonly string[]): string | undefined {
  const named = details?.['repository'];
  if (typeof named === 'string') return named;
  const found = new Set(args.flatMap(repositoryIn));
  const [only] = found;
  return found.size === 1 ? only : undefined;
}

function repositoryIn(argument: string): readonly string[] {
  if (isDelegation(argument)) return [];
  try {
    return [parseTrustReference(argument).repository];
  } catch {
    // A name, a tag, a folder.
    return [];
  }
}
