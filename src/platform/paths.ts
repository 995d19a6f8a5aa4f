/**
 * Where everything of the agent lives. Pure: environment, home and the one look at the disk (does the user's runtime
 * folder exist) come in as values, so that `touchstone paths` can say which rule gave each place.
 */
import { dirname, isAbsolute, join, normalize } from 'node:path';
import { AgentError } from '../errors/agent-error.js';

/** `sun_path` of a Unix socket address on Linux holds 108 bytes with the closing zero. */
export const MAX_SOCKET_PATH_BYTES = 107;

const SOCKET_NAME = 'agent.sock';

export interface PathInputs {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
  readonly home: string;
  readonly directoryExists: (path: string) => boolean;
  /** `socket` of touchstone.toml. */
  readonly config?: { readonly socket?: string | undefined } | undefined;
}

/** Which rule gave a place: a variable, the configuration file, or the default. */
export interface PathOrigins {
  readonly configFile: string;
  readonly stateDir: string;
  readonly socket: string;
}

export interface AgentPaths {
  readonly configFile: string;
  readonly policyFile: string;
  readonly stateDir: string;
  readonly auditDir: string;
  readonly socket: string;
  readonly origins: PathOrigins;
}

interface Place {
  readonly path: string;
  readonly origin: string;
}

/**
 * Resolves every place of the agent. An empty variable counts as unset.
 * @throws AgentError `usage.path-relative` naming the variable, `agent.socket-path` for a path over 107 bytes.
 */
export function resolvePaths(inputs: PathInputs): AgentPaths {
  const configFile = configPlace(inputs);
  const state = statePlace(inputs);
  const socket = socketPlace(inputs, state);
  const bytes = Buffer.byteLength(socket.path);
  if (bytes > MAX_SOCKET_PATH_BYTES) {
    throw new AgentError('agent.socket-path', {
      message: `the socket path has ${bytes} bytes, at most ${MAX_SOCKET_PATH_BYTES} are possible: ${socket.path}`,
      details: { path: socket.path, bytes, origin: socket.origin },
    });
  }
  return {
    configFile: configFile.path,
    policyFile: join(dirname(configFile.path), 'policy.toml'),
    stateDir: state.path,
    auditDir: join(state.path, 'audit'),
    socket: socket.path,
    origins: { configFile: configFile.origin, stateDir: state.origin, socket: socket.origin },
  };
}

function configPlace(inputs: PathInputs): Place {
  const own = variable(inputs, 'TOUCHSTONE_CONFIG');
  if (own !== undefined) return own;
  const base = variable(inputs, 'XDG_CONFIG_HOME') ?? homePlace(inputs, '.config');
  return { path: join(base.path, 'touchstone', 'touchstone.toml'), origin: base.origin };
}

function statePlace(inputs: PathInputs): Place {
  const own = variable(inputs, 'TOUCHSTONE_STATE');
  if (own !== undefined) return own;
  const base = variable(inputs, 'XDG_STATE_HOME') ?? homePlace(inputs, '.local/state');
  return { path: join(base.path, 'touchstone'), origin: base.origin };
}

function socketPlace(inputs: PathInputs, state: Place): Place {
  const own = variable(inputs, 'TOUCHSTONE_SOCK');
  if (own !== undefined) return own;
  if (inputs.config?.socket !== undefined) {
    return absolute(inputs.config.socket, 'socket in touchstone.toml');
  }
  const runtime = variable(inputs, 'XDG_RUNTIME_DIR');
  if (runtime !== undefined) {
    return { path: join(runtime.path, 'touchstone', SOCKET_NAME), origin: runtime.origin };
  }
  const userRun = `/run/user/${inputs.uid}`;
  if (inputs.directoryExists(userRun)) {
    return { path: join(userRun, 'touchstone', SOCKET_NAME), origin: userRun };
  }
  return { path: join(state.path, 'run', SOCKET_NAME), origin: 'state folder' };
}

function homePlace(inputs: PathInputs, below: string): Place {
  const home = absolute(inputs.home, 'home folder');
  return { path: join(home.path, below), origin: 'home folder' };
}

function variable(inputs: PathInputs, name: string): Place | undefined {
  const value = inputs.env[name];
  return value === undefined || value === '' ? undefined : absolute(value, name);
}

function absolute(path: string, origin: string): Place {
  if (!isAbsolute(path) || path.includes('\0')) {
    throw new AgentError('usage.path-relative', {
      message: `${origin} must be an absolute path: ${JSON.stringify(path)}`,
      details: { origin, path },
    });
  }
  return { path: normalize(path), origin };
}
