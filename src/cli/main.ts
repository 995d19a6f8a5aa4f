/** The program from arguments to exit status. The only place of the command line that touches the process. */
import { homedir } from 'node:os';
import { writeSync } from 'node:fs';
import { AgentError, asAgentError } from '../errors/agent-error.js';
import { fileFault } from '../platform/errno.js';
import type { CommandResult, Invocation, RunCommand } from './command.js';
import { readGlobalFlags, type CliContext, type GlobalFlags } from './context.js';
import { errorDocument, renderError } from './error-text.js';
import { buildProgram } from './program.js';
import { isCommanderError, usageError } from './usage-error.js';

const STDOUT = 1;
const STDERR = 2;
/** Time for the agent to take back what a command waited for, milliseconds. */
const GIVING_UP_MS = 2_000;

/**
 * Runs one command line.
 * @param args without node and script
 * @param program absolute path of the program file, for `agent start`
 * @returns the exit status (src/errors/codes.ts)
 */
export async function runCli(args: readonly string[], program: string): Promise<number> {
  let flags = earlyFlags(args);
  let status = 0;
  let named: readonly string[] = [];
  const execute = async (load: () => Promise<RunCommand>, invocation: Invocation): Promise<void> => {
    named = invocation.args;
    flags = readGlobalFlags(invocation.options, process.env, process.stderr.isTTY);
    const run = await load();
    const result = await run(makeContext(flags, program), invocation);
    printResult(result, flags);
    status = result.exit ?? 0;
  };
  let words = 'touchstone';
  try {
    const commands = await buildProgram(args, execute);
    words = commandLine(args, commands.commands);
    await commands.parseAsync([...args], { from: 'user' });
    return status;
  } catch (thrown) {
    const error = isCommanderError(thrown) ? usageError(thrown, words) : asAgentError(thrown);
    if (error === undefined) return 0;
    return await printError(error, flags, { words, named });
  }
}

/** Flags for errors that come before the options were parsed. */
function earlyFlags(args: readonly string[]): GlobalFlags {
  return {
    json: args.includes('--json'),
    quiet: false,
    verbose: args.includes('--verbose') || args.includes('--debug'),
    debug: args.includes('--debug'),
    colour: false,
    socket: undefined,
    timeoutMs: undefined,
  };
}

interface Named {
  name(): string;
  readonly commands: readonly Named[];
}

/** `touchstone sign file` for arguments that begin so: names the right --help. */
function commandLine(args: readonly string[], commands: readonly Named[]): string {
  const words = ['touchstone'];
  let level = commands;
  for (const arg of args) {
    const found = level.find((command) => command.name() === arg);
    if (found === undefined) continue;
    words.push(arg);
    level = found.commands;
  }
  return words.join(' ');
}

function makeContext(flags: GlobalFlags, program: string): CliContext {
  const say = (line: string): void => {
    quietly(() => writeAll(STDERR, `${line}\n`));
  };
  return {
    env: process.env,
    uid: process.getuid?.() ?? -1,
    home: homedir(),
    flags,
    program,
    stdoutIsTerminal: process.stdout.isTTY,
    print: (line) => writeAll(STDOUT, `${line}\n`),
    note: flags.quiet ? () => undefined : say,
    warn: say,
    onInterrupt,
  };
}

function onInterrupt(giveUp: () => boolean): () => void {
  const hear = (): void => {
    const end = (): void => {
      // As the signal itself would have: whoever waits for this program sees it.
      process.kill(process.pid, 'SIGINT');
    };
    if (giveUp()) setTimeout(end, GIVING_UP_MS).unref();
    else end();
  };
  process.once('SIGINT', hear);
  return () => process.off('SIGINT', hear);
}

/** @throws AgentError `state.write` when standard output cannot be written to, a full disk behind it for example */
function printResult(result: CommandResult, flags: GlobalFlags): void {
  if (flags.json) writeAll(STDOUT, `${JSON.stringify(result.json, null, 2)}\n`);
  else if (result.text !== '') writeAll(STDOUT, `${result.text}\n`);
}

async function printError(
  error: AgentError,
  flags: GlobalFlags,
  { words, named }: { readonly words: string; readonly named: readonly string[] },
): Promise<number> {
  const { exactHint } = await import('./exact-hint.js');
  const hint = exactHint(error, words, named);
  // An error that cannot be told in one place is told in the other, and by the exit status.
  if (flags.json) quietly(() => writeAll(STDOUT, `${JSON.stringify(errorDocument(error, hint), null, 2)}\n`));
  quietly(() => writeAll(STDERR, renderError(error, flags, hint)));
  return error.row.exit;
}

function quietly(act: () => unknown): void {
  try {
    act();
  } catch {
    // Nobody is left to tell.
  }
}

/** Synchronous and complete, so that the process may exit right after it. False when the reader went away, which is no error. */
function writeAll(fd: number, text: string): boolean {
  const bytes = Buffer.from(text, 'utf8');
  let offset = 0;
  while (offset < bytes.length) {
    try {
      offset += writeSync(fd, bytes, offset);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') return false;
      if (code !== 'EAGAIN') throw outputFault(error);
    }
  }
  return true;
}

function outputFault(cause: unknown): AgentError {
  return new AgentError('state.write', {
    message: `writing standard output: ${fileFault(cause)}`,
    hint: 'free some space, or send it elsewhere',
    cause,
  });
}
