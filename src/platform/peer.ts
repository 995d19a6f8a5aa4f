/**
 * Who is on the other end of a Unix socket. User, group and process come from the kernel; the program's path is a label:
 * it may be shown and may narrow a right, never give one (another program can be executed after connecting).
 */
import { readlinkSync } from 'node:fs';
import type { Socket } from 'node:net';
import { AgentError } from '../errors/agent-error.js';
import { errnoOf } from './errno.js';
import { nativeShims, type ExitWatch, type PeerCredentials } from './native-shims.js';

/**
 * Credentials of the process that opened the connection (or made the listener, seen from the client).
 * @throws AgentError `peer.unknown` whenever the kernel's word cannot be had: callers refuse.
 */
export function peerOf(socket: Socket): PeerCredentials {
  const fd = descriptorOf(socket);
  return orUnknown(() => nativeShims().peerCredentials(fd));
}

/**
 * Calls `onExit` once, never before this function has returned, when the process that opened the connection has exited.
 * @throws AgentError `peer.unknown` when it cannot be watched.
 */
export function watchPeerExit(socket: Socket, onExit: () => void): ExitWatch {
  const fd = descriptorOf(socket);
  const { pid } = peerOf(socket);
  try {
    return nativeShims().watchProcessExit(fd, pid, onExit);
  } catch (cause) {
    if (errnoOf(cause) !== 'ESRCH') throw unknownPeer('its process cannot be watched', cause);
  }
  const soon = setImmediate(onExit);
  return {
    close: () => {
      clearImmediate(soon);
    },
  };
}

/** Path of the executable as /proc shows it, a label only; undefined when it may not be read or does not exist. */
export function peerLabel(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return undefined;
  }
}

/** Node has no public way to the descriptor of a socket; a test fails when this one changes. */
function descriptorOf(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly fd?: unknown } | null };
  const fd = handle?.fd;
  if (typeof fd !== 'number' || fd < 0) throw unknownPeer('the socket has no descriptor');
  return fd;
}

function orUnknown<T>(ask: () => T): T {
  try {
    return ask();
  } catch (cause) {
    throw unknownPeer('the kernel did not say', cause);
  }
}

function unknownPeer(problem: string, cause?: unknown): AgentError {
  return new AgentError('peer.unknown', { message: `asking who is calling: ${problem}`, cause });
}
