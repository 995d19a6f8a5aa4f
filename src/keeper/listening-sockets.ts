/**
 * The agent's sockets before anybody is accepted on them, handed to each front. All are made here, but the control socket may be
 * inherited from systemd.
 */
import {
  chmodSync,
  closeSync,
  constants,
  ftruncateSync,
  lstatSync,
  openSync,
  rmSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { SocketPlace } from '../config/sockets.js';
import { AgentError } from '../errors/agent-error.js';
import { nativeShims } from '../platform/native-shims.js';
import { ensurePrivateFolder } from '../platform/store/private-folder.js';
import { listenFds } from '../platform/systemd.js';

const BACKLOG = 128;
const SHARED_MODE = 0o666;

export interface ListeningSocket extends SocketPlace {
  readonly fd: number;
  /** Removes what was made here. */
  readonly remove: () => void;
}

/**
 * Opens every socket, or none.
 * @param shared other uids may connect; who is let in is decided for each connection by what the kernel says
 * @throws AgentError `agent.already-running`, `agent.socket-directory`, `agent.socket-path`, `native.call`
 */
export function openSockets(
  places: readonly SocketPlace[],
  env: NodeJS.ProcessEnv,
  shared: boolean,
): readonly ListeningSocket[] {
  const [inherited] = listenFds(env, process.pid);
  const opened: ListeningSocket[] = [];
  try {
    for (const place of places) {
      const fd = place.name === 'control' ? inherited : undefined;
      opened.push(fd === undefined ? openSocket(place, shared) : { ...place, fd, remove: () => undefined });
    }
  } catch (error) {
    for (const socket of opened) socket.remove();
    throw error;
  }
  return opened;
}

function openSocket(place: SocketPlace, shared: boolean): ListeningSocket {
  const { path } = place;
  ensurePrivateFolder(dirname(path), shared ? 'shared-socket' : 'socket');
  const lock = takeLock(path);
  removeStale(path);
  const fd = nativeShims().listenUnix(path, BACKLOG);
  if (shared) chmodSync(path, SHARED_MODE);
  return {
    ...place,
    fd,
    remove: () => {
      rmSync(path, { force: true });
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
      hint: 'move it away, or choose another path',
      details: { socket: path },
    });
  }
  unlinkSync(path);
}
