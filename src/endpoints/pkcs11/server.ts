/**
 * The PKCS#11 door: speaks the RPC of p11-kit on a Unix socket, so that its client module makes our keys usable in every program that
 * takes a PKCS#11 module. Holds no key and decides nothing: a signature is one `digest` request to the pipe.
 */
import type { Agent } from '../../agent/agent.js';
import type { Note } from '../callers.js';
import { StreamServer } from '../stream-server.js';
import { Application } from './application.js';
import { CertificateFolder } from './certificate-folder.js';
import { Pkcs11Connection } from './connection.js';
import { KeyShelf } from './key-shelf.js';

export interface Pkcs11ServerOptions {
  readonly agent: Pick<Agent, 'admits' | 'policy' | 'signing'>;
  /** Listening socket made by the keeper. */
  readonly listenFd: number;
  readonly socketPath: string;
  /** Folder of `KEYID.pem` files, absolute; need not exist. */
  readonly certificates: string;
  readonly note: Note;
}

export function pkcs11Server(options: Pkcs11ServerOptions): StreamServer {
  const { agent, listenFd, socketPath, note } = options;
  const shelf = new KeyShelf(agent.policy, new CertificateFolder(options.certificates));
  return new StreamServer({
    agent,
    listenFd,
    socketPath,
    note,
    onConnection: (socket, peer) => {
      const application = new Application({ signing: agent.signing, shelf, peer });
      new Pkcs11Connection(socket, application, (error) => {
        note('not a PKCS#11 call', { pid: peer.pid, reason: error.message });
      });
    },
  });
}
