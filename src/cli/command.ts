/** What a command of the program is: words and options as data (src/cli/areas), and a function that is loaded only when it is chosen. */
import type { ExitStatus } from '../errors/codes.js';
import type { CliContext } from './context.js';
import type { OptionValues } from './option-values.js';

export interface OptionSpec {
  /** As commander reads it, for example `--key <name>` or `-o, --output <file>`. */
  readonly flags: string;
  readonly summary: string;
  /** `list` may be given several times. */
  readonly kind?: 'list' | undefined;
  readonly required?: true | undefined;
}

export interface ArgumentSpec {
  /** As commander reads it, for example `<file...>` or `[policy]`. */
  readonly name: string;
  readonly summary: string;
}

export interface CommandSpec {
  /** `['sign', 'file']`, or one word for a command without a group; a third word where a group has a group in it. */
  readonly path: readonly [string] | readonly [string, string] | readonly [string, string, string];
  readonly summary: string;
  readonly arguments?: readonly ArgumentSpec[] | undefined;
  readonly options?: readonly OptionSpec[] | undefined;
  /** Whole command lines; shown before everything else. */
  readonly examples: readonly string[];
  readonly load: () => Promise<RunCommand>;
}

export interface Invocation {
  readonly args: readonly string[];
  readonly options: OptionValues;
}

export interface CommandResult {
  /** The one document that --json prints. Field names are stable. */
  readonly json: object;
  /** What standard output gets without --json, without the last line feed; nothing is printed when empty. */
  readonly text: string;
  /** 0 when left out: a command that worked may still report a failure it found (`doctor`, `audit verify`). */
  readonly exit?: ExitStatus | undefined;
}

export type RunCommand = (context: CliContext, invocation: Invocation) => Promise<CommandResult>;
