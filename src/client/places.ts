/** Where the agent is for a program that wants to reach it: an option, then the environment, then touchstone.toml, then the defaults. */
import { existsSync, readFileSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { AgentError } from '../errors/agent-error.js';
import { resolvePaths, type AgentPaths } from '../platform/paths.js';

/** Who looks, and from where. */
export interface Seeker {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
  readonly home: string;
  /** Value of --socket. */
  readonly socket?: string | undefined;
}

/** The two settings a client needs; the agent itself validates the whole file. */
interface ClientSettings {
  readonly socket?: string | undefined;
  readonly serviceUid?: number | undefined;
}

/**
 * All places. touchstone.toml is opened only when neither option nor environment names the socket, and parsed only when it may name one:
 * reading it costs more than a signature.
 */
export async function findPlaces(seeker: Seeker): Promise<AgentPaths> {
  const { socket } = seeker;
  if (socket !== undefined && !isAbsolute(socket)) {
    throw new AgentError('usage.path-relative', {
      message: `option --socket: ${socket} is not an absolute path`,
    });
  }
  const env = socket === undefined ? seeker.env : { ...seeker.env, TOUCHSTONE_SOCK: socket };
  const inputs = { env, uid: seeker.uid, home: seeker.home, directoryExists: existsSync };
  if ((env['TOUCHSTONE_SOCK'] ?? '') !== '') return withSocketOption(resolvePaths(inputs), socket);
  const first = resolvePaths({ ...inputs, env: { ...env, TOUCHSTONE_SOCK: '/' } });
  const settings = await readClientSettings(first.configFile, /^\s*socket\s*=/m);
  return resolvePaths({ ...inputs, config: { socket: settings.socket } });
}

/** The uid of a service that touchstone.toml lets us accept as server. */
export async function serviceUidOf(places: AgentPaths): Promise<number | undefined> {
  return (await readClientSettings(places.configFile, /^\s*service-uid\s*=/m)).serviceUid;
}

function withSocketOption(paths: AgentPaths, option: string | undefined): AgentPaths {
  return option === undefined
    ? paths
    : { ...paths, origins: { ...paths.origins, socket: 'option --socket' } };
}

async function readClientSettings(file: string, worthParsing: RegExp): Promise<ClientSettings> {
  const text = readIfThere(file);
  if (text === undefined || !worthParsing.test(text)) return {};
  const { parseToml } = await import('../encoding/toml.js');
  const table = parseToml(text, file).value;
  const socket = table['socket'];
  const serviceUid = table['service-uid'];
  return {
    socket: typeof socket === 'string' ? socket : undefined,
    serviceUid: typeof serviceUid === 'number' ? serviceUid : undefined,
  };
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new AgentError('usage.file', { message: `reading ${file}: ${(cause as Error).message}`, cause });
  }
}
