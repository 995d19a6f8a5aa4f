/** Commands over several repositories: each is reported, and one that fails keeps nobody from the others. */
import { AgentError, asAgentError } from '../errors/agent-error.js';
import type { ExitStatus } from '../errors/codes.js';
import { parseTrustReference } from '../trust/repository-name.js';
import type { CommandResult } from './command.js';
import type { CliContext } from './context.js';
import { errorDocument, renderError } from './error-text.js';

const INTERRUPTED = 130;
const FAILED = 1;

export interface NamedRepositories {
  /** Of the signer. */
  readonly name: string;
  readonly repositories: readonly string[];
}

/** A name and repositories, in whichever order a person is used to: only repositories have a slash. @throws AgentError `usage.invalid` */
export function readNameAndRepositories(args: readonly string[]): NamedRepositories {
  const names = args.filter((one) => !one.includes('/'));
  const [name] = names;
  const repositories = args
    .filter((one) => one.includes('/'))
    .map((one) => parseTrustReference(one).repository);
  if (name !== undefined && names.length === 1 && repositories.length > 0) {
    return { name, repositories: [...new Set(repositories)] };
  }
  throw new AgentError('usage.invalid', {
    message: 'one name and one or more repositories are needed',
    hint: 'write for example: alice registry.example/acme/app registry.example/acme/base',
  });
}

/**
 * Runs a command for each repository. Of one the result is the command's own; of several the JSON document holds a list, in the order
 * given, and the exit status is that of what failed, or 1 when that differs.
 */
export async function eachRepository(
  context: CliContext,
  repositories: readonly string[],
  run: (repository: string) => Promise<CommandResult>,
): Promise<CommandResult> {
  const [only, ...others] = repositories;
  if (only !== undefined && others.length === 0) return run(only);
  const results: object[] = [];
  const texts: string[] = [];
  const failures: AgentError[] = [];
  for (const repository of repositories) {
    try {
      const { json, text } = await run(repository);
      results.push(json);
      if (text !== '') texts.push(text);
    } catch (thrown) {
      const error = asAgentError(thrown);
      if (error.row.exit === INTERRUPTED) throw error;
      failures.push(error);
      results.push({ repository, ...errorDocument(error) });
      context.warn(`touchstone: ${repository}:`);
      context.warn(renderError(error, context.flags).trimEnd());
    }
  }
  return { json: { repositories: results }, text: texts.join('\n\n'), ...exitOf(failures) };
}

function exitOf(failures: readonly AgentError[]): { readonly exit?: ExitStatus } {
  const statuses = new Set(failures.map(({ row }) => row.exit));
  const [status] = statuses;
  if (status === undefined) return {};
  return { exit: statuses.size === 1 ? status : FAILED };
}
