/** A line that a person types at the terminal and sees: for confirmations, never for secrets. */
import { constants, openSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { ReadStream, WriteStream } from 'node:tty';
import { AgentError } from '../errors/agent-error.js';

/** A person reads the plan first. Milliseconds. */
const READING_MS = 300_000;

/**
 * Asks on the controlling terminal, whatever standard input is.
 * @throws AgentError usage.invalid without a terminal, usage.interrupted on ^C, limits.deadline after five minutes
 */
export async function readTypedLine(prompt: string, hintWithoutTerminal: string): Promise<string> {
  const fd = openTerminal(hintWithoutTerminal);
  const input = new ReadStream(fd);
  const output = new WriteStream(fd);
  const lines = createInterface({ input, output });
  const interrupt = new AbortController();
  lines.once('SIGINT', () => {
    interrupt.abort();
  });
  try {
    const signal = AbortSignal.any([interrupt.signal, AbortSignal.timeout(READING_MS)]);
    return (await lines.question(prompt, { signal })).trim();
  } catch (cause) {
    if (interrupt.signal.aborted) throw new AgentError('usage.interrupted', { cause });
    throw new AgentError('limits.deadline', {
      message: 'asking for a confirmation: nothing was entered',
      cause,
    });
  } finally {
    lines.close();
    input.destroy();
  }
}

function openTerminal(hint: string): number {
  try {
    return openSync('/dev/tty', constants.O_RDWR | constants.O_NOCTTY);
  } catch (cause) {
    throw new AgentError('usage.invalid', {
      message: 'asking for a confirmation: there is no terminal',
      hint,
      cause,
    });
  }
}
