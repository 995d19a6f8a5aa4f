/** commander's own errors in the form of all others: one line, a hint, exit status 2. */
import type * as Commander from 'commander';
import { AgentError } from '../errors/agent-error.js';
import { CommanderError } from './commander.js';

/** Undefined when commander only showed help. */
export function usageError(error: Commander.CommanderError, commandLine: string): AgentError | undefined {
  if (error.code === 'commander.helpDisplayed' || error.code === 'commander.version') return undefined;
  const help = `${commandLine} --help`;
  if (error.code === 'commander.help') {
    return new AgentError('usage.invalid', {
      message: `${commandLine}: a command is needed`,
      hint: `see "${help}"`,
    });
  }
  const [sentence = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
  const meant = /Did you mean (?:one of )?(.+?)\?/.exec(suggestion ?? '')?.[1];
  return new AgentError('usage.invalid', {
    message: sentence.replaceAll("'", '"'),
    hint: meant === undefined ? `see "${help}"` : `did you mean ${meant}? see also "${help}"`,
  });
}

/** Narrowing for catch clauses. */
export function isCommanderError(thrown: unknown): thrown is Commander.CommanderError {
  return thrown instanceof CommanderError;
}
