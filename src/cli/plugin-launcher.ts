/** Small programs that start our plugins: other tools want a file of a fixed name in a place of their own. */
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { AgentError } from '../errors/agent-error.js';
import type { CliContext } from './context.js';
import type { OwnedFile } from './owned-file.js';

const MODE = 0o755;
const TRY_MS = 10_000;

/** A shell script at `path` that runs `dist/bin/NAME.js` with the node that runs us. */
export function launcherOf(context: CliContext, name: string, path: string): OwnedFile {
  const program = join(dirname(context.program), `${name}.js`);
  const content = `exec ${quoted(process.execPath)} ${quoted(program)} "$@"\n`;
  return { path, content, mode: MODE, interpreter: '#!/bin/sh' };
}

/** Runs a plugin once. @throws AgentError `integrate.program` when it does not print what it should */
export function tryPlugin(path: string, argv: readonly string[], expected: string): void {
  const output = outputOf(path, argv);
  if (!output.includes(expected))
    throw new AgentError('integrate.program', { message: `${path} does not answer as it should` });
}

function outputOf(path: string, argv: readonly string[]): string {
  try {
    return execFileSync(path, argv, { input: '{}', timeout: TRY_MS, encoding: 'utf8', stdio: 'pipe' });
  } catch (cause) {
    throw new AgentError('integrate.program', { message: `${path} does not run`, cause });
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
