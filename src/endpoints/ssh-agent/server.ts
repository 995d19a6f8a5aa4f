/** The SSH agent endpoint: ssh, git and ssh-keygen sign through it with the keys of the agent. */
import type { Agent } from '../../agent/agent.js';
import type { Note } from '../callers.js';
import { StreamServer } from '../stream-server.js';
import { SshConnection, type SshConnectionParts } from './connection.js';
import { Identities } from './identities.js';
import { PassphraseLock } from './passphrase-lock.js';

export interface SshAgentServerOptions {
  readonly agent: Agent;
  /** Listening socket made by the keeper. */
  readonly listenFd: number;
  readonly socketPath: string;
  readonly note: Note;
  /** Absolute paths of `*-cert.pub` files. */
  readonly certificates: readonly string[];
}

export function sshAgentServer(options: SshAgentServerOptions): StreamServer {
  const { agent, note } = options;
  const parts: SshConnectionParts = {
    agent,
    note,
    identities: new Identities(options),
    lock: new PassphraseLock(agent.sshLocks),
  };
  return new StreamServer({
    ...options,
    onConnection: (socket, peer) => new SshConnection(socket, peer, parts),
  });
}
