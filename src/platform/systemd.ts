/** What systemd hands to a service: listening sockets, credentials, and a place to say how it goes. All optional. */
import { isAbsolute, join } from 'node:path';
import { AgentError } from '../errors/agent-error.js';
import { nativeShims } from './native-shims.js';
import { readSecretFile } from './secret-file.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** First inherited descriptor, sd_listen_fds(3). */
const FIRST_FD = 3;
/** Our limit, not systemd's: the agent has one socket. */
const MAX_FDS = 16;

/** Descriptors of inherited listening sockets, or none when they are not meant for the process `pid`. */
export function listenFds(env: Environment, pid: number): readonly number[] {
  if (env['LISTEN_PID'] !== String(pid)) return [];
  const count = /^\d{1,2}$/.test(env['LISTEN_FDS'] ?? '') ? Number(env['LISTEN_FDS']) : 0;
  return Array.from({ length: Math.min(count, MAX_FDS) }, (_, at) => FIRST_FD + at);
}

/**
 * A credential of the service, as bytes. The caller overwrites it after use.
 * @throws AgentError `usage.file` when there is none or it is not private, `usage.invalid` for a name with a slash
 */
export function readCredential(name: string, env: Environment): Buffer {
  if (!/^[\w.-]{1,255}$/.test(name) || name.startsWith('.')) {
    throw new AgentError('usage.invalid', {
      message: `credential name ${JSON.stringify(name)}: not a file name`,
    });
  }
  const folder = env['CREDENTIALS_DIRECTORY'];
  if (folder === undefined || !isAbsolute(folder)) {
    throw new AgentError('usage.file', {
      message: `reading credential ${name}: this process was given no credentials`,
      hint: 'add LoadCredential= or LoadCredentialEncrypted= to the service unit',
    });
  }
  return readSecretFile(join(folder, name));
}

/** Tells systemd how it goes, for example `READY=1`; nothing when nobody listens. @throws AgentError `native.missing` */
export function notifySystemd(state: string, env: Environment): void {
  const socket = env['NOTIFY_SOCKET'];
  if (socket === undefined || socket === '') return;
  try {
    nativeShims().notifySocket(socket, state);
  } catch (cause) {
    if (cause instanceof AgentError) throw cause;
    // A manager that went away must not take the agent with it.
  }
}
