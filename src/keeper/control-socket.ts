/** The control socket before anybody is accepted on it: made here, or inherited from systemd, and handed to each front. */
import { closeSync, constants, ftruncateSync, lstatSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { AgentError } from '../errors/agent-error.js';
import { nativeShims } from '../platform/native-shims.js';
import { ensurePrivateFolder } from '../platform/store/private-folder.js';
import { listenFds } from '../platform/systemd.js';

const BACKLOG = 128;

export interface ControlSocket {
  readonly fd: number;
  /** Removes what was made here. */
  readonly remove: () => void;
}

/**
 * @param path absolute
 * @throws AgentError `agent.already-running`, `agent.socket-directory`, `native.call`
 */
export function openControlSocket(path: string, env: NodeJS.ProcessEnv): ControlSocket {
  const [inherited] = listenFds(env, process.pid);
  if (inherited !== undefined) return { fd: inherited, remove: () => undefined };
  ensurePrivateFolder(dirname(path), 'socket');
  const lock = takeLock(path);
  removeStale(path);
  const fd = nativeShims().listenUnix(path, BACKLOG);
  return {
    fd,
    remove: () => {
      unlinkSync(path);
      closeSync(lock);
    },
  };
}

/** Held until the process ends, however it ends; so a socket file without a lock is a stale one. */
function takeLock(path: string): number {
  const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
  const fd = openSync(`${path}.lock`, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
  if (nativeShims().tryLockFile(fd)) {
    ftruncateSync(fd, 0);
    writeSync(fd, `${process.pid}\n`, 0);
    return fd;
  }
  closeSync(fd);
  throw new AgentError('agent.already-running', {
    message: `an agent already runs on ${path}`,
    details: { socket: path },
  });
}

function removeStale(path: string): void {
  const facts = lstatSync(path, { throwIfNoEntry: false });
  if (facts === undefined) return;
  if (!facts.isSocket()) {
    throw new AgentError('agent.socket-path', {
      message: `${path} exists and is not a socket`,
      hint: 'move it away, or choose another path in TOUCHSTONE_SOCK',
      details: { socket: path },
    });
  }
  unlinkSync(path);
}
