/** How errors look: one line that says what failed, one that says what to do. With --json also a document on standard output. */
import type { AgentError } from '../errors/agent-error.js';
import type { GlobalFlags } from './context.js';
import { paint } from './style.js';

/** Lines for standard error. --verbose adds the causes, --debug the stacks. @param hint in the place of the error's own */
export function renderError(
  error: AgentError,
  flags: Pick<GlobalFlags, 'colour' | 'verbose' | 'debug'>,
  hint = error.hint,
): string {
  const lines = [
    `touchstone: ${paint('error:', 'red', flags.colour)} ${error.message}`,
    `${paint('hint:', 'cyan', flags.colour)} ${hint}`,
  ];
  if (flags.verbose) {
    lines.push(`code: ${error.code}`);
    for (const [name, value] of Object.entries(error.details ?? {})) lines.push(`${name}: ${String(value)}`);
    lines.push(...causes(error));
  }
  if (flags.debug && error.stack !== undefined) lines.push(error.stack);
  return `${lines.join('\n')}\n`;
}

/** The document that --json prints instead of a result. @param hint in the place of the error's own */
export function errorDocument(error: AgentError, hint = error.hint): object {
  return {
    error: {
      code: error.code,
      message: error.message,
      hint,
      retry: error.row.retry,
      details: error.details,
    },
  };
}

function causes(error: AgentError): readonly string[] {
  const lines: string[] = [];
  let cause: unknown = error.cause;
  while (cause instanceof Error && lines.length < 5) {
    lines.push(`cause: ${cause.message}`);
    cause = cause.cause;
  }
  return lines;
}
