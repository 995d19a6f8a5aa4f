/** A program that asks a person for a secret: started without our descriptors or environment, ended by a deadline or on demand. */
import { once } from 'node:events';
import { statSync, type Stats } from 'node:fs';
import type { Writable } from 'node:stream';
import { AgentError } from '../../errors/agent-error.js';
import { errnoOf } from '../errno.js';
import { scrubEnvironment } from '../hardening.js';
import { startHeard, type HeardProgram } from '../heard-program.js';

/** What a prompt on the desktop needs of the agent's own environment. Where it appears is for who asks to say. */
export const PROMPT_VARIABLES: readonly string[] = ['DBUS_SESSION_BUS_ADDRESS', 'XAUTHORITY'];

/** Time to put a terminal back in order after SIGTERM, milliseconds. */
const TERM_MS = 1_000;

/** Where the person sits: of the client that asks, and checked. */
export interface PromptPlace {
  /** Path of a terminal. */
  readonly tty?: string | undefined;
  /** TERM. */
  readonly type?: string | undefined;
  /** LC_CTYPE. */
  readonly locale?: string | undefined;
  /** X display of this machine, for example `:0`. */
  readonly display?: string | undefined;
  /** For example `wayland-0`. */
  readonly wayland?: string | undefined;
}

export interface PromptQuestion {
  /** Absolute path of the program. */
  readonly program: string;
  /** What a person must know, lines of text. */
  readonly description: string;
  /** `PIN:` */
  readonly prompt: string;
  /** Why it is asked again. */
  readonly problem?: string | undefined;
  readonly place: PromptPlace;
  /** Milliseconds. */
  readonly timeoutMs: number;
  /** Ends the prompt when nobody waits for it any more. */
  readonly signal: AbortSignal;
}

export interface PromptTalk {
  readonly stdin: Writable;
  /** Hears a piece of what the program says, valid during the call. */
  readonly onData: (hear: (chunk: Buffer) => void) => void;
  /** It has ended; null when it could not run, or was ended. */
  readonly onEnd: (end: (code: number | null) => void) => void;
}

/**
 * Runs the program and `talk` with it; afterwards it is gone, whatever happened.
 * @throws AgentError of `talk`; `prompt.timeout`, `prompt.failed`, `limits.cancelled`
 */
export async function withPromptProgram<T>(
  question: PromptQuestion,
  argv: readonly string[],
  talk: (talk: PromptTalk) => Promise<T>,
): Promise<T> {
  const { program, timeoutMs, signal } = question;
  requireProgram(program);
  if (signal.aborted) throw new AgentError('limits.cancelled');
  const ears = { onData: ignore as (chunk: Buffer) => void, onEnd: ignore as (code: number | null) => void };
  const running = startHeard(program, argv, environmentAt(question.place), {
    onData: (chunk) => {
      ears.onData(chunk);
    },
    onEnd: (code) => {
      ears.onEnd(code);
    },
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<T>((resolve, reject) => {
      timer = setTimeout(() => {
        reject(new AgentError('prompt.timeout'));
      }, timeoutMs);
      signal.addEventListener('abort', () => {
        reject(new AgentError('limits.cancelled'));
      });
      talk({
        stdin: running.stdin,
        onData: (hear) => {
          ears.onData = hear;
        },
        onEnd: (end) => {
          ears.onEnd = end;
        },
      }).then(resolve, reject);
    });
  } finally {
    clearTimeout(timer);
    await endProgram(running);
  }
}

function ignore(): void {
  // Until the talk has begun.
}

/** Resolves when it is gone: a terminal is in order then. */
async function endProgram({ child, stdin, deafen }: HeardProgram): Promise<void> {
  stdin.destroy();
  deafen();
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), TERM_MS);
  await once(child, 'exit', { signal: AbortSignal.timeout(2 * TERM_MS) }).catch(() => undefined);
  clearTimeout(timer);
}

/** It gets to see the PIN, so nobody but root and us may be able to change it. */
function requireProgram(path: string): void {
  const facts = factsOf(path);
  const problem = !facts.isFile()
    ? 'it is not a program'
    : (facts.mode & 0o022) !== 0 || (facts.uid !== 0 && facts.uid !== process.getuid?.())
      ? 'others can change it'
      : undefined;
  if (problem !== undefined) throw notUsable(path, problem);
}

function factsOf(path: string): Stats {
  try {
    return statSync(path);
  } catch (cause) {
    throw notUsable(path, errnoOf(cause), cause);
  }
}

function notUsable(path: string, what: string, cause?: unknown): AgentError {
  return new AgentError('prompt.failed', {
    message: `starting ${path}: ${what}`,
    details: { program: path },
    cause,
  });
}

function environmentAt({ type, locale, display, wayland }: PromptPlace): NodeJS.ProcessEnv {
  return {
    ...scrubEnvironment(process.env, PROMPT_VARIABLES),
    ...(type === undefined ? {} : { TERM: type }),
    ...(locale === undefined ? {} : { LC_CTYPE: locale }),
    ...(display === undefined ? {} : { DISPLAY: display }),
    ...(wayland === undefined ? {} : { WAYLAND_DISPLAY: wayland }),
  };
}
