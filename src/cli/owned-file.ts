/** A file of another program's configuration that is ours alone: written whole, told apart by its first line, removed on request. */
import { lstatSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { AgentError } from '../errors/agent-error.js';
import { writeFileAtomic } from '../platform/store/atomic-file.js';
import type { CommandResult, Invocation } from './command.js';
import type { CliContext } from './context.js';

export interface OwnedFile {
  /** Absolute. */
  readonly path: string;
  /** Without the line that says whose it is. */
  readonly content: string;
  readonly mode: number;
  /** First line of a program, for example `#!/bin/sh`. */
  readonly interpreter?: string | undefined;
}

export interface Integration {
  readonly file: OwnedFile;
  /** What a person does next. */
  readonly next: readonly string[];
  /** Further facts for --json. */
  readonly facts: Readonly<Record<string, string>>;
}

const FIRST_LINE = '# Written by "touchstone integrate"; remove it with --undo.';

/**
 * Does what `--dry-run` and `--undo` ask for, else writes the file.
 * @throws AgentError `config.exists` for a file of that name that is not ours, `state.write`
 */
export function integrateFile(
  context: CliContext,
  { options }: Invocation,
  { file, next, facts }: Integration,
): CommandResult {
  const { path } = file;
  const exists = requireOurs(path);
  const isDry = options.flag('dry-run');
  if (options.flag('undo')) {
    if (exists && !isDry) rmSync(path);
    const text = exists ? `${isDry ? 'would remove' : 'removed'}: ${path}` : 'nothing to undo';
    return { json: { file: path, done: exists && !isDry }, text };
  }
  const interpreter = file.interpreter === undefined ? '' : `${file.interpreter}\n`;
  const text = `${interpreter}${FIRST_LINE}\n${file.content}`;
  const json = { file: path, content: text, done: !isDry, ...facts };
  if (isDry) return { json, text: `# ${path}\n${text}`.trimEnd() };
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  writeFileAtomic(path, text, file.mode);
  for (const line of next) context.note(`touchstone: ${line}`);
  return { json, text: `written: ${path}` };
}

/** Whether the file is there. */
function requireOurs(path: string): boolean {
  const facts = lstatSync(path, { throwIfNoEntry: false });
  if (facts === undefined) return false;
  if (facts.isFile() && isOurs(readFileSync(path, 'utf8'))) return true;
  throw new AgentError('config.exists', {
    message: `${path} exists and was not written by this program`,
    hint: 'move it away first',
  });
}

/** Programs begin with the line that names their interpreter. */
function isOurs(text: string): boolean {
  return text.replace(/^#![^\n]*\n/, '').startsWith(FIRST_LINE);
}
