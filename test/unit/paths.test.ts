import { describe, expect, it } from 'vitest';
import { MAX_SOCKET_PATH_BYTES, resolvePaths, type PathInputs } from '../../src/platform/paths.js';
import { codeOf, thrownBy } from '../support/error-code.js';

const BARE: PathInputs = { env: {}, uid: 1000, home: '/home/ann', directoryExists: () => false };

function socket(inputs: Partial<PathInputs>): { path: string; origin: string } {
  const paths = resolvePaths({ ...BARE, ...inputs });
  return { path: paths.socket, origin: paths.origins.socket };
}

describe('places', () => {
  it('are below the home folder when nothing else is said', () => {
    expect(resolvePaths(BARE)).toEqual({
      configFile: '/home/ann/.config/touchstone/touchstone.toml',
      policyFile: '/home/ann/.config/touchstone/policy.toml',
      stateDir: '/home/ann/.local/state/touchstone',
      auditDir: '/home/ann/.local/state/touchstone/audit',
      socket: '/home/ann/.local/state/touchstone/run/agent.sock',
      origins: { configFile: 'home folder', stateDir: 'home folder', socket: 'state folder' },
    });
  });

  it('follow XDG variables, and our own before those', () => {
    const xdg = { XDG_CONFIG_HOME: '/c', XDG_STATE_HOME: '/s', XDG_RUNTIME_DIR: '/r' };
    expect(resolvePaths({ ...BARE, env: xdg })).toMatchObject({
      configFile: '/c/touchstone/touchstone.toml',
      stateDir: '/s/touchstone',
      socket: '/r/touchstone/agent.sock',
    });
    const own = {
      ...xdg,
      TOUCHSTONE_CONFIG: '/etc/t/x.toml',
      TOUCHSTONE_STATE: '/var/t',
      TOUCHSTONE_SOCK: '/run/t.sock',
    };
    expect(resolvePaths({ ...BARE, env: own })).toMatchObject({
      configFile: '/etc/t/x.toml',
      policyFile: '/etc/t/policy.toml',
      stateDir: '/var/t',
      socket: '/run/t.sock',
      origins: { configFile: 'TOUCHSTONE_CONFIG', stateDir: 'TOUCHSTONE_STATE', socket: 'TOUCHSTONE_SOCK' },
    });
  });

  it('take the socket from variable, configuration, runtime folder, /run/user, state folder, in this order', () => {
    const config = { socket: '/conf.sock' };
    const env = { TOUCHSTONE_SOCK: '/env.sock', XDG_RUNTIME_DIR: '/r' };
    const directoryExists = (path: string): boolean => path === '/run/user/1000';
    expect(socket({ env, config, directoryExists }).path).toBe('/env.sock');
    expect(socket({ env: { XDG_RUNTIME_DIR: '/r' }, config, directoryExists }).path).toBe('/conf.sock');
    expect(socket({ env: { XDG_RUNTIME_DIR: '/r' }, directoryExists }).path).toBe('/r/touchstone/agent.sock');
    expect(socket({ directoryExists }).path).toBe('/run/user/1000/touchstone/agent.sock');
    expect(socket({ env: { XDG_RUNTIME_DIR: '' } }).origin).toBe('state folder');
  });

  it('are refused when relative, by the name of what said so', () => {
    const names = [
      'TOUCHSTONE_CONFIG',
      'TOUCHSTONE_STATE',
      'TOUCHSTONE_SOCK',
      'XDG_CONFIG_HOME',
      'XDG_STATE_HOME',
      'XDG_RUNTIME_DIR',
    ];
    for (const name of names) {
      const error = thrownBy(() => resolvePaths({ ...BARE, env: { [name]: 'relative/path' } }));
      expect([error.code, error.details?.['origin']]).toEqual(['usage.path-relative', name]);
    }
    expect(codeOf(() => socket({ config: { socket: 'agent.sock' } }))).toBe('usage.path-relative');
    expect(codeOf(() => resolvePaths({ ...BARE, home: '' }))).toBe('usage.path-relative');
  });

  it('hold a socket path that the kernel takes, counted in bytes', () => {
    const longest = `/${'a'.repeat(MAX_SOCKET_PATH_BYTES - 1)}`;
    expect(socket({ env: { TOUCHSTONE_SOCK: longest } }).path).toBe(longest);
    const error = thrownBy(() => socket({ env: { TOUCHSTONE_SOCK: `${longest}a` } }));
    expect([error.code, error.details?.['bytes']]).toEqual(['agent.socket-path', MAX_SOCKET_PATH_BYTES + 1]);
    expect(codeOf(() => socket({ env: { TOUCHSTONE_SOCK: `/${'é'.repeat(54)}` } }))).toBe(
      'agent.socket-path',
    );
  });
});
