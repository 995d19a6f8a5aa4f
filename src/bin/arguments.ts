/** Arguments that keeper and front get from the process that starts them; people use `touchstone agent run`. */
import { parseArgs } from 'node:util';
import { SOCKET_NAMES, type SocketName } from '../config/sockets.js';
import { asAgentError, AgentError } from '../errors/agent-error.js';
import type { LogLevel } from '../platform/log.js';

export interface ProcessArguments {
  readonly config: string;
  readonly state: string;
  readonly socket: string;
  readonly allowRoot: boolean;
  readonly logLevel: LogLevel | undefined;
  /** Inherited listening sockets; the front's alone. */
  readonly listen: readonly InheritedSocket[];
}

export interface InheritedSocket {
  readonly name: SocketName;
  readonly fd: number;
  /** Absolute path it is bound to. */
  readonly path: string;
}

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** @throws AgentError `usage.invalid` */
export function processArguments(argv: readonly string[]): ProcessArguments {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      config: { type: 'string' },
      state: { type: 'string' },
      socket: { type: 'string' },
      'allow-root': { type: 'boolean', default: false },
      'log-level': { type: 'string' },
      listen: { type: 'string', multiple: true, default: [] },
    },
  });
  const { config, state, socket } = values;
  if (config === undefined || state === undefined || socket === undefined) {
    throw new AgentError('usage.invalid', { message: '--config, --state and --socket are needed' });
  }
  return {
    config,
    state,
    socket,
    allowRoot: values['allow-root'],
    logLevel: LEVELS.find((level) => level === values['log-level']),
    listen: values.listen.map(inheritedSocket),
  };
}

/** `NAME=FD:PATH`. */
function inheritedSocket(text: string): InheritedSocket {
  const [, written, fd, path] = /^([a-z0-9-]+)=(\d{1,4}):(\/.*)$/.exec(text) ?? [];
  const name = SOCKET_NAMES.find((known) => known === written);
  if (name === undefined || fd === undefined || path === undefined) {
    throw new AgentError('usage.invalid', { message: '--listen: write NAME=FD:PATH' });
  }
  return { name, fd: Number(fd), path };
}

/** Runs the start of a process; what stops it is told on stderr in the form the CLI reads. */
export async function runStart(start: () => void | Promise<void>): Promise<void> {
  try {
    await start();
  } catch (thrown) {
    const error = asAgentError(thrown);
    const cause = error.code === 'internal.unexpected' ? `\n${String(error.cause)}` : '';
    process.stderr.write(`touchstone: error: ${error.message}\nhint: ${error.hint}${cause}\n`);
    process.exit(error.row.exit);
  }
}
