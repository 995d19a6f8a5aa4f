/** The command line as commander sees it, made from the areas. Only the area of the first word brings its commands along. */
import type * as Commander from 'commander';
import { AREAS } from './areas.js';
import type { CommandSpec, Invocation, RunCommand } from './command.js';
import { Command, Option } from './commander.js';
import { OptionValues } from './option-values.js';

export type Execute = (load: () => Promise<RunCommand>, invocation: Invocation) => Promise<void>;

const GLOBAL_OPTIONS: readonly (readonly [string, string])[] = [
  ['--json', 'print one JSON document on standard output'],
  ['--quiet', 'no words on standard error but errors'],
  ['--verbose', 'add the causes of errors'],
  ['--debug', 'add stack traces to errors'],
  ['--no-color', 'no colour'],
  ['--socket <path>', 'socket of the agent'],
  ['--timeout <seconds>', 'how long to wait for the agent'],
];

/** Options in front of the first word that take a value; needed to find that word. */
const GLOBAL_VALUE_OPTIONS = new Set(['--socket', '--timeout']);

/** Builds the program for these arguments (without node and script); `execute` runs the chosen command. */
export async function buildProgram(args: readonly string[], execute: Execute): Promise<Commander.Command> {
  const program = new Command('touchstone');
  program.description(
    'Local signing agent: the root stays on the token, repository keys are derived from it.',
  );
  program.helpCommand(false).showSuggestionAfterError(true).allowExcessArguments(false);
  program.exitOverride().configureOutput({ outputError: () => undefined });
  program.configureHelp({ showGlobalOptions: true });
  program.addHelpText('before', examplesText(TOP_EXAMPLES));
  for (const [flags, summary] of GLOBAL_OPTIONS) program.option(flags, summary);
  const word = firstWord(args);
  for (const area of AREAS) {
    if (area.word !== word) {
      program.command(area.word).description(area.summary);
      continue;
    }
    const specs = (await area.load()).filter((spec) => spec.path[0] === word);
    addArea(program, area.summary, specs, execute);
  }
  return program;
}

const TOP_EXAMPLES = [
  'touchstone init --softhsm --domain acme.example',
  'touchstone agent start',
  'touchstone token setup',
  'touchstone key derive touchstone/release#ssh',
  'touchstone sign file --key touchstone/release#ssh release.tar.gz',
];

function firstWord(args: readonly string[]): string | undefined {
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] ?? '';
    if (GLOBAL_VALUE_OPTIONS.has(arg)) index += 1;
    else if (!arg.startsWith('-')) return arg;
  }
  return undefined;
}

function addArea(
  program: Commander.Command,
  summary: string,
  specs: readonly CommandSpec[],
  execute: Execute,
): void {
  const single = specs.find((spec) => spec.path.length === 1);
  if (single !== undefined) {
    addCommand(program, single.path[0], single, execute);
    return;
  }
  const group = program.command(specs[0]?.path[0] ?? '').description(summary);
  group.helpCommand(false).showSuggestionAfterError(true);
  group.addHelpText('before', examplesText(specs.flatMap((spec) => spec.examples.slice(0, 1))));
  for (const spec of specs) {
    const [, second = '', third] = spec.path;
    if (third === undefined) addCommand(group, second, spec, execute);
    else addCommand(subgroupOf(group, second, specs), third, spec, execute);
  }
}

/** The group within a group, made for the first of its commands. */
function subgroupOf(
  group: Commander.Command,
  name: string,
  specs: readonly CommandSpec[],
): Commander.Command {
  const made = group.commands.find((command) => command.name() === name);
  if (made !== undefined) return made;
  const inside = specs.filter((spec) => spec.path[1] === name);
  const words = inside.map((spec) => spec.path[2] ?? '').join(', ');
  const subgroup = group.command(name).description(words);
  subgroup.helpCommand(false).showSuggestionAfterError(true);
  subgroup.addHelpText('before', examplesText(inside.flatMap((spec) => spec.examples.slice(0, 1))));
  return subgroup;
}

function addCommand(parent: Commander.Command, name: string, spec: CommandSpec, execute: Execute): void {
  const command = parent.command(name).description(spec.summary).allowExcessArguments(false);
  for (const argument of spec.arguments ?? []) command.argument(argument.name, argument.summary);
  for (const option of spec.options ?? []) {
    const made = new Option(option.flags, option.summary);
    if (option.kind === 'list') made.argParser(collect);
    if (option.required === true) made.makeOptionMandatory();
    command.addOption(made);
  }
  command.addHelpText('before', examplesText(spec.examples));
  command.action(async () => {
    const options = new OptionValues(command.optsWithGlobals());
    await execute(spec.load, { args: command.args, options });
  });
}

function collect(value: string, earlier: readonly string[] | undefined): readonly string[] {
  return [...(earlier ?? []), value];
}

function examplesText(examples: readonly string[]): string {
  return `Examples:\n${examples.map((line) => `  ${line}`).join('\n')}\n`;
}
