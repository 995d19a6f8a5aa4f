/** The PKCS#11 door as other programs are told of it. */
import { socketPlaces } from '../config/sockets.js';
import { AgentError } from '../errors/agent-error.js';
import { readConfig } from './commands/config-show.js';
import type { CliContext } from './context.js';
import { placesOf } from './places.js';

/** Variable that p11-kit's client module reads. */
export const SERVER_ADDRESS = 'P11_KIT_SERVER_ADDRESS';

/** The address of a socket as p11-kit writes it (D-Bus server address: other bytes are escaped). */
export function serverAddress(socket: string): string {
  const escaped = [...Buffer.from(socket, 'utf8')].map((byte) => {
    const character = String.fromCharCode(byte);
    return /[A-Za-z0-9_/.\\*-]/.test(character) ? character : `%${byte.toString(16).padStart(2, '0')}`;
  });
  return `unix:path=${escaped.join('')}`;
}

/**
 * Address of the door where touchstone.toml enables it.
 * @throws AgentError `config.invalid` where it does not
 */
export async function enabledDoor(context: CliContext): Promise<string> {
  const { configFile, socket } = await placesOf(context);
  const { config } = readConfig(configFile);
  const door = socketPlaces(config, socket).find(({ name }) => name === 'pkcs11');
  if (door !== undefined) return serverAddress(door.path);
  throw new AgentError('config.invalid', {
    message: 'the PKCS#11 socket is not enabled',
    hint: `write enabled = true below [pkcs11] in ${configFile} and start the agent again`,
  });
}
