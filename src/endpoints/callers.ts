/**
 * Who connects to a socket of the agent. The kernel is asked when the connection is made, before a byte is read; without an
 * answer nobody gets in, and the connection ends when the process that opened it does.
 */
import type { Socket } from 'node:net';
import type { Agent } from '../agent/agent.js';
import type { Peer } from '../agent/peer.js';
import { AgentError, asAgentError } from '../errors/agent-error.js';
import type { ExitWatch } from '../platform/native-shims.js';
import { peerLabel, peerOf, watchPeerExit } from '../platform/peer.js';
import { LIMITS } from '../protocol/limits.js';

/** One line for the agent's own log. */
export type Note = (what: string, facts: Readonly<Record<string, string | number>>) => void;

/** Connections over the limit of a user that are kept for the moment it takes to say why; more end without a word. */
const MAX_TOLD = 16;

export interface CallersOptions {
  readonly agent: Pick<Agent, 'admits'>;
  /** Absolute path of the socket they come in on. */
  readonly socketPath: string;
  readonly note: Note;
}

/** `peer` is missing when the kernel did not say; with a `refusal` the connection may only be told and closed. */
export interface Caller {
  readonly peer: Peer | undefined;
  readonly refusal: AgentError | undefined;
}

export class Callers {
  readonly #options: CallersOptions;
  readonly #byUid = new Map<number, number>();

  constructor(options: CallersOptions) {
    this.#options = options;
  }

  /** To be called at once for each accepted connection; counts and watches it until it is closed. */
  receive(socket: Socket): Caller {
    const caller = this.#identify(socket);
    if (caller.peer !== undefined) this.#track(socket, caller.peer);
    return caller;
  }

  #identify(socket: Socket): Caller {
    try {
      const { pid, uid, gid } = peerOf(socket);
      const peer: Peer = { pid, uid, gid, exe: peerLabel(pid), socket: this.#options.socketPath };
      if (!this.#options.agent.admits(peer)) {
        return { peer, refusal: new AgentError('peer.uid-refused', { details: { uid } }) };
      }
      if ((this.#byUid.get(uid) ?? 0) >= LIMITS.connectionsPerUid) {
        return { peer, refusal: new AgentError('limits.connections', { details: { uid } }) };
      }
      return { peer, refusal: undefined };
    } catch (error) {
      return { peer: undefined, refusal: asAgentError(error) };
    }
  }

  #track(socket: Socket, peer: Peer): void {
    const open = (this.#byUid.get(peer.uid) ?? 0) + 1;
    this.#byUid.set(peer.uid, open);
    let watch: ExitWatch | undefined;
    socket.once('close', () => {
      watch?.close();
      this.#byUid.set(peer.uid, (this.#byUid.get(peer.uid) ?? 1) - 1);
    });
    if (open > LIMITS.connectionsPerUid + MAX_TOLD) {
      socket.destroy();
      return;
    }
    try {
      watch = watchPeerExit(socket, () => {
        socket.destroy();
      });
    } catch (error) {
      this.#options.note('caller cannot be watched', { pid: peer.pid, reason: asAgentError(error).message });
      socket.destroy();
    }
  }
}
