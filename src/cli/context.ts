/** What every command gets: who runs it, where, and how it may speak. Read once in `main`; nothing below looks at the process. */
import { AgentError } from '../errors/agent-error.js';
import type { OptionValues } from './option-values.js';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface GlobalFlags {
  readonly json: boolean;
  readonly quiet: boolean;
  /** Causes of errors. */
  readonly verbose: boolean;
  /** Stacks of errors. */
  readonly debug: boolean;
  readonly colour: boolean;
  readonly socket: string | undefined;
  /** Deadline of requests, milliseconds; undefined leaves the default of each command. */
  readonly timeoutMs: number | undefined;
}

export interface CliContext {
  readonly env: Environment;
  readonly uid: number;
  readonly home: string;
  readonly flags: GlobalFlags;
  /** Absolute path of the program itself (dist/bin/touchstone.js). */
  readonly program: string;
  readonly stdoutIsTerminal: boolean;
  /** One line of data on standard output, for a command that goes on; false when nobody reads it any more. */
  readonly print: (line: string) => boolean;
  /** One line of words on standard error; silent with --quiet. */
  readonly note: (line: string) => void;
  /**
   * What ^C does instead of ending the program at once; false when nothing is to be waited for. It ends shortly after in any case, and at
   * the second one. @returns ends the arrangement
   */
  readonly onInterrupt: (giveUp: () => boolean) => () => void;
  /** One line of words on standard error that also --quiet lets through. */
  readonly warn: (line: string) => void;
}

/** Reads the options that every command takes. */
export function readGlobalFlags(options: OptionValues, env: Environment, isTerminal: boolean): GlobalFlags {
  const timeoutSeconds = options.seconds('timeout');
  if (timeoutSeconds !== undefined && timeoutSeconds > 3_600) {
    throw new AgentError('usage.invalid', { message: 'option --timeout: at most 3600 seconds' });
  }
  return {
    json: options.flag('json'),
    quiet: options.flag('quiet'),
    verbose: options.flag('verbose') || options.flag('debug'),
    debug: options.flag('debug'),
    // commander turns --no-color into `color: false`.
    colour: isTerminal && !options.isOff('color') && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb',
    socket: options.text('socket'),
    timeoutMs: timeoutSeconds === undefined ? undefined : timeoutSeconds * 1000,
  };
}
