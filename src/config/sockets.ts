/** The sockets that an agent listens on, from its configuration: the control socket, and one for each door that is enabled. */
import { dirname, join } from 'node:path';
import { AgentError } from '../errors/agent-error.js';
import type { Config, DoorConfig } from './document.js';

export const SOCKET_NAMES = ['control', 'ssh-agent', 'pkcs11'] as const;

export type SocketName = (typeof SOCKET_NAMES)[number];

export interface SocketPlace {
  readonly name: SocketName;
  /** Absolute. */
  readonly path: string;
}

/** `sun_path` of a Unix socket address on Linux, without the closing zero. */
const MAX_PATH_BYTES = 107;

/**
 * Every socket that is to be opened, the control socket first; a door without a path of its own is beside it.
 * @param control absolute path of the control socket
 * @throws AgentError `agent.socket-path` for a path over 107 bytes or one that is used twice
 */
export function socketPlaces(config: Config, control: string): readonly SocketPlace[] {
  const doors: readonly (readonly [SocketName, DoorConfig])[] = [
    ['ssh-agent', config.sshAgent],
    ['pkcs11', config.pkcs11],
  ];
  const places: SocketPlace[] = [{ name: 'control', path: control }];
  for (const [name, door] of doors) {
    if (!door.enabled) continue;
    const path = door.socket ?? join(dirname(control), `${name}.sock`);
    requireUsable(name, path, places);
    places.push({ name, path });
  }
  return places;
}

function requireUsable(name: SocketName, path: string, others: readonly SocketPlace[]): void {
  const bytes = Buffer.byteLength(path);
  const same = others.find((other) => other.path === path);
  if (bytes <= MAX_PATH_BYTES && same === undefined) return;
  throw new AgentError('agent.socket-path', {
    message:
      same === undefined
        ? `the socket path of ${name} has ${bytes} bytes, at most ${MAX_PATH_BYTES} are possible: ${path}`
        : `the sockets of ${name} and ${same.name} have the same path: ${path}`,
    hint: `set socket below [${name}] in touchstone.toml`,
    details: { path, bytes },
  });
}
