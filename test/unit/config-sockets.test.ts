import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/document.js';
import { socketPlaces } from '../../src/config/sockets.js';
import { thrownBy } from '../support/error-code.js';

function config(text: string): ReturnType<typeof parseConfig> {
  return parseConfig(`version = 1\ndomain = "acme.example"\n${text}`, 'touchstone.toml');
}

describe('sockets of an agent', () => {
  it('are the control socket, and a door beside it for each that is enabled', () => {
    expect(socketPlaces(config(''), '/run/t/agent.sock')).toEqual([
      { name: 'control', path: '/run/t/agent.sock' },
    ]);
    const both = config('[ssh-agent]\nenabled = true\n[pkcs11]\nenabled = true\nsocket = "/x/p11"\n');
    expect(socketPlaces(both, '/run/t/agent.sock')).toEqual([
      { name: 'control', path: '/run/t/agent.sock' },
      { name: 'ssh-agent', path: '/run/t/ssh-agent.sock' },
      { name: 'pkcs11', path: '/x/p11' },
    ]);
  });

  it('never share a path, and have one the kernel takes', () => {
    const same = config('[ssh-agent]\nenabled = true\nsocket = "/run/t/agent.sock"\n');
    const error = thrownBy(() => socketPlaces(same, '/run/t/agent.sock'));
    expect(error.code).toBe('agent.socket-path');
    expect(error.message).toContain('ssh-agent and control');
    const long = config('[pkcs11]\nenabled = true\n');
    const folder = `/run/${'x'.repeat(107 - '/run//pkcs11.sock'.length)}`;
    expect(socketPlaces(long, `${folder}/agent.sock`)[1]?.path).toHaveLength(107);
    expect(thrownBy(() => socketPlaces(long, `${folder}x/agent.sock`)).code).toBe('agent.socket-path');
  });
});
